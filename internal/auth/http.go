package auth

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"sluice/feature"
)

// Authorize returns who holds token if that one may do what needs role need; the
// error is a *feature.Error. (*Tokens).Authorize is one.
type Authorize func(token string, need Role) (name string, err error)

type nameKey struct{}

// Name returns who makes the request of ctx; Anonymous if nobody said.
func Name(ctx context.Context) string {
	if name, ok := ctx.Value(nameKey{}).(string); ok {
		return name
	}
	return Anonymous
}

// WithName returns a context whose Name is name.
func WithName(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, nameKey{}, name)
}

// Bearer returns the token of an Authorization header; empty if it holds none.
func Bearer(header string) string {
	scheme, token, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// Require lets through to next the requests that may do what needs role need,
// with Name set, and answers the others with 401 or 403. A nil authorize lets
// everything through.
func Require(authorize Authorize, need Role, next http.Handler) http.Handler {
	return RequireOr(authorize, need, next, WriteError)
}

// RequireOr is Require where refuse answers the others.
func RequireOr(authorize Authorize, need Role, next http.Handler, refuse func(http.ResponseWriter, error)) http.Handler {
	if authorize == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, err := authorize(Bearer(r.Header.Get("Authorization")), need)
		if err != nil {
			refuse(w, err)
			return
		}
		if name != Anonymous {
			r = r.WithContext(WithName(r.Context(), name))
		}
		next.ServeHTTP(w, r)
	})
}

// Challenge sets the header that goes with 401.
func Challenge(w http.ResponseWriter) { w.Header().Set("WWW-Authenticate", `Bearer realm="sluice"`) }

// HTTPStatus returns the status of err, in which known was found: what err says itself by
// a method HTTPStatus, or that of the code.
func HTTPStatus(err error, known *feature.Error) int {
	var own interface{ HTTPStatus() int }
	if errors.As(err, &own) {
		return own.HTTPStatus()
	}
	return known.Code.HTTPStatus()
}

// WriteError answers err in the contract's shape. An error that is no
// *feature.Error is answered as 500 without its text, which is not the client's.
func WriteError(w http.ResponseWriter, err error) {
	status, body := http.StatusInternalServerError, &feature.Error{Code: "internal", Message: "internal error", Hint: "see the server's log"}
	var known *feature.Error
	if errors.As(err, &known) {
		status, body = HTTPStatus(err, known), known
	}
	if status == http.StatusUnauthorized {
		Challenge(w)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	type fields struct {
		Code    feature.Code `json:"code"`
		Message string       `json:"message"`
		Hint    string       `json:"hint"`
	}
	// The client may be gone; there is nobody else to tell.
	_ = json.NewEncoder(w).Encode(map[string]fields{"error": fields(*body)})
}
