package main

import (
	"fmt"
	"strings"

	"sluice/internal/auth"
	"sluice/internal/control"
	"sluice/serving"
)

// otherRoutes are the endpoints of the HTTP listener that are not the control
// API's.
var otherRoutes = []control.Route{
	{Method: "POST", Path: "/api/v1/views/{view}/rows", Need: auth.Reader, Help: "Rows by key, with their provenance. `as_of_version` reads the past."},
	{Method: "POST", Path: "/api/v1/services/{service}/rows", Need: auth.Reader, Help: "Features of a service by key, with the provenance of each view."},
	{Method: "POST", Path: "/api/v1/rows", Need: auth.Reader, Help: "Likewise of a list of `view:feature`."},
	{Method: "POST", Path: "/api/v1/rows/stream", Need: auth.Reader, Help: "Likewise, of more rows than one read takes: JSON lines, a part each."},
	{Method: "POST", Path: "/api/v1/services/{service}/rows/stream", Need: auth.Reader, Help: "Likewise of a service."},
	{Method: "POST", Path: "/get-online-features", Need: auth.Reader, Help: "Feast's read."},
	{Method: "POST", Path: "/push", Need: auth.Writer, Help: "Feast's push; `push_source_name` is the view's name."},
	{Method: "POST", Path: "/write-to-online-store", Need: auth.Writer, Help: "Feast's write."},
	{Method: "POST", Path: "/materialize", Need: auth.Writer, Help: "Feast's materialize."},
	{Method: "POST", Path: "/materialize-incremental", Need: auth.Writer, Help: "Feast's incremental materialize."},
	{Method: "GET", Path: "/health", Help: "Feast's health."},
	{Method: "GET", Path: "/api/v1/openapi.yaml", Help: "This surface as an OpenAPI 3.1 document."},
	{Method: "GET", Path: "/healthz", Help: "The process lives."},
	{Method: "GET", Path: "/ready", Help: "It can work; else 503 and why not."},
	{Method: "GET", Path: "/metrics", Help: "Metrics, as Prometheus reads them."},
}

// apiReference returns the reference page of the HTTP endpoints and error codes.
func apiReference() string {
	var b strings.Builder
	b.WriteString("# HTTP\n\n" + generated)
	b.WriteString("Times are RFC 3339 in UTC. Lists are `{\"items\":[],\"next\":\"\"}` and take `after=`, which is the `next` of the page before, and `limit=`.\n" +
		"Where there is a tokens file, requests carry `Authorization: Bearer TOKEN` of at least the role.\n\n" +
		"| method and path | role | answer |\n| --- | --- | --- |\n")
	var api control.API
	for _, r := range append(api.Routes(), otherRoutes...) {
		role := ""
		if r.Need > 0 {
			role = r.Need.String()
		}
		fmt.Fprintf(&b, "| `%s %s` | %s | %s |\n", r.Method, r.Path, role, cell(r.Help))
	}
	b.WriteString("\n## Headers\n\nWhat reads and pushes know beside what every HTTP server does.\n\n| header | of | meaning |\n| --- | --- | --- |\n")
	for _, h := range serving.Headers() {
		of := "request"
		if h.Answer {
			of = "answer"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", h.Name, of, cell(h.Help))
	}
	b.WriteString("\n## Errors\n\nEvery door that speaks JSON answers errors as `{\"error\":{\"code\":\"\",\"message\":\"\",\"hint\":\"\"}}`; Feast's endpoints keep Feast's shape.\n" +
		"Dead letters give the same words as their reason.\n\n| code | status | meaning |\n| --- | --- | --- |\n")
	for _, c := range control.Codes() {
		fmt.Fprintf(&b, "| `%s` | %d | %s |\n", c.Code, c.Code.HTTPStatus(), c.Help)
	}
	return b.String()
}
