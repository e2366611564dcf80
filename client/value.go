package client

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"time"

	feasttypes "sluice/api/feast/types"
)

// encode returns the value of a join key, and a text that is the same for equal ones.
func encode(name string, v any) (*feasttypes.Value, string, error) {
	switch v := v.(type) {
	case string:
		return &feasttypes.Value{Val: &feasttypes.Value_StringVal{StringVal: v}}, "s" + strconv.Quote(v), nil
	case []byte:
		return &feasttypes.Value{Val: &feasttypes.Value_BytesVal{BytesVal: v}}, "b" + strconv.Quote(string(v)), nil
	case bool:
		return &feasttypes.Value{Val: &feasttypes.Value_BoolVal{BoolVal: v}}, strconv.FormatBool(v), nil
	case time.Time:
		return &feasttypes.Value{Val: &feasttypes.Value_UnixTimestampVal{UnixTimestampVal: v.Unix()}}, "t" + strconv.FormatInt(v.Unix(), 10), nil
	}
	r := reflect.ValueOf(v)
	switch {
	case v == nil:
	case r.CanInt():
		return whole(r.Int())
	case r.CanUint() && r.Uint() <= math.MaxInt64:
		return whole(int64(r.Uint()))
	case r.Kind() == reflect.String:
		return encode(name, r.String())
	}
	return nil, "", &Error{Code: "type", Message: fmt.Sprintf("key %s: a %T is no key", name, v), Hint: "keys are strings, whole numbers, bools, bytes and times"}
}

// encodeContext returns a value that features are computed of.
func encodeContext(name string, v any) (*feasttypes.Value, error) {
	switch v := v.(type) {
	case nil:
		return &feasttypes.Value{}, nil
	case float64:
		return &feasttypes.Value{Val: &feasttypes.Value_DoubleVal{DoubleVal: v}}, nil
	case float32:
		return &feasttypes.Value{Val: &feasttypes.Value_DoubleVal{DoubleVal: float64(v)}}, nil
	}
	value, _, err := encode(name, v)
	if err != nil {
		return nil, &Error{Code: "type", Message: fmt.Sprintf("context %s: a %T is no value", name, v), Hint: "values are strings, numbers, bools, bytes and times"}
	}
	return value, nil
}

func whole(n int64) (*feasttypes.Value, string, error) {
	return &feasttypes.Value{Val: &feasttypes.Value_Int64Val{Int64Val: n}}, "i" + strconv.FormatInt(n, 10), nil
}

// decode returns the Go value of v; see Row.
func decode(v *feasttypes.Value) (any, error) {
	switch v := v.GetVal().(type) {
	case nil, *feasttypes.Value_NullVal:
		return nil, nil
	case *feasttypes.Value_BytesVal:
		return v.BytesVal, nil
	case *feasttypes.Value_StringVal:
		return v.StringVal, nil
	case *feasttypes.Value_Int32Val:
		return int64(v.Int32Val), nil
	case *feasttypes.Value_Int64Val:
		return v.Int64Val, nil
	case *feasttypes.Value_DoubleVal:
		return v.DoubleVal, nil
	case *feasttypes.Value_FloatVal:
		return float64(v.FloatVal), nil
	case *feasttypes.Value_BoolVal:
		return v.BoolVal, nil
	case *feasttypes.Value_UnixTimestampVal:
		return instant(v.UnixTimestampVal), nil
	case *feasttypes.Value_JsonVal:
		return json.RawMessage(v.JsonVal), nil
	case *feasttypes.Value_BytesListVal:
		return v.BytesListVal.GetVal(), nil
	case *feasttypes.Value_StringListVal:
		return v.StringListVal.GetVal(), nil
	case *feasttypes.Value_Int32ListVal:
		return each(v.Int32ListVal.GetVal(), func(n int32) int64 { return int64(n) }), nil
	case *feasttypes.Value_Int64ListVal:
		return v.Int64ListVal.GetVal(), nil
	case *feasttypes.Value_DoubleListVal:
		return v.DoubleListVal.GetVal(), nil
	case *feasttypes.Value_FloatListVal:
		return each(v.FloatListVal.GetVal(), func(x float32) float64 { return float64(x) }), nil
	case *feasttypes.Value_BoolListVal:
		return v.BoolListVal.GetVal(), nil
	case *feasttypes.Value_UnixTimestampListVal:
		return each(v.UnixTimestampListVal.GetVal(), instant), nil
	default:
		return nil, &Error{Code: "decode", Message: fmt.Sprintf("the answer holds a %T, which this client does not know", v), Hint: "update the client"}
	}
}

func instant(seconds int64) time.Time { return time.Unix(seconds, 0).UTC() }

func each[A, B any](in []A, f func(A) B) []B {
	out := make([]B, len(in))
	for i, v := range in {
		out[i] = f(v)
	}
	return out
}
