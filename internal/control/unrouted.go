package control

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"sluice/feature"
)

// elsewhere is the paths that other packages answer on the same mux. They are
// only named where the mux answers them.
var elsewhere = []string{
	"/api/v1/views/{view}/rows",
	"/get-online-features", "/push", "/write-to-online-store", "/materialize", "/health",
	"/healthz", "/ready", "/metrics",
}

// unrouted answers a path or a method that nothing else answers.
func (a *API) unrouted(mux *http.ServeMux, w http.ResponseWriter, r *http.Request) {
	if allowed := allowedAt(mux, r); len(allowed) > 0 {
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		a.fail(w, r, &statusError{http.StatusMethodNotAllowed, &feature.Error{
			Code: feature.CodeInvalidArgument, Message: fmt.Sprintf("%s is not answered at %s", clip(r.Method), clip(r.URL.Path)),
			Hint: "use " + strings.Join(allowed, " or "),
		}})
		return
	}
	hint := "the API lies below /api/v1; `sluice doctor` looks at the server"
	if near := a.nearestPath(mux, r); near != "" {
		hint = "did you mean " + near + "?"
	}
	a.fail(w, r, &statusError{http.StatusNotFound, &feature.Error{
		Code: feature.CodeInvalidArgument, Message: fmt.Sprintf("there is nothing at %s", clip(r.URL.Path)), Hint: hint,
	}})
}

// allowedAt returns the methods that mux answers at the path of r.
func allowedAt(mux *http.ServeMux, r *http.Request) (allowed []string) {
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
		if answers(mux, r, method, r.URL.Path) {
			allowed = append(allowed, method)
		}
	}
	return allowed
}

// answers reports whether mux has a handler for a method and path, other than the
// one for what nothing answers. A pattern without a method is another package's
// refusal of the wrong ones.
func answers(mux *http.ServeMux, r *http.Request, method, path string) bool {
	_, pattern := mux.Handler(&http.Request{Method: method, Host: r.Host, URL: &url.URL{Path: path}})
	return strings.Contains(pattern, " ")
}

// nearestPath returns the path that the one of r was most likely meant to be, with
// its names filled in; empty if none is near.
func (a *API) nearestPath(mux *http.ServeMux, r *http.Request) string {
	asked := r.URL.Path
	for _, prefix := range []string{"/api/v1", "/api", "/v1"} {
		if rest, cut := strings.CutPrefix(asked, prefix+"/"); cut {
			asked = "/" + rest
			break
		}
	}
	paths := slices.Clone(elsewhere)
	for _, route := range a.Routes() {
		paths = append(paths, route.Path)
	}
	var known []string
	full := map[string]string{}
	for _, path := range paths {
		rest, ofAPI := strings.CutPrefix(path, "/api/v1")
		short := filled(rest, asked)
		if full[short] != "" || short == "" {
			continue
		}
		known, full[short] = append(known, short), short
		if ofAPI {
			full[short] = "/api/v1" + short
		}
	}
	near := full[feature.Nearest(asked, known)]
	if near == "" || !answers(mux, r, http.MethodGet, near) && !answers(mux, r, http.MethodPost, near) {
		return ""
	}
	return (&url.URL{Path: near}).EscapedPath()
}

// filled returns a route's path with the names that the path asked for has in
// their places; empty if that has more parts, or fewer.
func filled(route, asked string) string {
	want, got := strings.Split(route, "/"), strings.Split(strings.TrimSuffix(asked, "/"), "/")
	if !strings.Contains(route, "{") {
		return route
	}
	if len(want) != len(got) {
		return ""
	}
	for i := range want {
		if strings.HasPrefix(want[i], "{") {
			want[i] = got[i]
		}
	}
	return strings.Join(want, "/")
}
