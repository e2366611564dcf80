package serving

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"unicode/utf8"

	"sluice/feature"
	"sluice/internal/auth"
)

// notJSON says why body is not well formed, and where; hint says what to send.
func notJSON(body []byte, hint string) *feature.Error {
	if skipSpace(body, 0) == len(body) {
		return invalid(hint, "the body is empty")
	}
	for at := 0; at < len(body); {
		r, n := utf8.DecodeRune(body[at:])
		if r == utf8.RuneError && n == 1 {
			return invalid(hint, "the body is no JSON: it is no UTF-8 at byte %d", at)
		}
		at += n
	}
	var value json.RawMessage
	var syntax *json.SyntaxError
	err := json.Unmarshal(body, &value)
	switch {
	case !errors.As(err, &syntax):
	case strings.HasPrefix(err.Error(), "unexpected end"):
		return invalid(hint, "the body is no JSON: it ends too early")
	default:
		return invalid(hint, "the body is no JSON: %s, at byte %d", err.Error(), max(0, syntax.Offset-1))
	}
	return invalid(hint, "the body is no JSON")
}

// misfit says what of a body that is JSON is not as it should be, by the error of its
// decoder.
func misfit(err error, hint string) *feature.Error {
	var kind *json.UnmarshalTypeError
	if !errors.As(err, &kind) {
		return invalid(hint, "the body cannot be read: %s", quoted(strings.TrimPrefix(err.Error(), "json: ")))
	}
	if kind.Field == "" {
		return invalid(hint, "the body is of another kind than it should be: %s", quoted(kind.Value))
	}
	return invalid(hint, "member %s is of another kind than it should be: %s", quoted(kind.Field), quoted(kind.Value))
}

// encodedError is the answer to a body in an encoding.
type encodedError struct{ problem *feature.Error }

func (e *encodedError) Error() string { return e.problem.Message }

func (e *encodedError) Unwrap() error { return e.problem }

// HTTPStatus is what HTTP doors answer in place of the code's own status.
func (e *encodedError) HTTPStatus() int { return http.StatusUnsupportedMediaType }

// noHTTP2 tells clients that speak HTTP/2 without having asked for it where that is spoken.
func noHTTP2(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != "PRI" {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Connection", "close")
		auth.WriteError(w, invalid("speak HTTP/1.1 here; gRPC is at the address that listen.grpc names, port 6565 by default", "this port does not speak HTTP/2"))
	})
}

// plainBodies refuses bodies that are compressed: nobody here would undo it, and where
// writes are appended as they stand they would become dead letters.
func plainBodies(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		encoding := r.Header.Get("Content-Encoding")
		if encoding == "" || strings.EqualFold(encoding, "identity") {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Accept-Encoding", "identity")
		refuse(w, r, &encodedError{invalid("send it as it is, without Content-Encoding", "the body is in encoding %s, which is not undone here", quoted(encoding))})
	})
}
