package feature

import (
	"math"
	"time"
)

// Value is one value of a feature or join key: a tagged struct, so that numbers
// need no allocation. The zero Value is null. Values are immutable.
type Value struct {
	typ  Type // zero: null
	bits uint64
	text string
	list []Value
}

// Null is the null value; an absent feature of a write is null.
var Null = Value{}

// Constructors, one per type. TimestampValue keeps whole seconds, as the wire
// form does.
func Int32Value(v int32) Value         { return Value{typ: Int32, bits: uint64(int64(v))} }
func Int64Value(v int64) Value         { return Value{typ: Int64, bits: uint64(v)} }
func Float32Value(v float32) Value     { return Value{typ: Float32, bits: math.Float64bits(float64(v))} }
func Float64Value(v float64) Value     { return Value{typ: Float64, bits: math.Float64bits(v)} }
func StringValue(v string) Value       { return Value{typ: String, text: v} }
func BytesValue(v []byte) Value        { return Value{typ: Bytes, text: string(v)} }
func JSONValue(compact string) Value   { return Value{typ: JSON, text: compact} }
func TimestampValue(v time.Time) Value { return Value{typ: Timestamp, bits: uint64(v.Unix())} }
func UnixSecondsValue(sec int64) Value { return Value{typ: Timestamp, bits: uint64(sec)} }
func ListValue(elem Type, v []Value) Value {
	return Value{typ: ListOf(elem), list: v}
}
func BoolValue(v bool) Value {
	if v {
		return Value{typ: Bool, bits: 1}
	}
	return Value{typ: Bool}
}

// Type returns the value's type, and 0 for null.
func (v Value) Type() Type { return v.typ }

// IsNull reports whether v is null.
func (v Value) IsNull() bool { return v.typ == 0 }

// Int returns an integer, timestamp (Unix seconds) or bool (0, 1); 0 otherwise.
func (v Value) Int() int64 {
	switch v.typ {
	case Int32, Int64, Timestamp, Bool:
		return int64(v.bits)
	}
	return 0
}

// Float returns any numeric value as float64 (timestamps in Unix seconds,
// bools as 0 and 1); NaN otherwise.
func (v Value) Float() float64 {
	switch v.typ {
	case Float32, Float64:
		return math.Float64frombits(v.bits)
	case Int32, Int64, Timestamp, Bool:
		return float64(int64(v.bits))
	}
	return math.NaN()
}

// Bool returns a bool's value; false otherwise.
func (v Value) Bool() bool { return v.typ == Bool && v.bits == 1 }

// Text returns the text of a string, the bytes of a bytes value, or the compact
// text of a json value; empty otherwise.
func (v Value) Text() string { return v.text }

// Time returns a timestamp in UTC; the zero time otherwise.
func (v Value) Time() time.Time {
	if v.typ != Timestamp {
		return time.Time{}
	}
	return time.Unix(int64(v.bits), 0).UTC()
}

// List returns the elements of a list. The caller must not change them.
func (v Value) List() []Value { return v.list }

// Equal reports whether v and w are the same value of the same type. Not-a-number
// equals itself; 0 and -0 differ, as their bits do. Null is null, whatever it stands for.
func (v Value) Equal(w Value) bool {
	if v.typ == 0 || w.typ == 0 {
		return v.typ == w.typ
	}
	if v.typ != w.typ || v.bits != w.bits || v.text != w.text || len(v.list) != len(w.list) {
		return false
	}
	for i := range v.list {
		if !v.list[i].Equal(w.list[i]) {
			return false
		}
	}
	return true
}
