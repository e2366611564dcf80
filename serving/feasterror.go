package serving

import (
	"encoding/json"
	"errors"
	"net/http"

	"google.golang.org/grpc/status"

	"sluice/feature"
	"sluice/internal/auth"
	"sluice/serving/jsonform"
	"sluice/serving/refusal"
)

// feastClasses are the exceptions that Feast's SDK raises again from an answer.
// Each can be made from a message alone.
var feastClasses = map[feature.Code]string{
	feature.CodeUnknownView:     "FeatureViewNotFoundException",
	feature.CodeUnknownService:  "FeatureServiceNotFoundException",
	feature.CodeUnknownFeature:  "FeastObjectNotFoundException",
	feature.CodeUnauthenticated: "FeastPermissionError",
	feature.CodeForbidden:       "FeastPermissionError",
	feature.CodeUnavailable:     "FeastError",
}

// feastError is an error that Feast has a class and a status of its own for.
type feastError struct {
	class  string // in feast.errors
	status int
	error
}

func (f feastError) Unwrap() error { return f.error }

// noPushSource gives a view that is not defined the error that Feast has for what
// is pushed to.
func noPushSource(err error) error {
	if errors.Is(err, &feature.Error{Code: feature.CodeUnknownView}) {
		return feastError{"PushSourceNotFoundException", http.StatusUnprocessableEntity, err}
	}
	return err
}

// noPushSourceGRPC is noPushSource where Feast's server has no class: it answers
// InvalidArgument.
func noPushSourceGRPC(err error) error {
	var known *feature.Error
	if errors.As(err, &known) && known.Code == feature.CodeUnknownView {
		return refusal.Invalid(known.Hint, "%s", known.Message)
	}
	return err
}

// writeFeastError answers err as Feast's Python server does: a string that holds
// JSON where the SDK raises the exception again, and otherwise a list of details.
// A client's mistake is 404, 413 or 422, never what the SDK would retry; 429 is a request
// that was shed, which it retries after Retry-After.
func writeFeastError(w http.ResponseWriter, err error) {
	var known *feature.Error
	if !errors.As(err, &known) {
		known = &feature.Error{Code: feature.CodeUnavailable, Message: "the request was given up", Hint: "see the server's log"}
	}
	text := known.Message
	if known.Hint != "" {
		text += " (" + known.Hint + ")"
	}
	code := auth.HTTPStatus(err, known)
	if code == http.StatusUnauthorized {
		auth.Challenge(w)
	}
	if away := (*notOnline)(nil); errors.As(err, &away) {
		writeJSON(w, http.StatusConflict, map[string]any{"error": text, "feature_views": []string{away.view}})
		return
	}
	if own := (feastError{}); errors.As(err, &own) {
		writeJSON(w, own.status, feastException(own.class, text))
		return
	}
	if class, ok := feastClasses[known.Code]; ok {
		writeJSON(w, code, feastException(class, text))
		return
	}
	if code == http.StatusBadRequest {
		code = http.StatusUnprocessableEntity
	}
	loc, where := []string{"body"}, refusal.Located{}
	if errors.As(err, &where) && where.Where != "body" {
		loc = append(loc, where.Where)
	}
	writeJSON(w, code, map[string]any{"detail": []any{map[string]any{
		"type": known.Code, "loc": loc, "msg": text, "input": nil,
	}}})
}

// feastException returns the text that the SDK takes apart, spaced as Python
// writes it.
func feastException(class, message string) string {
	text := []byte(`{"module": "feast.errors", "class": "` + class + `", "message": `)
	return string(append(jsonform.AppendString(text, message), '}'))
}

// feastRegistry is the beginning of the names of methods whose errors Feast's SDK
// takes apart, as it does those of HTTP.
const feastRegistry = "/feast.registry."

// feastGRPCError returns err as such a method answers it.
func feastGRPCError(err error) error {
	var known *feature.Error
	class := "FeastError"
	if errors.As(err, &known) && feastClasses[known.Code] != "" {
		class = feastClasses[known.Code]
	}
	return status.Error(refusal.GRPCCode(err), feastException(class, err.Error()))
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// The client may be gone; there is nobody else to tell.
	_ = json.NewEncoder(w).Encode(body)
}
