package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"sluice/api"
	"sluice/feature"
	"sluice/internal/auth"
	"sluice/internal/control"
	"sluice/internal/definition"
	"sluice/serving"
)

// computedYAML are computed features for the payments.
const computedYAML = `    context: {limit: float64, n: int64}
    computed:
      - {name: over, type: bool, expr: amount > limit, unit: yes or no, description: Is it beyond the limit}
      - {name: share, type: int64, expr: 1 / n}
`

const documentURL = "openapi.json"

// document is the OpenAPI document, with a compiler for the schemas in it.
type document struct {
	root     map[string]any
	compiler *jsonschema.Compiler
}

func newDocument(t *testing.T) *document {
	t.Helper()
	var read any
	if err := yaml.Unmarshal(api.OpenAPI(), &read); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(read)
	if err != nil {
		t.Fatal(err)
	}
	root, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	d := &document{root: root.(map[string]any), compiler: jsonschema.NewCompiler()}
	d.compiler.DefaultDraft(jsonschema.Draft2020)
	d.compiler.AssertFormat()
	if err := d.compiler.AddResource(documentURL, root); err != nil {
		t.Fatal(err)
	}
	return d
}

// at follows names from the root, through references, and returns what is there and
// where it stands; nil if nothing is.
func (d *document) at(names ...string) (node map[string]any, pointer []string) {
	node, pointer = d.root, nil
	for _, name := range names {
		next, ok := node[name].(map[string]any)
		if !ok {
			return nil, nil
		}
		node, pointer = next, append(slices.Clone(pointer), name)
		if ref, ok := node["$ref"].(string); ok {
			return d.at(append(strings.Split(strings.TrimPrefix(ref, "#/"), "/"), names[len(pointer):]...)...)
		}
	}
	return node, pointer
}

// operations returns the operation object of every "METHOD /path".
func (d *document) operations() map[string]map[string]any {
	all := map[string]map[string]any{}
	for path, item := range d.root["paths"].(map[string]any) {
		for method, op := range item.(map[string]any) {
			if method != "parameters" {
				all[strings.ToUpper(method)+" "+path] = op.(map[string]any)
			}
		}
	}
	return all
}

// schema compiles the schema of one media type of a response or request body.
func (d *document) schema(t *testing.T, names ...string) *jsonschema.Schema {
	t.Helper()
	_, pointer := d.at(names...)
	if pointer == nil {
		return nil
	}
	for i, name := range pointer {
		pointer[i] = strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(name)
	}
	schema, err := d.compiler.Compile(documentURL + "#/" + strings.Join(pointer, "/"))
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// operation splits "METHOD /path" into the names under which the document has it.
func operation(pattern string) []string {
	method, path, _ := strings.Cut(pattern, " ")
	return []string{"paths", path, strings.ToLower(method)}
}

func with(names []string, more ...string) []string { return append(slices.Clone(names), more...) }

// registered is every endpoint of the HTTP listener with the role that it needs.
func registered() map[string]auth.Role {
	all := map[string]auth.Role{"GET /healthz": 0, "GET /ready": 0, "GET /metrics": 0}
	maps.Copy(all, serving.Patterns())
	var a control.API
	for _, r := range a.Routes() {
		all[r.Method+" "+r.Path] = r.Need
	}
	return all
}

// TestOpenAPINamesEveryRoute compares the document with what is registered, both
// ways, and its roles with those that are asked for.
func TestOpenAPINamesEveryRoute(t *testing.T) {
	d := newDocument(t)
	operations, ids, routes := d.operations(), map[string]string{}, registered()
	for pattern, need := range routes {
		op, ok := operations[pattern]
		if !ok {
			t.Errorf("%s is registered, and the document lacks it", pattern)
			continue
		}
		role, _ := op["x-role"].(string)
		want := ""
		if need > 0 {
			want = need.String()
		}
		if role != want {
			t.Errorf("%s: x-role is %q, want %q", pattern, role, want)
		}
	}
	for pattern, op := range operations {
		if _, ok := routes[pattern]; !ok {
			t.Errorf("the document has %s, which is not registered", pattern)
		}
		id, _ := op["operationId"].(string)
		if other := ids[id]; id == "" || other != "" || op["summary"] == nil {
			t.Errorf("%s: operationId %q (also of %q) and summary %v; want one of its own and some", pattern, id, other, op["summary"])
		}
		ids[id] = pattern
		d.checkPathParameters(t, pattern)
	}
	reference := map[string]bool{}
	for _, r := range otherRoutes {
		reference[r.Method+" "+r.Path] = true
	}
	for pattern := range serving.Patterns() {
		if !reference[pattern] {
			t.Errorf("the reference page lacks %s", pattern)
		}
	}
}

// TestOpenAPINamesKeys finds every key of a definition in the schemas, which allow no
// other: a view that has one would not be what the document says.
func TestOpenAPINamesKeys(t *testing.T) {
	d := newDocument(t)
	for schema, form := range map[string]reflect.Type{
		"View": reflect.TypeFor[definition.ViewForm](), "Feature": reflect.TypeFor[definition.FeatureForm](), "Computed": reflect.TypeFor[feature.Computed](),
	} {
		for i := range form.NumField() {
			name, _, _ := strings.Cut(form.Field(i).Tag.Get("json"), ",")
			if node, _ := d.at("components", "schemas", schema, "properties", name); node == nil {
				t.Errorf("schema %s lacks %s", schema, name)
			}
		}
	}
}

// TestOpenAPINamesHeaders finds every header of reads and pushes in the document.
func TestOpenAPINamesHeaders(t *testing.T) {
	d := newDocument(t)
	for _, h := range serving.Headers() {
		if h.Answer {
			for _, kind := range []string{"Error", "FeastError"} {
				if node, _ := d.at("components", "responses", kind, "headers", h.Name); node == nil {
					t.Errorf("the document lacks header %s of answer %s", h.Name, kind)
				}
			}
			continue
		}
		operations := []string{"POST /api/v1/views/{view}/rows", "POST /api/v1/services/{service}/rows", "POST /api/v1/rows", "POST /get-online-features"}
		if h.Push {
			operations = []string{"POST /push", "POST /write-to-online-store"}
		}
		for _, of := range operations {
			item, _ := d.at(operation(of)[:2]...)
			list, _ := item["parameters"].([]any)
			found := slices.ContainsFunc(list, func(p any) bool {
				node, _ := d.at(strings.Split(strings.TrimPrefix(p.(map[string]any)["$ref"].(string), "#/"), "/")...)
				return node["name"] == h.Name && node["in"] == "header"
			})
			if !found {
				t.Errorf("the document lacks header %s of %s", h.Name, of)
			}
		}
	}
}

// checkPathParameters finds the parameters that a path names among those declared.
func (d *document) checkPathParameters(t *testing.T, pattern string) {
	t.Helper()
	names := operation(pattern)
	item, _ := d.at(names[:2]...)
	declared := map[string]bool{}
	list, _ := item["parameters"].([]any)
	for _, p := range list {
		node := p.(map[string]any)
		if ref, ok := node["$ref"].(string); ok {
			node, _ = d.at(strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
		}
		if node["in"] == "path" {
			declared["{"+node["name"].(string)+"}"] = true
		}
	}
	for part := range strings.SplitSeq(names[1], "/") {
		if strings.HasPrefix(part, "{") && !declared[part] {
			t.Errorf("%s: path parameter %s is not declared", pattern, part)
		}
		delete(declared, part)
	}
	if len(declared) > 0 {
		t.Errorf("%s declares path parameters %v, which it has not", pattern, slices.Collect(maps.Keys(declared)))
	}
}

// TestOpenAPIExamples holds every example against its own schema, wherever it stands.
func TestOpenAPIExamples(t *testing.T) {
	d := newDocument(t)
	seen := 0
	var walk func(node any, pointer []string)
	walk = func(node any, pointer []string) {
		switch n := node.(type) {
		case map[string]any:
			if example, ok := n["example"]; ok && n["schema"] != nil {
				seen++
				if err := d.schema(t, with(pointer, "schema")...).Validate(example); err != nil {
					t.Errorf("example of %v: %v", pointer, err)
				}
			}
			for name, child := range n {
				walk(child, with(pointer, name))
			}
		}
	}
	walk(d.root, nil)
	if seen < 15 {
		t.Errorf("%d examples, want 15 or more", seen)
	}
}

// openAPICase is a request to a running platform, with the operation that it is one
// of and the status that is to come.
type openAPICase struct {
	pattern, path, body string
	status              int
}

// TestOpenAPIDescribesAnswers asks a platform with data everything that the document
// describes, and holds what it gets, good and bad, against the schemas.
func TestOpenAPIDescribesAnswers(t *testing.T) {
	platform(t)
	dir := t.TempDir()
	for name, text := range map[string]string{"payments.yaml": strings.Replace(paymentsYAML, "    window:", computedYAML+"    window:", 1), "rules.yaml": "rules: []\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := session{t}
	s.run(0, "apply -f "+dir)
	for minute := range 4 {
		file := rows(t, dir, fmt.Sprintf("%d.jsonl", minute), minute, func(i int) float64 { return float64(10 + i%7) })
		s.run(0, "push payments "+file+" --seal --wait")
	}
	bad := rows(t, dir, "bad.jsonl", 4, func(int) float64 { return -1 })
	unreadable(t, bad)
	s.run(3, "push payments "+bad+" --seal --wait")

	d, answered, refused := newDocument(t), map[string]bool{}, map[string]bool{}
	for _, c := range openAPICases(t, d) {
		status := d.ask(t, c)
		if status < 400 {
			answered[c.pattern] = true
		} else {
			refused[c.pattern] = true
		}
	}
	for pattern, op := range d.operations() {
		responses := op["responses"].(map[string]any)
		if !answered[pattern] && responses["200"] != nil {
			t.Errorf("no case of this test gets an answer of %s", pattern)
		}
		if _, fails := responses["default"]; fails && !refused[pattern] && !slices.Contains(neverRefused, pattern) {
			t.Errorf("no case of this test is refused by %s", pattern)
		}
	}
}

// neverRefused are endpoints that take nothing that can be wrong.
var neverRefused = []string{"GET /api/v1/status", "GET /api/v1/accounting", "GET /api/v1/clock", "GET /api/v1/rules/check"}

// openAPICases lists at least one request a operation that is answered, and one that
// is refused.
func openAPICases(t *testing.T, d *document) []openAPICase {
	t.Helper()
	var verdicts struct {
		Items []struct {
			ID string `json:"id"`
		} `json:"items"`
	}
	var letters struct {
		Items []struct {
			Topic             string `json:"topic"`
			Partition, Offset int64
		} `json:"items"`
	}
	fetchJSON(t, "/api/v1/views/payments/verdicts", &verdicts)
	fetchJSON(t, "/api/v1/deadletters", &letters)
	if len(verdicts.Items) == 0 || len(letters.Items) == 0 {
		t.Fatalf("%d verdicts, %d dead letters; want some of each", len(verdicts.Items), len(letters.Items))
	}
	verdict, letter := "/api/v1/verdicts/"+verdicts.Items[0].ID, letters.Items[0]
	place := fmt.Sprintf("/api/v1/deadletters/%s/%d/%d", letter.Topic, letter.Partition, letter.Offset)
	const view, views = "/api/v1/views/payments", "/api/v1/views/{view}"
	files := `{"files":[{"name":"more.yaml","text":"views: [{name: more, entities: [user], features: [{name: x, type: json}]}]"}],"add":true}`
	key := `{"user":"001","card":1}`
	return append([]openAPICase{
		{"GET /api/v1/views", "/api/v1/views?limit=1", "", 200},
		{"GET /api/v1/views", "/api/v1/views?limit=x", "", 400},
		{"GET " + views, view, "", 200},
		{"GET " + views, "/api/v1/views/payment", "", 404},
		{"POST " + views + "/rows", view + "/rows", `{"keys":[` + key + `,{"user":"nobody","card":1}],"policy":"flag"}`, 200},
		{"POST " + views + "/rows", view + "/rows", `{"keys":[{"user":1,"card":1}]}`, 400},
		{"POST " + views + "/rows", view + "/rows", `{"keys":[` + key + `],"features":["amuont"]}`, 404},
		{"POST " + views + "/writes", view + "/writes", `{"user":"a","card":1,"event_time":"2024-01-01T00:09:00Z","amount":1,"country":"DE"}`, 200},
		{"POST " + views + "/writes", "/api/v1/views/nothing/writes", `{}`, 404},
		{"POST " + views + "/watermark", view + "/watermark", `{"watermark":"2024-01-01T00:05:10Z"}`, 200},
		{"POST " + views + "/watermark", view + "/watermark", `{}`, 400},
		{"GET " + views + "/versions", view + "/versions", "", 200},
		{"GET " + views + "/versions", view + "/versions?after=x", "", 400},
		{"GET " + views + "/windows", view + "/windows", "", 200},
		{"GET " + views + "/windows", view + "/windows?start=2030-01-01T00:00:00Z&wait=1ms", "", 408},
		{"GET " + views + "/verdicts", view + "/verdicts", "", 200},
		{"GET " + views + "/verdicts", view + "/verdicts?wait=never", "", 400},
		{"GET " + views + "/features/{feature}/history", view + "/features/amount/history", "", 200},
		{"GET " + views + "/features/{feature}/history", view + "/features/x/history", "", 404},
		{"GET " + views + "/baseline", view + "/baseline", "", 200},
		{"GET " + views + "/baseline", "/api/v1/views/x/baseline", "", 404},
		{"POST " + views + "/baseline/{what}", view + "/baseline/set", `{"version":1,"reason":"a good one"}`, 200},
		{"POST " + views + "/baseline/{what}", view + "/baseline/get", `{}`, 404},
		{"GET " + views + "/baseline/history", view + "/baseline/history", "", 200},
		{"GET " + views + "/baseline/history", "/api/v1/views/x/baseline/history", "", 404},
		{"POST " + views + "/actions/{action}", view + "/actions/freeze", `{"reason":"looking"}`, 200},
		{"POST " + views + "/actions/{action}", view + "/actions/thaw", `{"reason":"seen"}`, 200},
		{"POST " + views + "/actions/{action}", view + "/actions/rollback", `{"version":1,"reason":"x"}`, 409},
		{"GET /api/v1/verdicts/{id}", verdict, "", 200},
		{"GET /api/v1/verdicts/{id}", "/api/v1/verdicts/none", "", 404},
		{"POST /api/v1/verdicts/{id}/verify", verdict + "/verify", "", 200},
		{"POST /api/v1/verdicts/{id}/verify", "/api/v1/verdicts/none/verify", "", 404},
		{"GET /api/v1/status", "/api/v1/status", "", 200},
		{"GET /api/v1/accounting", "/api/v1/accounting", "", 200},
		{"GET /api/v1/audit", "/api/v1/audit", "", 200},
		{"GET /api/v1/audit", "/api/v1/audit?limit=0", "", 400},
		{"GET /api/v1/alerts", "/api/v1/alerts", "", 200},
		{"GET /api/v1/alerts", "/api/v1/alerts?after=x", "", 400},
		{"GET /api/v1/deadletters", "/api/v1/deadletters?limit=3", "", 200},
		{"GET /api/v1/deadletters", "/api/v1/deadletters?since=today", "", 400},
		{"GET /api/v1/deadletters/{topic}/{partition}/{offset}", place, "", 200},
		{"GET /api/v1/deadletters/{topic}/{partition}/{offset}", "/api/v1/deadletters/x/y/z", "", 400},
		{"POST /api/v1/deadletters/replay", "/api/v1/deadletters/replay", `{"all":true,"dry_run":true}`, 200},
		{"POST /api/v1/deadletters/replay", "/api/v1/deadletters/replay", `{"reason":"x"}`, 400},
		{"GET /api/v1/clock", "/api/v1/clock", "", 200},
		{"POST /api/v1/clock", "/api/v1/clock", `{"now":"2024-01-01T01:00:00Z"}`, 200},
		{"POST /api/v1/clock", "/api/v1/clock", `{"now":"2023-01-01T01:00:00Z"}`, 409},
		{"POST /api/v1/plan", "/api/v1/plan", files, 200},
		{"POST /api/v1/plan", "/api/v1/plan", `{"files":[]}`, 400},
		{"POST /api/v1/apply", "/api/v1/apply", files, 200},
		{"POST /api/v1/apply", "/api/v1/apply", `{"files":[{"name":"x.yaml","text":"y"}]}`, 400},
		{"GET /api/v1/rules/check", "/api/v1/rules/check", "", 200},
		{"POST /api/v1/rules/check", "/api/v1/rules/check", `{"rules":"rules: [{name: p, view: \"*\", feature: amount, method: psi, threshold: 0.2, mode: warn}]"}`, 200},
		{"POST /api/v1/rules/check", "/api/v1/rules/check", `{"rules":"rules: [{name: p}]"}`, 400},
		{"POST /api/v1/rules/backtest", "/api/v1/rules/backtest", `{"days":30}`, 200},
		{"POST /api/v1/rules/backtest", "/api/v1/rules/backtest", `{"days":-1}`, 400},
		{"GET /api/v1/rules/ladder", "/api/v1/rules/ladder", "", 200},
		{"GET /api/v1/rules/ladder", "/api/v1/rules/ladder?days=x", "", 400},
		{"GET /api/v1/openapi.yaml", "/api/v1/openapi.yaml", "", 200},
		{"POST /get-online-features", "/get-online-features", `{"features":["payments:amount"],"entities":{"user":["001","x"],"card":[1,1]}}`, 200},
		{"POST /get-online-features", "/get-online-features", `{"features":["payment:amount"],"entities":{"user":["001"],"card":[1]}}`, 404},
		{"POST /push", "/push", `{"push_source_name":"payments","df":{"user":["a"],"card":[1],"event_time":["2024-01-01T00:09:00Z"],"amount":[1.5],"country":["DE"]}}`, 200},
		{"POST /push", "/push", `{"push_source_name":"x","df":{}}`, 422},
		{"POST /write-to-online-store", "/write-to-online-store", `{"feature_view_name":"payments","df":{"user":["a"],"card":[1],"event_time":["2024-01-01T00:09:00Z"],"amount":[1.5],"country":["DE"]}}`, 200},
		{"POST /write-to-online-store", "/write-to-online-store", `{"feature_view_name":"x","df":{}}`, 404},
		{"POST /materialize", "/materialize", `{"start_ts":"2024-01-01T00:00:00","end_ts":"2024-01-01T00:01:00","feature_views":["payments"]}`, 200},
		{"POST /materialize", "/materialize?async=true", `{"start_ts":"2024-01-01T00:00:00","end_ts":"2024-01-01T00:01:00"}`, 202},
		{"POST /materialize", "/materialize", `{"start_ts":"2024-01-01T00:00:00","end_ts":"2024-01-01T00:10:00"}`, 409}, // what was pushed above
		{"POST /materialize", "/materialize", `{"start_ts":"2023-01-01T00:00:00","end_ts":"2023-01-01T00:01:00"}`, 422},
		{"POST /materialize", "/materialize", `{"feature_views":["x"],"start_ts":"2024-01-01T00:00:00","end_ts":"2024-01-01T00:01:00"}`, 404},
		{"POST /materialize-incremental", "/materialize-incremental", `{"end_ts":"2024-01-01T00:01:00"}`, 200},
		{"POST /materialize-incremental", "/materialize-incremental", `{"end_ts":"2024-01-01T00:10:00"}`, 409},
		{"POST /materialize-incremental", "/materialize-incremental", `{`, 422},
		{"GET /health", "/health", "", 200},
		{"GET /healthz", "/healthz", "", 200},
		{"GET /ready", "/ready", "", 200},
		{"GET /metrics", "/metrics", "", 200},
	}, readCases...)
}

// readCases are those of the reads of several views at once.
var readCases = []openAPICase{
	{"GET /api/v1/services", "/api/v1/services", "", 200},
	{"GET /api/v1/services", "/api/v1/services?limit=x", "", 400},
	{"GET /api/v1/services/{service}", "/api/v1/services/fraud", "", 200},
	{"GET /api/v1/services/{service}", "/api/v1/services/fruad", "", 404},
	{"POST /api/v1/views/{view}/rows", "/api/v1/views/payments/rows", `{"keys":[{"user":"001","card":1}],"as_of_version":3}`, 200},
	{"POST /api/v1/views/{view}/rows", "/api/v1/views/payments/rows", `{"keys":[{"user":"001","card":1}],"as_of_version":99}`, 400},
	{"POST /api/v1/rows", "/api/v1/rows", `{"keys":[{"user":"001","card":1},{"user":"x","card":2}],"features":["payments:*"],"policy":"flag","as_of_versions":{"payments":4}}`, 200},
	{"POST /api/v1/rows", "/api/v1/rows", `{"keys":[{"user":"001","card":1}],"features":["payment:*"]}`, 404},
	{"POST /api/v1/rows/stream", "/api/v1/rows/stream", `{"keys":[{"user":"001","card":1},{"user":"x","card":2}],"features":["payments:amount"]}`, 200},
	{"POST /api/v1/rows/stream", "/api/v1/rows/stream", `{"keys":[],"features":["payments:amount"]}`, 400},
	{"POST /api/v1/services/{service}/rows", "/api/v1/services/fraud/rows", `{"keys":[{"user":"001","card":1}],"policy":"null"}`, 200},
	{"POST /api/v1/services/{service}/rows/stream", "/api/v1/services/fraud/rows/stream", `{"keys":[{"user":"001","card":1}],"policy":"flag"}`, 200},
	{"POST /api/v1/services/{service}/rows/stream", "/api/v1/services/fruad/rows/stream", `{"keys":[{"user":"001","card":1}]}`, 404},
	{"POST /api/v1/services/{service}/rows", "/api/v1/services/fraud/rows", `{"keys":[{"user":"001","card":1}],"context":{"limit":50}}`, 200},
	{"POST /api/v1/rows", "/api/v1/rows", `{"keys":[{"user":"001","card":1},{"user":"x","card":2}],"features":["payments:over","payments:share"],"context":[{"limit":5,"n":0},{"limit":null,"n":0}]}`, 200},
	{"POST /api/v1/rows", "/api/v1/rows", `{"keys":[{"user":"001","card":1}],"features":["payments:over"]}`, 400},
	{"POST /get-online-features", "/get-online-features", `{"features":["payments:over"],"entities":{"user":["001"],"card":[1]},"request_context":{"limit":[5]}}`, 200},
	{"POST /api/v1/services/{service}/rows", "/api/v1/services/fraud/rows", `{"keys":[{"user":"001"}]}`, 400},
	{"POST /api/v1/services/{service}/rows", "/api/v1/services/fruad/rows", `{"keys":[{"user":"001","card":1}]}`, 404},
}

// ask sends c's request and holds body and answer against the document.
func (d *document) ask(t *testing.T, c openAPICase) int {
	t.Helper()
	names := operation(c.pattern)
	method, _, _ := strings.Cut(c.pattern, " ")
	if op, _ := d.at(names...); op == nil {
		t.Errorf("the document lacks %s", c.pattern)
		return 0
	}
	request, err := http.NewRequestWithContext(t.Context(), method, os.Getenv("SLUICE_SERVER")+c.path, strings.NewReader(c.body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != c.status {
		t.Errorf("%s %s %.200s = %d %.300s, want %d", method, c.path, c.body, response.StatusCode, body, c.status)
		return response.StatusCode
	}
	if schema := d.schema(t, with(names, "requestBody", "content", "application/json", "schema")...); schema != nil && c.status < 400 && c.body != "" {
		conforms(t, schema, "request of "+c.pattern, []byte(c.body))
	}
	status := strconv.Itoa(response.StatusCode)
	if described, _ := d.at(with(names, "responses", status)...); described == nil {
		status = "default"
	}
	described, _ := d.at(with(names, "responses", status)...)
	if described == nil {
		t.Errorf("%s: the document has no answer of status %d", c.pattern, response.StatusCode)
		return response.StatusCode
	}
	content, _ := described["content"].(map[string]any)
	media, _, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if len(content) == 0 {
		return response.StatusCode
	}
	if content[media] == nil {
		t.Errorf("%s is answered as %q (%v), and the document has %v", c.pattern, media, err, slices.Collect(maps.Keys(content)))
		return response.StatusCode
	}
	schema := d.schema(t, with(names, "responses", status, "content", media, "schema")...)
	switch media {
	case "application/json":
		conforms(t, schema, c.pattern+" "+c.path, body)
	case "application/x-ndjson":
		for line := range bytes.Lines(body) {
			conforms(t, schema, c.pattern+" "+c.path, line)
		}
	}
	return response.StatusCode
}

func conforms(t *testing.T, schema *jsonschema.Schema, what string, text []byte) {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err == nil {
		err = schema.Validate(value)
	}
	if err != nil {
		t.Errorf("%s: %v\n%.600s", what, err, text)
	}
}

// fetchJSON reads the answer of a GET.
func fetchJSON(t *testing.T, path string, to any) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, os.Getenv("SLUICE_SERVER")+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(to); err != nil {
		t.Fatal(err)
	}
}
