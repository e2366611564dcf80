package push

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	feasttypes "sluice/api/feast/types"
	"sluice/feature"
	"sluice/serving/jsonform"
	"sluice/serving/refusal"
)

// TextTable is one row of text: strings as they are, everything else as JSON
// writes it, with quotes or without.
func TextTable(cells map[string]string) *Table {
	t := &Table{names: sortedNames(cells), rows: 1}
	t.value = func(column, _ int, typ feature.Type) (feature.Value, error) {
		return parseText(typ, cells[t.names[column]])
	}
	t.moment = func(column, _ int) (time.Time, error) { return MomentOf(cells[t.names[column]]) }
	return t
}

func parseText(t feature.Type, text string) (feature.Value, error) {
	if t == feature.String {
		return jsonform.StringOf(text)
	}
	if raw := []byte(text); jsonform.WellFormed(raw) {
		if v, err := jsonform.ValueOf(t, jsonform.Trimmed(raw)); err == nil || t.IsList() || t == feature.JSON {
			return v, err
		}
	}
	quotedText, err := json.Marshal(text)
	if err != nil {
		return feature.Null, fmt.Errorf("%s: %w", refusal.Quoted(text), err)
	}
	if t == feature.Bytes || t == feature.Timestamp || t.Float() {
		return jsonform.ValueOf(t, quotedText)
	}
	return feature.Null, fmt.Errorf("%s where %s is declared", refusal.Quoted(text), t)
}

// TypedTable is one row of typed values.
func TypedTable(cells map[string]*feasttypes.Value) *Table {
	t := &Table{names: sortedNames(cells), rows: 1}
	t.value = func(column, _ int, typ feature.Type) (feature.Value, error) {
		return typedValue(typ, cells[t.names[column]])
	}
	t.moment = func(column, _ int) (time.Time, error) {
		switch v := cells[t.names[column]].GetVal().(type) {
		case *feasttypes.Value_StringVal:
			return MomentOf(v.StringVal)
		case *feasttypes.Value_UnixTimestampVal:
			return time.Unix(v.UnixTimestampVal, 0).UTC(), nil
		}
		return time.Time{}, errors.New("an event time is a timestamp or a string in RFC 3339")
	}
	return t
}

// typedValue reads a value as one of type t: of that type, an integer that fits,
// a float that is exact, or Unix seconds for a timestamp.
func typedValue(t feature.Type, in *feasttypes.Value) (feature.Value, error) {
	if _, null := in.GetVal().(*feasttypes.Value_NullVal); null || in.GetVal() == nil {
		return feature.Null, nil
	}
	if text, ok := in.GetVal().(*feasttypes.Value_StringVal); ok && t == feature.JSON {
		if raw := []byte(text.StringVal); jsonform.WellFormed(raw) {
			return jsonform.JSONOf(raw)
		}
	}
	wire, err := proto.Marshal(in)
	if err != nil {
		return feature.Null, fmt.Errorf("a value that cannot be encoded: %w", err)
	}
	v, err := feature.DecodeValue(wire)
	if err != nil {
		return feature.Null, fmt.Errorf("a kind of value that is no feature's, where %s is declared", t)
	}
	return checkedValue(t, v)
}

func checkedValue(t feature.Type, v feature.Value) (feature.Value, error) {
	switch {
	case v.Type() == t && t == feature.JSON:
		if raw := []byte(v.Text()); jsonform.WellFormed(raw) {
			return jsonform.JSONOf(raw)
		}
		return feature.Null, errors.New("a json value that is no JSON")
	case v.Type() == t && t.IsList():
		for i, item := range v.List() {
			if _, err := checkedValue(t.Elem(), item); err != nil {
				return feature.Null, fmt.Errorf("element %d: %w", i, err)
			}
		}
		return v, nil
	case v.Type() == t && t == feature.Timestamp:
		return seconds(v.Int())
	case v.Type() == t:
		if len(v.Text()) > jsonform.MaxText {
			return feature.Null, jsonform.TooLong(len(v.Text()))
		}
		return v, nil
	case t == feature.Int64 && v.Type() == feature.Int32:
		return feature.Int64Value(v.Int()), nil
	case t == feature.Int32 && v.Type() == feature.Int64 && v.Int() >= math.MinInt32 && v.Int() <= math.MaxInt32:
		return feature.Int32Value(int32(v.Int())), nil
	case t == feature.Timestamp && (v.Type() == feature.Int64 || v.Type() == feature.Int32):
		return seconds(v.Int())
	case t == feature.Float64 && v.Type() == feature.Float32:
		return feature.Float64Value(v.Float()), nil
	case t == feature.Float32 && v.Type() == feature.Float64 && (float64(float32(v.Float())) == v.Float() || math.IsNaN(v.Float())):
		return feature.Float32Value(float32(v.Float())), nil
	}
	return feature.Null, fmt.Errorf("%s where %s is declared", v.Type(), t)
}

// seconds returns a timestamp, within the years that RFC 3339 can write.
func seconds(n int64) (feature.Value, error) {
	if n < jsonform.MinSecond || n > jsonform.MaxSecond {
		return feature.Null, fmt.Errorf("%d seconds are outside the years 1 to 9999; are they milliseconds?", n)
	}
	return feature.UnixSecondsValue(n), nil
}

func sortedNames[V any](cells map[string]V) []string {
	names := make([]string, 0, len(cells))
	for name := range cells {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
