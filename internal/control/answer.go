package control

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"sluice/feature"
)

// list is the contract's form of a list. Items is never nil.
type list[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next"`
}

func listOf[T any](items []T, next string) list[T] {
	if items == nil {
		items = []T{}
	}
	return list[T]{items, next}
}

// statusError is an error of the contract with another status than its code's.
type statusError struct {
	status int
	err    *feature.Error
}

// Error returns the message.
func (e *statusError) Error() string { return e.err.Message }

// Unwrap returns the error of the contract.
func (e *statusError) Unwrap() error { return e.err }

func notFound(what, name, hint string) error {
	return &statusError{http.StatusNotFound, &feature.Error{
		Code: feature.CodeInvalidArgument, Message: fmt.Sprintf("%s %s: not found", what, clip(name)), Hint: hint,
	}}
}

func invalid(hint, format string, args ...any) error {
	return &feature.Error{Code: feature.CodeInvalidArgument, Message: fmt.Sprintf(format, args...), Hint: hint}
}

// clip quotes text of a request, cut to 100 bytes.
func clip(text string) string {
	if len(text) > 100 {
		text = text[:97] + "..."
	}
	return fmt.Sprintf("%q", text)
}

// serve turns a function of a request into a handler: what it returns is the
// answer, or the error.
func (a *API) serve(fn func(r *http.Request) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, err := fn(r)
		if err == nil {
			err = write(w, http.StatusOK, answer)
		}
		if err != nil {
			a.fail(w, r, err)
		}
	})
}

// write answers body as JSON. Nothing is sent if it cannot be encoded.
func write(w http.ResponseWriter, status int, body any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(body); err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // the client may be gone; there is nobody else to tell
	return nil
}

type errorFields struct {
	Code    feature.Code `json:"code"`
	Message string       `json:"message"`
	Hint    string       `json:"hint"`
}

// fail answers an error. One without a code of the contract is logged and
// answered without its text, which is not the client's.
func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil { // the process ends, or the client is gone and reads nothing
		err = &feature.Error{Code: feature.CodeUnavailable, Message: "the request was given up: the server is stopping", Hint: "ask again"}
	}
	known, status := explain(err)
	switch {
	case errors.Is(err, feature.ErrUnavailable) || errors.Is(err, feature.ErrUncertain):
		a.deps.Logger.Warn("request not answered: the registry, the log or the online store is not available", "method", r.Method, "path", r.URL.Path, "err", err)
	case known == nil:
		a.deps.Logger.Error("request not answered", "method", r.Method, "path", r.URL.Path, "err", err)
		known, status = &feature.Error{Code: codeInternal, Message: "internal error", Hint: "see the server's log"}, http.StatusInternalServerError
	}
	body := map[string]errorFields{"error": errorFields(*known)}
	_ = write(w, status, body) // three strings always encode
}

// explain returns the contract's error and status of err; nil if there is none.
func explain(err error) (*feature.Error, int) {
	var withStatus *statusError
	if errors.As(err, &withStatus) {
		return withStatus.err, withStatus.status
	}
	var known *feature.Error
	switch {
	case errors.As(err, &known):
		return known, known.Code.HTTPStatus()
	case errors.Is(err, feature.ErrConflict):
		known = &feature.Error{Code: feature.CodeConflict, Message: err.Error(), Hint: "somebody else changed it first: look again, and repeat"}
	case errors.Is(err, feature.ErrExpired):
		known = &feature.Error{Code: feature.CodeExpired, Message: err.Error(), Hint: "the log no longer holds these records"}
	case errors.Is(err, feature.ErrUncertain): // before the other: it may be both
		known = &feature.Error{Code: feature.CodeUnavailable, Message: "the registry was lost during the change, which may have been carried out", Hint: "look whether it was before you ask again"}
	case errors.Is(err, feature.ErrFull):
		known = &feature.Error{Code: feature.CodeUnavailable, Message: "the disk of the registry is full, and nothing was changed",
			Hint: "make room where the registry is (the data folder, or PostgreSQL's disk), and ask again; features can be read meanwhile. `sluice doctor` says how much is free"}
	case errors.Is(err, feature.ErrUnavailable):
		known = &feature.Error{Code: feature.CodeUnavailable, Message: "the registry or the log of writes does not answer", Hint: "ask again; features can be read meanwhile. The server's log has the error"}
	default:
		return nil, 0
	}
	return known, known.Code.HTTPStatus()
}
