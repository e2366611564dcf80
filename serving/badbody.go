package serving

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"sluice/feature"
	"sluice/internal/auth"
	"sluice/serving/refusal"
)

// misfit says what of a body that is JSON is not as it should be, by the error of its
// decoder.
func misfit(err error, hint string) *feature.Error {
	var kind *json.UnmarshalTypeError
	if !errors.As(err, &kind) {
		return refusal.Invalid(hint, "the body cannot be read: %s", refusal.Quoted(strings.TrimPrefix(err.Error(), "json: ")))
	}
	if kind.Field == "" {
		return refusal.Invalid(hint, "the body is of another kind than it should be: %s", refusal.Quoted(kind.Value))
	}
	return refusal.Invalid(hint, "member %s is of another kind than it should be: %s", refusal.Quoted(kind.Field), refusal.Quoted(kind.Value))
}

// noHTTP2 tells clients that speak HTTP/2 without having asked for it where that is spoken.
func noHTTP2(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != "PRI" {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Connection", "close")
		auth.WriteError(w, refusal.Invalid("speak HTTP/1.1 here; gRPC is at the address that listen.grpc names, port 6565 by default", "this port does not speak HTTP/2"))
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
		refuse(w, r, refusal.HTTP(http.StatusUnsupportedMediaType, refusal.Invalid("send it as it is, without Content-Encoding", "the body is in encoding %s, which is not undone here", refusal.Quoted(encoding))))
	})
}
