package serving

import (
	"errors"

	"sluice/feature"
)

// ParseJSON reads a JSON value as one of type t, as this package's doors do: null is
// feature.Null, bytes are base64, timestamps RFC 3339 or whole Unix seconds, floats also
// the strings NaN, Infinity and -Infinity; nothing else is converted from text. The error
// says what was wanted and given.
func ParseJSON(t feature.Type, raw []byte) (feature.Value, error) {
	if !wellFormed(raw) {
		return feature.Null, errors.New("no JSON in UTF-8")
	}
	return valueOf(t, trimmed(raw))
}

// AppendJSON appends v as the platform's own answers write it, so that ParseJSON reads it
// back; values of a list of floats that are no numbers excepted.
func AppendJSON(dst []byte, v feature.Value) []byte {
	return appendJSON(dst, feature.AppendValue(nil, v), v.Type(), ownStyle)
}
