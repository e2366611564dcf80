package jsonform

import (
	"errors"

	"sluice/feature"
)

// Parse reads a JSON value as one of type t, as the doors of serving do: null is
// feature.Null, bytes are base64, timestamps RFC 3339 or whole Unix seconds, floats also
// the strings NaN, Infinity and -Infinity; nothing else is converted from text. The error
// says what was wanted and given.
func Parse(t feature.Type, raw []byte) (feature.Value, error) {
	if !WellFormed(raw) {
		return feature.Null, errors.New("no JSON in UTF-8")
	}
	return ValueOf(t, Trimmed(raw))
}

// AppendValue appends v as the platform's own answers write it, so that Parse reads it
// back; values of a list of floats that are no numbers excepted.
func AppendValue(dst []byte, v feature.Value) []byte {
	return Append(dst, feature.AppendValue(nil, v), v.Type(), Own)
}
