package feature

import (
	"fmt"
	"strings"
)

// Type is the declared type of a feature or of a join key. The zero Type is
// not a type.
type Type uint8

// The types of a definition. A list type is its element type plus listOf.
const (
	Int32 Type = iota + 1
	Int64
	Float32
	Float64
	String
	Bytes
	Bool
	Timestamp
	JSON

	listOf Type = 0x40
)

var typeNames = map[Type]string{
	Int32: "int32", Int64: "int64", Float32: "float32", Float64: "float64", String: "string",
	Bytes: "bytes", Bool: "bool", Timestamp: "timestamp", JSON: "json",
}

// ListOf returns the type of lists of elem. JSON and lists have no list type.
func ListOf(elem Type) Type { return elem | listOf }

// IsList reports whether t is a list type.
func (t Type) IsList() bool { return t&listOf != 0 }

// Elem returns the element type of a list type, and t itself otherwise.
func (t Type) Elem() Type { return t &^ listOf }

// Valid reports whether t is one of the types of a definition.
func (t Type) Valid() bool {
	_, ok := typeNames[t.Elem()]
	return ok && (!t.IsList() || t.Elem() != JSON)
}

// Numeric reports whether values of t are profiled over numeric bins:
// integers, floats and timestamps (in seconds).
func (t Type) Numeric() bool {
	switch t {
	case Int32, Int64, Float32, Float64, Timestamp:
		return true
	}
	return false
}

// Float reports whether t is a floating-point type.
func (t Type) Float() bool { return t == Float32 || t == Float64 }

// String returns the name that definitions use, such as float64 or list<string>.
func (t Type) String() string {
	name, ok := typeNames[t.Elem()]
	if !ok {
		return fmt.Sprintf("type(%d)", uint8(t))
	}
	if t.IsList() {
		return "list<" + name + ">"
	}
	return name
}

// ParseType is the inverse of String. The error lists the accepted names.
func ParseType(name string) (Type, error) {
	elem, list := name, Type(0)
	if inner, ok := strings.CutPrefix(name, "list<"); ok && strings.HasSuffix(inner, ">") {
		elem, list = strings.TrimSuffix(inner, ">"), listOf
	}
	for t, n := range typeNames {
		if n == elem && (t | list).Valid() {
			return t | list, nil
		}
	}
	return 0, fmt.Errorf("type %q: want int32, int64, float32, float64, string, bytes, bool, timestamp, json, or list<T> of the first eight", name)
}

// TypeNames returns the names of all types of a definition, those of lists last.
func TypeNames() (names []string) {
	for _, list := range []Type{0, listOf} {
		for t := Int32; t <= JSON; t++ {
			if (t | list).Valid() {
				names = append(names, (t | list).String())
			}
		}
	}
	return names
}

// MarshalText writes the name, so that types read well in JSON.
func (t Type) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads a name.
func (t *Type) UnmarshalText(text []byte) error {
	parsed, err := ParseType(string(text))
	if err != nil {
		return err
	}
	*t = parsed
	return nil
}
