package jsonform

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"sluice/feature"
	"sluice/serving/refusal"
)

// MaxText is the longest string, bytes or json value that a request may bring, in bytes.
const MaxText = 64 << 10

// The Unix seconds of the years 1 and 9999, the ends of RFC 3339: the least and the greatest
// timestamp that a request may bring.
const (
	MinSecond = -62135596800
	MaxSecond = 253402300799
)

// ValueOf reads a JSON value as one of type t; null is feature.Null. Integers are
// written without point or exponent, bytes in base64, timestamps as RFC 3339 or
// whole Unix seconds, and floats also as NaN, Infinity and -Infinity in quotes.
// Nothing else is converted from text. The error says what was wanted and given.
func ValueOf(t feature.Type, raw []byte) (feature.Value, error) {
	first := raw[0]
	switch {
	case first == 'n':
		return feature.Null, nil
	case t.IsList() && first == '[':
		return listOf(t, raw)
	case t == feature.JSON:
		return JSONOf(raw)
	case first == '"' && t == feature.String:
		return StringOf(Text(raw))
	case first == '"' && t == feature.Bytes:
		return bytesOf(Text(raw))
	case first == '"' && t == feature.Timestamp:
		return timeOf(Text(raw))
	case first == '"' && t.Float():
		return namedFloat(t, Text(raw))
	case (first == 't' || first == 'f') && t == feature.Bool:
		return feature.BoolValue(first == 't'), nil
	case first == '-' || '0' <= first && first <= '9':
		return numberOf(t, string(raw))
	}
	return feature.Null, fmt.Errorf("%s where %s is declared", Kind(raw), t)
}

func listOf(t feature.Type, raw []byte) (feature.Value, error) {
	list := []feature.Value{}
	for i, item := range Elements(raw) {
		v, err := ValueOf(t.Elem(), item)
		if err == nil && v.IsNull() {
			err = errors.New("null in a list")
		}
		if err != nil {
			return feature.Null, fmt.Errorf("element %d: %w", i, err)
		}
		list = append(list, v)
	}
	return feature.ListValue(t.Elem(), list), nil
}

// JSONOf reads well-formed JSON as a value of type json, without the space in it; the error
// is that it is longer than MaxText.
func JSONOf(raw []byte) (feature.Value, error) {
	var compact bytes.Buffer
	if err := json.Compact(&compact, raw); err != nil {
		return feature.Null, fmt.Errorf("compact: %w", err)
	}
	if compact.Len() > MaxText {
		return feature.Null, TooLong(compact.Len())
	}
	return feature.JSONValue(compact.String()), nil
}

// StringOf returns text as a value; the error is that it is longer than MaxText.
func StringOf(text string) (feature.Value, error) {
	if len(text) > MaxText {
		return feature.Null, TooLong(len(text))
	}
	return feature.StringValue(text), nil
}

// TooLong is the error of a text of n bytes that is longer than MaxText.
func TooLong(n int) error { return fmt.Errorf("%d bytes, more than %d", n, MaxText) }

func bytesOf(text string) (feature.Value, error) {
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || base64.StdEncoding.EncodedLen(len(b)) != len(text) {
		return feature.Null, errors.New("a string that is no base64 where bytes is declared")
	}
	if len(b) > MaxText {
		return feature.Null, TooLong(len(b))
	}
	return feature.BytesValue(b), nil
}

func timeOf(text string) (feature.Value, error) {
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return feature.Null, fmt.Errorf("%s where timestamp is declared; write RFC 3339 or whole Unix seconds", refusal.Quoted(text))
	}
	return feature.TimestampValue(at), nil
}

var namedFloats = map[string]float64{"NaN": math.NaN(), "Infinity": math.Inf(1), "-Infinity": math.Inf(-1)}

func namedFloat(t feature.Type, text string) (feature.Value, error) {
	f, ok := namedFloats[text]
	switch {
	case !ok:
		return feature.Null, fmt.Errorf("the string %s where %s is declared", refusal.Quoted(text), t)
	case t == feature.Float32:
		return feature.Float32Value(float32(f)), nil
	}
	return feature.Float64Value(f), nil
}

func numberOf(t feature.Type, token string) (feature.Value, error) {
	switch t {
	case feature.Int32, feature.Int64, feature.Timestamp:
		return integerOf(t, token)
	case feature.Float32, feature.Float64:
		return floatOf(t, token)
	}
	return feature.Null, fmt.Errorf("a number where %s is declared", t)
}

func integerOf(t feature.Type, token string) (feature.Value, error) {
	bits := 64
	if t == feature.Int32 {
		bits = 32
	}
	n, err := strconv.ParseInt(token, 10, bits)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return feature.Null, fmt.Errorf("%.64s is outside %s", token, t)
	case err != nil:
		return feature.Null, fmt.Errorf("%.64s where %s is declared; write it without point or exponent", token, t)
	case t == feature.Int32:
		return feature.Int32Value(int32(n)), nil
	case t == feature.Int64:
		return feature.Int64Value(n), nil
	case n < MinSecond || n > MaxSecond:
		return feature.Null, fmt.Errorf("%s seconds are outside the years 1 to 9999; are they milliseconds?", token)
	}
	return feature.UnixSecondsValue(n), nil
}

// floatOf refuses what the type cannot hold: an overflow, and a whole number,
// written as one, that would come out as another.
func floatOf(t feature.Type, token string) (feature.Value, error) {
	bits := 64
	if t == feature.Float32 {
		bits = 32
	}
	f, err := strconv.ParseFloat(token, bits)
	if err != nil {
		return feature.Null, fmt.Errorf("%.64s does not fit %s", token, t)
	}
	if math.Abs(f) > 1<<24 && !strings.ContainsAny(token, ".eE") {
		if n, err := strconv.ParseInt(token, 10, 64); err != nil || n > 1<<53 || n < -1<<53 || int64(f) != n {
			return feature.Null, fmt.Errorf("%.64s is not exact as %s", token, t)
		}
	}
	if t == feature.Float32 {
		return feature.Float32Value(float32(f)), nil
	}
	return feature.Float64Value(f), nil
}

// AppendKey appends the serialized value of a join key.
func AppendKey(dst []byte, t feature.Type, raw []byte) ([]byte, error) {
	v, err := viewOf(t, raw)
	switch {
	case err != nil:
		return dst, err
	case v.IsNull():
		return dst, refusal.ErrNullKey
	case t.Float() && math.IsNaN(v.Float()):
		return dst, refusal.ErrNaNKey
	}
	return feature.AppendValue(dst, v), nil
}

// viewOf is ValueOf, but a text without escapes or a number is not copied: the value is to
// be used before raw changes. There is one for each entity of a request.
func viewOf(t feature.Type, raw []byte) (feature.Value, error) {
	switch first := raw[0]; {
	case first == '"' && t == feature.String && bytes.IndexByte(raw, '\\') < 0:
		return StringOf(unsafe.String(&raw[1], len(raw)-2))
	case first == '-' || '0' <= first && first <= '9':
		return numberOf(t, unsafe.String(&raw[0], len(raw)))
	}
	return ValueOf(t, raw)
}
