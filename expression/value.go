package expression

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"unicode/utf8"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"sluice/feature"
)

// MaxValue is the longest result, in bytes as it is stored.
const MaxValue = 64 << 10

// toCEL returns v as expressions see it. Members of json objects that are null are left
// out if sparse is set.
func toCEL(v feature.Value, sparse bool) ref.Val {
	switch t := v.Type(); {
	case v.IsNull():
		return types.NullValue
	case t.IsList():
		list := make([]ref.Val, len(v.List()))
		for i, e := range v.List() {
			list[i] = toCEL(e, sparse)
		}
		return types.NewRefValList(types.DefaultTypeAdapter, list)
	case t.Float():
		return types.Double(v.Float())
	case t == feature.Timestamp:
		return types.Timestamp{Time: v.Time()}
	case t == feature.Bool:
		return types.Bool(v.Bool())
	case t.Numeric():
		return types.Int(v.Int())
	case t == feature.String:
		return types.String(v.Text())
	case t == feature.Bytes:
		return types.Bytes(v.Text())
	}
	var decoded any
	if err := json.Unmarshal([]byte(v.Text()), &decoded); err != nil {
		return types.NewErr("json: %v", err)
	}
	if sparse {
		decoded = withoutNulls(decoded)
	}
	return types.DefaultTypeAdapter.NativeToValue(decoded)
}

// withoutNulls drops the members of objects that are null.
func withoutNulls(document any) any {
	switch d := document.(type) {
	case map[string]any:
		maps.DeleteFunc(d, func(_ string, v any) bool { return v == nil })
		for k, v := range d {
			d[k] = withoutNulls(v)
		}
	case []any:
		for i, v := range d {
			d[i] = withoutNulls(v)
		}
	}
	return document
}

// fromCEL returns out as a value of type t. The failure says why it is none.
func fromCEL(t feature.Type, out ref.Val) (feature.Value, *Failure) {
	if out == types.NullValue {
		return feature.Null, nil
	}
	if list, ok := out.(traits.Lister); ok && t.IsList() {
		return listFrom(t, list)
	}
	switch v := out.(type) {
	case types.Double:
		f := float64(v)
		if f != f {
			f = math.NaN() // of the many there are always the same one, whatever the processor gives
		}
		switch {
		case t == feature.Float64:
			return feature.Float64Value(f), nil
		case t == feature.Float32 && math.IsInf(float64(float32(f)), 0) && !math.IsInf(f, 0):
			return feature.Null, overflow(t)
		case t == feature.Float32:
			return feature.Float32Value(float32(f)), nil
		}
	case types.Int:
		switch n := int64(v); {
		case t == feature.Int64:
			return feature.Int64Value(n), nil
		case t == feature.Int32 && int64(int32(n)) != n:
			return feature.Null, overflow(t)
		case t == feature.Int32:
			return feature.Int32Value(int32(n)), nil
		}
	case types.String:
		if t == feature.String {
			return textFrom(string(v), feature.StringValue(string(v)), utf8.ValidString(string(v)))
		}
	case types.Bytes:
		if t == feature.Bytes {
			return textFrom(string(v), feature.BytesValue(v), true)
		}
	case types.Bool:
		if t == feature.Bool {
			return feature.BoolValue(bool(v)), nil
		}
	case types.Timestamp:
		if t == feature.Timestamp {
			return feature.TimestampValue(v.Time), nil
		}
	}
	return feature.Null, &Failure{Reason: ReasonType, text: fmt.Sprintf("gives %s, and %s is declared", out.Type().TypeName(), t)}
}

func overflow(t feature.Type) *Failure {
	return &Failure{Reason: ReasonOverflow, text: fmt.Sprintf("gives a number that %s cannot hold", t)}
}

func tooLong() *Failure {
	return &Failure{Reason: ReasonSize, text: fmt.Sprintf("gives more than %d bytes", MaxValue)}
}

func textFrom(text string, v feature.Value, valid bool) (feature.Value, *Failure) {
	switch {
	case !valid:
		return feature.Null, &Failure{Reason: ReasonType, text: "gives a string that is not UTF-8"}
	case len(text) > MaxValue:
		return feature.Null, tooLong()
	}
	return v, nil
}

// listFrom reads a list, whose elements are of one type and not null.
func listFrom(t feature.Type, list traits.Lister) (feature.Value, *Failure) {
	out := []feature.Value{}
	for it := list.Iterator(); it.HasNext() == types.True; {
		v, failure := fromCEL(t.Elem(), it.Next())
		if failure == nil && v.IsNull() {
			failure = &Failure{Reason: ReasonType, text: "gives a list with a null in it"}
		}
		if failure != nil {
			return feature.Null, failure
		}
		if out = append(out, v); len(out) > MaxValue {
			return feature.Null, tooLong()
		}
	}
	v := feature.ListValue(t.Elem(), slices.Clip(out))
	if len(feature.AppendValue(nil, v)) > MaxValue+16 {
		return feature.Null, tooLong()
	}
	return v, nil
}
