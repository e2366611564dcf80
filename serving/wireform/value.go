package wireform

import (
	"fmt"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"sluice/feature"
	"sluice/serving/jsonform"
)

// ValueOf reads a serialized feast.types.Value as one of type t; nothing is null. What the
// protobuf runtime has to look at first is ErrUnusual.
func ValueOf(t feature.Type, b []byte) (feature.Value, error) {
	if len(b) == 0 {
		return feature.Null, nil
	}
	number, _, n := protowire.ConsumeTag(b)
	switch {
	case n < 0:
		return feature.Null, ErrUnusual
	case number == kindNull:
		return feature.Null, nil
	}
	v, err := feature.DecodeValue(b)
	if err != nil {
		if kindNames[number] == "" && kindNames[number-10] == "" {
			return feature.Null, fmt.Errorf("a value of kind %d where %s is declared", number, t)
		}
		return feature.Null, ErrUnusual
	}
	return converted(t, v)
}

// converted returns v as a value of type t: integers go into any number that holds them
// exactly, a float64 into a float32 only if it is one; nothing else is converted.
func converted(t feature.Type, v feature.Value) (feature.Value, error) {
	if t.IsList() && v.Type().IsList() {
		list := make([]feature.Value, len(v.List()))
		for i, e := range v.List() {
			var err error
			if list[i], err = converted(t.Elem(), e); err != nil {
				return feature.Null, fmt.Errorf("element %d: %w", i, err)
			}
		}
		return feature.ListValue(t.Elem(), list), nil
	}
	mismatch := func() error { return fmt.Errorf("%s where %s is declared", v.Type(), t) }
	if v.Type().IsList() {
		return feature.Null, mismatch()
	}
	integer := v.Type() == feature.Int32 || v.Type() == feature.Int64 || v.Type() == feature.Timestamp && t == feature.Timestamp
	switch t {
	case feature.String, feature.Bytes:
		switch {
		case v.Type() != t:
			return feature.Null, mismatch()
		case t == feature.String && !utf8.ValidString(v.Text()):
			return feature.Null, ErrUnusual
		case len(v.Text()) > jsonform.MaxText:
			return feature.Null, jsonform.TooLong(len(v.Text()))
		}
		return v, nil
	case feature.Bool:
		if v.Type() == t {
			return v, nil
		}
	case feature.Int32, feature.Int64, feature.Timestamp:
		if integer {
			return integerAs(t, v.Int())
		}
	case feature.Float32, feature.Float64:
		if integer && v.Type() != feature.Timestamp || v.Type().Float() {
			return floatAs(t, v, integer)
		}
	}
	return feature.Null, mismatch()
}

func integerAs(t feature.Type, n int64) (feature.Value, error) {
	switch {
	case t == feature.Int32 && n != int64(int32(n)):
		return feature.Null, fmt.Errorf("%d is outside int32", n)
	case t == feature.Int32:
		return feature.Int32Value(int32(n)), nil
	case t == feature.Int64:
		return feature.Int64Value(n), nil
	case n < jsonform.MinSecond || n > jsonform.MaxSecond:
		return feature.Null, fmt.Errorf("%d seconds are outside the years 1 to 9999; are they milliseconds?", n)
	}
	return feature.UnixSecondsValue(n), nil
}

func floatAs(t feature.Type, v feature.Value, integer bool) (feature.Value, error) {
	f := v.Float()
	if n := v.Int(); integer && (n > 1<<53 || n < -1<<53) {
		return feature.Null, fmt.Errorf("%d is not exact as %s", n, t)
	}
	if t == feature.Float64 {
		return feature.Float64Value(f), nil
	}
	if f == f && float64(float32(f)) != f {
		return feature.Null, fmt.Errorf("%v is no float32", f)
	}
	return feature.Float32Value(float32(f)), nil
}
