package tap

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"
	"unsafe"

	"sluice/feature"
)

// maxText is the longest string, bytes or json value in bytes.
const maxText = 64 << 10

// problem is what is wrong with one value; it does not stop the scan, so that a
// text which is no JSON at all is always said to be that.
type problem struct {
	reason feature.Code
	text   string
}

func wrongType(format string, args ...any) *problem {
	return &problem{feature.CodeType, fmt.Sprintf(format, args...)}
}

// value reads the JSON value at the scanner as one of type t; null is feature.Null.
//
// Numbers are read from their digits: an integer type takes whole numbers without
// point or exponent, and a float type takes no integer that it cannot hold
// exactly. Floats are also written as the strings NaN, Infinity and -Infinity,
// bytes in base64, timestamps as RFC 3339 strings or whole Unix seconds.
func (s *scanner) value(t feature.Type) (feature.Value, *problem, error) {
	c := s.space()
	if c == 'n' {
		_, err := s.word()
		return feature.Null, nil, err
	}
	if t.IsList() {
		return s.listValue(t, c)
	}
	switch t {
	case feature.Int32, feature.Int64, feature.Float32, feature.Float64, feature.Timestamp:
		if c == '-' || '0' <= c && c <= '9' {
			return s.numberValue(t)
		}
		if c == '"' && t != feature.Int32 && t != feature.Int64 {
			return s.namedNumber(t)
		}
	case feature.String, feature.Bytes:
		if c == '"' {
			return s.textValue(t)
		}
	case feature.Bool:
		if c == 't' || c == 'f' {
			w, err := s.word()
			return feature.BoolValue(w == 't'), nil, err
		}
	case feature.JSON:
		raw, err := s.skip()
		if err != nil {
			return feature.Null, nil, err
		}
		text := compact(make([]byte, 0, len(raw)), raw)
		if len(text) > maxText {
			return feature.Null, tooLong(len(text)), nil
		}
		return feature.JSONValue(string(text)), nil, nil
	}
	raw, err := s.skip()
	if err != nil {
		return feature.Null, nil, err
	}
	return feature.Null, wrongType("want %s, got %s", wanted[t], raw), nil
}

var wanted = map[feature.Type]string{
	feature.Int32: "a whole number", feature.Int64: "a whole number",
	feature.Float32: "a number", feature.Float64: "a number",
	feature.String: "a string", feature.Bytes: "a base64 string", feature.Bool: "true or false",
	feature.Timestamp: "an RFC 3339 time or whole Unix seconds",
}

func tooLong(n int) *problem {
	return &problem{feature.CodeTooLarge, fmt.Sprintf("%d bytes are more than %d", n, maxText)}
}

func (s *scanner) numberValue(t feature.Type) (feature.Value, *problem, error) {
	start := s.i
	integer, err := s.number()
	if err != nil {
		return feature.Null, nil, err
	}
	v, p := parseNumber(t, unsafe.String(&s.b[start], s.i-start), integer)
	return v, p, nil
}

const exactFloat64 = 1 << 53

func parseNumber(t feature.Type, token string, integer bool) (feature.Value, *problem) {
	switch t {
	case feature.Int32, feature.Int64, feature.Timestamp:
		bits := 64
		if t == feature.Int32 {
			bits = 32
		}
		n, err := strconv.ParseInt(token, 10, bits)
		switch {
		case !integer || errors.Is(err, strconv.ErrSyntax):
			return feature.Null, wrongType("want %s without point or exponent, got %s", wanted[t], token)
		case err != nil:
			return feature.Null, wrongType("%s does not fit %s", token, t)
		case t == feature.Int32:
			return feature.Int32Value(int32(n)), nil
		case t == feature.Int64:
			return feature.Int64Value(n), nil
		case n < minSecond || n > maxSecond:
			return feature.Null, wrongType("%s seconds are outside the years 1 to 9999; are they milliseconds?", token)
		}
		return feature.UnixSecondsValue(n), nil
	}
	return parseFloat(t, token, integer)
}

// The seconds of the years 1 and 9999, the ends of RFC 3339.
const (
	minSecond = -62135596800
	maxSecond = 253402300799
)

func parseFloat(t feature.Type, token string, integer bool) (feature.Value, *problem) {
	bits := 64
	if t == feature.Float32 {
		bits = 32
	}
	f, err := strconv.ParseFloat(token, bits)
	if err != nil || math.IsInf(f, 0) {
		return feature.Null, wrongType("%s does not fit %s", token, t)
	}
	if integer && math.Abs(f) >= 1<<24 && !exactInteger(t, token, f) {
		return feature.Null, wrongType("%s is not exact as %s; declare the feature int64 or string", token, t)
	}
	if t == feature.Float32 {
		return feature.Float32Value(float32(f)), nil
	}
	return feature.Float64Value(f), nil
}

// exactInteger reports whether f, of type t, is the whole number that token says
// and lies where every whole number has its own float64.
func exactInteger(t feature.Type, token string, f float64) bool {
	if math.Abs(f) > exactFloat64 {
		return false
	}
	n, err := strconv.ParseInt(token, 10, 64)
	return err == nil && n <= exactFloat64 && n >= -exactFloat64 && int64(f) == n
}

// namedNumber reads a float or timestamp that is written as a string.
func (s *scanner) namedNumber(t feature.Type) (feature.Value, *problem, error) {
	text, err := s.text()
	if err != nil {
		return feature.Null, nil, err
	}
	if t == feature.Timestamp {
		at, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			return feature.Null, wrongType("want %s, got %q", wanted[t], cut(text)), nil
		}
		return feature.TimestampValue(at), nil, nil
	}
	f, ok := namedFloats[text]
	switch {
	case !ok:
		return feature.Null, wrongType("want a number, NaN, Infinity or -Infinity, got the string %q", cut(text)), nil
	case t == feature.Float32:
		return feature.Float32Value(float32(f)), nil, nil
	}
	return feature.Float64Value(f), nil, nil
}

var namedFloats = map[string]float64{"NaN": math.NaN(), "Infinity": math.Inf(1), "-Infinity": math.Inf(-1)}

func (s *scanner) textValue(t feature.Type) (feature.Value, *problem, error) {
	text, err := s.text()
	if err != nil {
		return feature.Null, nil, err
	}
	if t == feature.String {
		if len(text) > maxText {
			return feature.Null, tooLong(len(text)), nil
		}
		return feature.StringValue(text), nil, nil
	}
	data, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || base64.StdEncoding.EncodedLen(len(data)) != len(text) {
		return feature.Null, wrongType("want a base64 string, got %q", cut(text)), nil
	}
	if len(data) > maxText {
		return feature.Null, tooLong(len(data)), nil
	}
	return feature.BytesValue(data), nil, nil
}

// listValue reads a list; a null element is a problem.
func (s *scanner) listValue(t feature.Type, c byte) (feature.Value, *problem, error) {
	if c != '[' {
		raw, err := s.skip()
		return feature.Null, wrongType("want a list, got %s", raw), err
	}
	var list []feature.Value
	var found *problem
	err := s.list(func() error {
		v, p, err := s.value(t.Elem())
		switch {
		case err != nil:
			return err
		case found != nil:
		case p != nil:
			found = &problem{p.reason, fmt.Sprintf("element %d: %s", len(list), p.text)}
		case v.IsNull():
			found = wrongType("element %d is null; leave it out", len(list))
		default:
			list = append(list, v)
		}
		return nil
	})
	if err != nil || found != nil {
		return feature.Null, found, err
	}
	return feature.ListValue(t.Elem(), list), nil, nil
}

// cut shortens a text that is shown to people.
func cut(text string) string { return fmt.Sprintf("%.64s", text) }
