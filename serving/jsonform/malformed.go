package jsonform

import (
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"

	"sluice/feature"
	"sluice/serving/refusal"
)

// Malformed says why body is not well formed, and where; hint says what to send.
func Malformed(body []byte, hint string) *feature.Error {
	if skipSpace(body, 0) == len(body) {
		return refusal.Invalid(hint, "the body is empty")
	}
	for at := 0; at < len(body); {
		r, n := utf8.DecodeRune(body[at:])
		if r == utf8.RuneError && n == 1 {
			return refusal.Invalid(hint, "the body is no JSON: it is no UTF-8 at byte %d", at)
		}
		at += n
	}
	var value json.RawMessage
	var syntax *json.SyntaxError
	err := json.Unmarshal(body, &value)
	switch {
	case !errors.As(err, &syntax):
	case strings.HasPrefix(err.Error(), "unexpected end"):
		return refusal.Invalid(hint, "the body is no JSON: it ends too early")
	default:
		return refusal.Invalid(hint, "the body is no JSON: %s, at byte %d", err.Error(), max(0, syntax.Offset-1))
	}
	return refusal.Invalid(hint, "the body is no JSON")
}
