package control

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"sluice/feature"
	"sluice/internal/auth"
)

// Limits of a request.
const (
	maxBody      = 1 << 20  // bytes of a request that is neither writes nor definitions
	maxFiles     = 16 << 20 // bytes of definitions
	defaultLimit = 1000     // items of a page
	maxLimit     = 10_000
	maxWait      = 5 * time.Minute
)

// decode reads the body into to, strictly: one JSON value, known keys only. An
// empty body leaves to as it is.
func decode(r *http.Request, limit int64, to any) error {
	body, err := readBody(r, limit)
	if err != nil || len(body) == 0 {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	err = dec.Decode(to)
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) && kind.Field != "" { // its own text names our types
		return invalid("send values of the kinds of the reference", "%s: %s does not fit", kind.Field, kind.Value)
	}
	if err != nil {
		return invalid("send one JSON object with the keys of the reference", "request: %v", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return invalid("send one JSON object", "request: more than one JSON value")
	}
	if name, written := cased(body, reflect.TypeOf(to)); name != "" {
		return invalid("send one JSON object with the keys of the reference", "request: unknown field %s: it is written %s", clip(name), written)
	}
	return nil
}

// cased returns a key of an object, or of an object in it, that encoding/json takes for one of
// to in another case, and how that is written; nothing if there is none.
func cased(value []byte, to reflect.Type) (name, written string) {
	for to.Kind() == reflect.Pointer {
		to = to.Elem()
	}
	var members map[string]json.RawMessage
	if to.Kind() != reflect.Struct || json.Unmarshal(value, &members) != nil {
		return "", "" // times are written as text, and lists of objects no request has
	}
	for _, field := range reflect.VisibleFields(to) {
		known, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		for name, member := range members {
			switch {
			case known == "":
			case name == known:
				if name, written := cased(member, field.Type); name != "" {
					return name, written
				}
			case strings.EqualFold(name, known):
				return name, known
			}
		}
	}
	return "", ""
}

// readBody reads a body of at most limit bytes.
func readBody(r *http.Request, limit int64) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	var large *http.MaxBytesError // of the server, whose limit may be the same
	if errors.As(err, &large) || int64(len(body)) > limit {
		return nil, &feature.Error{
			Code: feature.CodeTooLarge, Message: fmt.Sprintf("request of more than %d bytes", limit), Hint: "send it in parts",
		}
	}
	if err != nil {
		return nil, invalid("send the request again", "read request: %v", err)
	}
	return body, nil
}

// by returns who asks: the token's name, else what the request says, else
// anonymous.
func by(r *http.Request, said string) string {
	if name := auth.Name(r.Context()); name != auth.Anonymous || said == "" {
		return name
	}
	return said
}

// find returns the definitions in force and the view that the path names.
func (a *API) find(r *http.Request) (*feature.View, error) {
	defs, _, err := a.deps.Registry.Definitions(r.Context())
	if err != nil {
		return nil, fmt.Errorf("read definitions: %w", err)
	}
	return findView(&defs, r.PathValue("view"))
}

func findView(defs *feature.Definitions, name string) (*feature.View, error) {
	if v := defs.View(name); v != nil {
		return v, nil
	}
	known := make([]string, len(defs.Views))
	for i := range defs.Views {
		known[i] = defs.Views[i].Name
	}
	hint := "`sluice views` lists those there are"
	if near := feature.Nearest(name, known); near != "" {
		hint = "did you mean " + near + "?"
	}
	return nil, &feature.Error{Code: feature.CodeUnknownView, Message: "there is no view " + clip(name), Hint: hint}
}

func findFeature(v *feature.View, name string) error {
	if v.FeatureAt(name) >= 0 {
		return nil
	}
	known := make([]string, len(v.Features))
	for i := range v.Features {
		known[i] = v.Features[i].Name
	}
	hint := "`sluice views " + v.Name + "` lists its features"
	if near := feature.Nearest(name, known); near != "" {
		hint = "did you mean " + near + "?"
	}
	return &feature.Error{Code: feature.CodeUnknownFeature, Message: fmt.Sprintf("view %s has no feature %s", v.Name, clip(name)), Hint: hint}
}

// limitOf reads ?limit=.
func limitOf(r *http.Request) (int, error) {
	text := r.URL.Query().Get("limit")
	if text == "" {
		return defaultLimit, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxLimit {
		return 0, invalid(fmt.Sprintf("want 1 to %d", maxLimit), "limit %s", clip(text))
	}
	return n, nil
}

// numberOf reads a cursor or another query parameter that is a whole number; an
// absent one is 0.
func numberOf(r *http.Request, name string) (uint64, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return 0, invalid("pass what an answer gave as next, or leave it out", "%s %s", name, clip(text))
	}
	return n, nil
}

// wantsNot reports whether a query parameter says false; an absent one does not.
func wantsNot(r *http.Request, name string) (bool, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return false, nil
	}
	wants, err := strconv.ParseBool(text)
	if err != nil {
		return false, invalid("want true or false", "%s %s", name, clip(text))
	}
	return !wants, nil
}

// timeOf reads a query parameter that is a time; an absent one is zero.
func timeOf(r *http.Request, name string) (time.Time, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}, invalid("want an RFC 3339 time, such as 2013-01-01T05:00:00Z", "%s %s", name, clip(text))
	}
	return t.UTC(), nil
}

// waitOf reads ?wait=; an absent one is 0.
func waitOf(r *http.Request) (time.Duration, error) {
	text := r.URL.Query().Get("wait")
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d > maxWait {
		return 0, invalid(fmt.Sprintf("want a duration of at most %s, such as 30s", maxWait), "wait %s", clip(text))
	}
	return d, nil
}
