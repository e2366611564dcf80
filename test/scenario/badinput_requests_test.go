package scenario

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// badRequest is a request that is the client's mistake.
type badRequest struct {
	method, path, body string
	status             int
	code               string // of the contract; for Feast, type or class
	says               string
}

func repeatJSON(item string, n int) string {
	return "[" + strings.TrimSuffix(strings.Repeat(item+",", n), ",") + "]"
}

// TestBadRequests sends what no client should. Every answer has the form of its
// door and a status of 4xx other than 429, and the server goes on working.
func TestBadRequests(t *testing.T) {
	h := openHouse(t)
	h.apply(badDefinitions)
	h.writes(t, "typed", cleanTyped(0)...)
	h.writes(t, "pair", `{"view":"pair","key":{"id":"a","n":9007199254740993},"event_time":"2026-05-01T00:01:00Z","values":{"v":1}}`)
	h.close(t, 0, "typed", "pair")
	h.verdictOf(t, "typed", 0)
	h.verdictOf(t, "pair", 0)
	before := h.counts(t)
	t.Run("api", func(t *testing.T) { h.badAPI(t) })
	t.Run("rows", func(t *testing.T) { h.badRows(t) })
	t.Run("feast", func(t *testing.T) { h.badFeast(t) })
	t.Run("grpc", func(t *testing.T) { h.badCalls(t) })
	t.Run("waits", func(t *testing.T) { h.waits(t) })
	t.Run("connections", func(t *testing.T) { h.badConnections(t) })
	if after := h.counts(t); after != before {
		t.Errorf("accounting after requests that were refused is %+v, want %+v as before", after, before)
	}
	t.Run("actions", func(t *testing.T) { h.badActions(t) })
	if a := h.call(http.MethodPost, "/api/v1/views/typed/rows", `{"keys":[{"id":"clean1"}]}`); a.status != 200 || !strings.Contains(a.body, "PRESENT") {
		t.Errorf("rows after all that: %s, want the row", a)
	}
	if a := h.call(http.MethodGet, "/ready", ""); a.status != 200 {
		t.Errorf("ready after all that: %s, want 200", a)
	}
}

// refuses holds the answers of the contract's doors against their cases.
func (h *house) refuses(t *testing.T, cases map[string]badRequest) {
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			a := h.call(tc.method, tc.path, tc.body)
			p, ok := a.problem()
			if !ok || a.status != tc.status || p.Code != tc.code || p.Hint == "" || !strings.Contains(p.Message+p.Hint, tc.says) {
				t.Errorf("%s %.100s %.200s: %s, want %d %s with a hint that says %q", tc.method, tc.path, tc.body, a, tc.status, tc.code, tc.says)
			}
			if strings.ContainsFunc(p.Message+p.Hint, func(r rune) bool { return r < ' ' && r != '\n' }) || len(p.Message) > 2000 {
				t.Errorf("%s %.100s: message %.300q has control characters or %d bytes", tc.method, tc.path, p.Message, len(p.Message))
			}
		})
	}
}

// badAPI sends bad paths, methods, parameters and bodies to the control API.
func (h *house) badAPI(t *testing.T) {
	const get, post, view = http.MethodGet, http.MethodPost, "/api/v1/views/typed"
	cases := map[string]badRequest{
		"unknown path":           {get, "/api/v1/nothing", "", 404, "invalid_argument", "/api/v1/nothing"},
		"path of nothing":        {get, "/nothing", "", 404, "invalid_argument", "/nothing"},
		"root":                   {get, "/", "", 404, "invalid_argument", "/api/v1"},
		"path without prefix":    {get, "/views/typed/verdicts", "", 404, "invalid_argument", "did you mean /api/v1/views/typed/verdicts?"},
		"nearly a path":          {get, "/redy", "", 404, "invalid_argument", "did you mean /ready?"},
		"wrong method outside":   {http.MethodPut, "/metrics", "", 405, "invalid_argument", "use GET"},
		"hostile path":           {get, "/api/v1/%1b%5b2J%00", "", 404, "invalid_argument", ""},
		"very long path":         {get, "/api/v1/" + strings.Repeat("x", 8000), "", 404, "invalid_argument", ""},
		"wrong method":           {http.MethodDelete, view, "", 405, "invalid_argument", "GET"},
		"wrong method of writes": {get, view + "/writes", "", 405, "invalid_argument", "POST"},
		"unknown view":           {get, "/api/v1/views/typde", "", 404, "unknown_view", "typed"},
		"unknown feature":        {get, view + "/features/f640/history", "", 404, "unknown_feature", "f64"},
		"from garbage":           {get, view + "/features/f64/history?from=soon", "", 400, "invalid_argument", "from"},
		"from after to":          {get, view + "/features/f64/history?from=2026-05-02T00:00:00Z&to=2026-05-01T00:00:00Z", "", 400, "invalid_argument", "from"},
		"unknown verdict":        {get, "/api/v1/verdicts/vd_none", "", 404, "invalid_argument", "vd_none"},
		"hostile verdict":        {get, "/api/v1/verdicts/%27%20OR%201=1;--", "", 404, "invalid_argument", ""},
		"verify unknown verdict": {post, "/api/v1/verdicts/vd_none/verify", "", 404, "invalid_argument", "vd_none"},
		"start garbage":          {get, view + "/windows?start=monday", "", 400, "invalid_argument", "start"},
		"wait without unit":      {get, view + "/windows?wait=5", "", 400, "invalid_argument", "wait"},
		"wait negative":          {get, view + "/verdicts?wait=-1s", "", 400, "invalid_argument", "wait"},
		"wait too long":          {get, view + "/verdicts?wait=24h", "", 400, "invalid_argument", "5m"},
		"dead letter cursor":     {get, "/api/v1/deadletters?after=xyz", "", 400, "invalid_argument", "after"},
		"dead letter cursor < 0": {get, "/api/v1/deadletters?after=Wy0xXQ", "", 400, "invalid_argument", "after"},
		"dead letter unknown":    {get, "/api/v1/deadletters/sluice.writes/0/999999", "", 404, "invalid_argument", "999999"},
		"dead letter garbage":    {get, "/api/v1/deadletters/sluice.writes/x/y", "", 400, "invalid_argument", "partition"},
		"clock garbage":          {post, "/api/v1/clock", `{"now":"later"}`, 400, "invalid_argument", ""},
		"clock without time":     {post, "/api/v1/clock", `{}`, 400, "invalid_argument", "now"},
		"clock of year 9999":     {post, "/api/v1/clock", `{"now":"9999-01-01T00:00:00Z"}`, 400, "invalid_argument", ""},
		"clock of year 1900":     {post, "/api/v1/clock", `{"now":"1900-01-01T00:00:00Z"}`, 400, "invalid_argument", ""},
		"rules garbage":          {post, "/api/v1/rules/check", `{"rules":"rules: ["}`, 400, "invalid_argument", ""},
		"rules of unknown view":  {post, "/api/v1/rules/check", `{"rules":"rules:\n  - {name: r, view: typde, feature: f64, method: psi, threshold: 1}\n"}`, 400, "invalid_argument", "typed"},
		"body above 1 MiB":       {post, "/api/v1/clock", `{"now":"` + strings.Repeat("x", 2<<20) + `"}`, 413, "too_large", "1048576"},
	}
	for _, list := range []string{"/api/v1/views", view + "/versions", view + "/windows", view + "/verdicts", "/api/v1/audit", "/api/v1/alerts", "/api/v1/deadletters"} {
		for _, limit := range []string{"0", "-1", "x", "99999999999999999999", "10001"} {
			cases["limit "+limit+" of "+list] = badRequest{get, list + "?limit=" + limit, "", 400, "invalid_argument", "limit"}
		}
	}
	for _, list := range []string{view + "/versions", view + "/verdicts", "/api/v1/audit", "/api/v1/alerts"} {
		for _, after := range []string{"x", "-1", "1.5", "99999999999999999999"} {
			cases["cursor "+after+" of "+list] = badRequest{get, list + "?after=" + after, "", 400, "invalid_argument", "after"}
		}
	}
	cases["letters of a reason that is none"] = badRequest{get, "/api/v1/deadletters?reason=%27", "", 400, "invalid_argument", "reason"}
	h.refuses(t, cases)
	for name, path := range map[string]string{
		"window that is none":      view + "/windows?start=1999-01-01T00:00:00Z",
		"window of year 9999":      view + "/windows?start=9999-01-01T00:00:00Z",
		"cursor behind the end":    view + "/versions?after=999999999",
		"verdicts behind the end":  view + "/verdicts?after=999999999",
		"audit behind the end":     "/api/v1/audit?after=999999999",
		"letters behind the end":   "/api/v1/deadletters?after=Wzk5OTk5OTk5XQ",
		"letters of more than all": "/api/v1/deadletters?after=WzEsMSwxLDEsMSwxLDFd",
		"history of another time":  view + "/features/f64/history?from=1999-01-01T00:00:00Z&to=1999-01-02T00:00:00Z",
		"history of a far time":    view + "/features/f64/history?from=9998-01-01T00:00:00Z&to=9999-01-02T00:00:00Z",
		"history behind the end":   view + "/features/f64/history?after=2099-01-01T00:00:00Z",
		"letters of another view":  "/api/v1/deadletters?view=none",
	} {
		t.Run(name, func(t *testing.T) {
			a := h.call(get, path, "")
			var list struct {
				Items []json.RawMessage
				Next  *string
			}
			if err := json.Unmarshal([]byte(a.body), &list); err != nil || a.status != 200 || list.Items == nil || len(list.Items) != 0 || list.Next == nil {
				t.Errorf("%s: %s, want an empty list", path, a)
			}
		})
	}
	t.Run("history from ever to ever", func(t *testing.T) {
		if a := h.call(get, view+"/features/f64/history", ""); a.status != 200 || !strings.Contains(a.body, "2026-05-01T00:00:00Z") {
			t.Errorf("history: %s, want the window there is", a)
		}
	})
}

// badRows sends bad reads by key.
func (h *house) badRows(t *testing.T) {
	const path, pair = "/api/v1/views/typed/rows", "/api/v1/views/pair/rows"
	post := func(path, body string, status int, code, says string) badRequest {
		return badRequest{http.MethodPost, path, body, status, code, says}
	}
	h.refuses(t, map[string]badRequest{
		"wrong method":            {http.MethodGet, path, "", 405, "invalid_argument", "POST"},
		"empty":                   post(path, ``, 400, "invalid_argument", "keys"),
		"malformed":               post(path, `{"keys":[`, 400, "invalid_argument", "keys"),
		"trailing bytes":          post(path, `{"keys":[{"id":"a"}]}x`, 400, "invalid_argument", ""),
		"two values":              post(path, `{"keys":[{"id":"a"}]}{}`, 400, "invalid_argument", ""),
		"invalid UTF-8":           post(path, "{\"keys\":[{\"id\":\"\xff\"}]}", 400, "invalid_argument", "UTF-8"),
		"nested deeply":           post(path, `{"keys":`+nested(200_000)+`}`, 400, "invalid_argument", ""),
		"a list":                  post(path, `[]`, 400, "invalid_argument", ""),
		"unknown key":             post(path, `{"kyes":[{"id":"a"}]}`, 400, "invalid_argument", "kyes"),
		"no keys":                 post(path, `{}`, 400, "invalid_argument", "keys"),
		"no key in the list":      post(path, `{"keys":[]}`, 400, "invalid_argument", "keys"),
		"null as key":             post(path, `{"keys":[null]}`, 400, "invalid_argument", "id"),
		"1,001 entities":          post(path, `{"keys":`+repeatJSON(`{"id":"a"}`, 1001)+`}`, 413, "limit", "1000"),
		"501 features":            post(path, `{"keys":[{"id":"a"}],"features":`+repeatJSON(`"f64"`, 501)+`}`, 413, "limit", "500"),
		"feature twice":           post(path, `{"keys":[{"id":"a"}],"features":["f64","f64"]}`, 400, "invalid_argument", "f64"),
		"unknown feature":         post(path, `{"keys":[{"id":"a"}],"features":["f640"]}`, 404, "unknown_feature", "f64"),
		"every feature by a star": post(path, `{"keys":[{"id":"a"}],"features":["*"]}`, 404, "unknown_feature", ""),
		"feature is a number":     post(path, `{"keys":[{"id":"a"}],"features":[5]}`, 400, "invalid_argument", ""),
		"unknown view":            post("/api/v1/views/typde/rows", `{"keys":[{"id":"a"}]}`, 404, "unknown_view", "typed"),
		"unknown policy":          post(path, `{"keys":[{"id":"a"}],"policy":"guess"}`, 400, "invalid_argument", "guess"),
		"unknown join key":        post(path, `{"keys":[{"di":"a"}]}`, 400, "invalid_argument", "id"),
		"one join key too many":   post(path, `{"keys":[{"id":"a","n":1}]}`, 400, "invalid_argument", "id"),
		"one join key too few":    post(pair, `{"keys":[{"id":"a"}]}`, 400, "invalid_argument", "n"),
		"number for a string":     post(path, `{"keys":[{"id":"a"},{"id":7}]}`, 400, "type", "row 1"),
		"null for a string":       post(path, `{"keys":[{"id":null}]}`, 400, "type", "id"),
		"string for a number":     post(pair, `{"keys":[{"id":"a","n":"7"}]}`, 400, "type", "n"),
		"fraction for a number":   post(pair, `{"keys":[{"id":"a","n":7.5}]}`, 400, "type", "n"),
		"number beyond int64":     post(pair, `{"keys":[{"id":"a","n":9223372036854775808}]}`, 400, "type", "n"),
		"NaN":                     post(pair, `{"keys":[{"id":"a","n":NaN}]}`, 400, "invalid_argument", ""),
		"body above 4 MiB":        post(path, `{"keys":[{"id":"`+strings.Repeat("x", 5<<20)+`"}]}`, 413, "too_large", "4194304"),
	})
	a := h.call(http.MethodPost, pair, `{"keys":[{"id":"a","n":9007199254740993},{"id":"a","n":9007199254740992},{"id":"a","n":9007199254740993}]}`)
	if a.status != 200 || strings.Count(a.body, `"PRESENT"`) != 2 || strings.Count(a.body, `"NOT_FOUND"`) != 1 {
		t.Errorf("rows of neighbours beyond 2^53, one twice: %s, want the one that was written, twice", a)
	}
}

// badFeast sends bad reads and pushes to Feast's endpoints, which keep its form.
func (h *house) badFeast(t *testing.T) {
	const read, push, write = "/get-online-features", "/push", "/write-to-online-store"
	post := func(path, body string, status int, code, says string) badRequest {
		return badRequest{http.MethodPost, path, body, status, code, says}
	}
	entities := `"entities":{"id":["a"]}`
	frame := func(view, df string) string { return `{"push_source_name":"` + view + `","df":` + df + `}` }
	for name, tc := range map[string]badRequest{
		"wrong method":           {http.MethodGet, read, "", 405, "", ""},
		"wrong method of push":   {http.MethodPut, push, "", 405, "", ""},
		"malformed":              post(read, `{"features":`, 422, "invalid_argument", "JSON"),
		"a list":                 post(read, `[]`, 422, "invalid_argument", "object"),
		"nested deeply":          post(read, nested(200_000), 422, "invalid_argument", ""),
		"neither":                post(read, `{`+entities+`}`, 422, "invalid_argument", "feature_service"),
		"both":                   post(read, `{"features":["typed:f64"],"feature_service":"model",`+entities+`}`, 422, "invalid_argument", "both"),
		"no entities":            post(read, `{"features":["typed:f64"]}`, 422, "invalid_argument", "entities"),
		"entities a list":        post(read, `{"features":["typed:f64"],"entities":[]}`, 422, "invalid_argument", "entities"),
		"features no list":       post(read, `{"features":"typed:f64",`+entities+`}`, 422, "invalid_argument", "features"),
		"features empty":         post(read, `{"features":[],`+entities+`}`, 422, "invalid_argument", "features"),
		"feature a number":       post(read, `{"features":[1],`+entities+`}`, 422, "invalid_argument", "feature 0"),
		"feature of no view":     post(read, `{"features":["f64"],`+entities+`}`, 422, "invalid_argument", "view:feature"),
		"unknown view":           post(read, `{"features":["typde:f64"],`+entities+`}`, 404, "FeatureViewNotFoundException", "typed"),
		"unknown feature":        post(read, `{"features":["typed:f640"],`+entities+`}`, 404, "FeastObjectNotFoundException", "f64"),
		"unknown service":        post(read, `{"feature_service":"modle",`+entities+`}`, 404, "FeatureServiceNotFoundException", "model"),
		"1,001 entities":         post(read, `{"features":["typed:f64"],"entities":{"id":`+repeatJSON(`"a"`, 1001)+`}}`, 413, "limit", "1000"),
		"501 features":           post(read, `{"features":`+repeatJSON(`"typed:f64"`, 501)+`,`+entities+`}`, 413, "limit", "500"),
		"feature twice":          post(read, `{"features":["typed:f64","typed:f64"],`+entities+`}`, 422, "invalid_argument", "f64"),
		"columns of two sizes":   post(read, `{"features":["pair:v"],"entities":{"id":["a","b"],"n":[1]}}`, 422, "invalid_argument", ""),
		"wrong join key":         post(read, `{"features":["typed:f64"],"entities":{"di":["a"]}}`, 422, "invalid_argument", "id"),
		"wrong type":             post(read, `{"features":["typed:f64"],"entities":{"id":[5]}}`, 422, "type", "id"),
		"null entity":            post(read, `{"features":["typed:f64"],"entities":{"id":[null]}}`, 422, "type", "id"),
		"too large":              post(read, `{"features":["`+strings.Repeat("x", 5<<20)+`"],`+entities+`}`, 413, "too_large", "4194304"),
		"push malformed":         post(push, `{`, 422, "invalid_argument", "JSON"),
		"push nowhere":           post(push, `{"df":{}}`, 422, "invalid_argument", "push_source_name"),
		"push unknown view":      post(push, frame("typde", `{"id":["a"]}`), 422, "PushSourceNotFoundException", "typed"),
		"push no rows":           post(push, frame("typed", `{"id":[]}`), 422, "invalid_argument", "rows"),
		"push no df":             post(push, `{"push_source_name":"typed"}`, 422, "invalid_argument", "df"),
		"push no time":           post(push, frame("typed", `{"id":["a"],"f64":[1]}`), 422, "invalid_argument", "event times"),
		"push no key":            post(push, frame("typed", `{"f64":[1],"event_timestamp":["2026-05-01T00:00:00Z"]}`), 422, "invalid_argument", "id"),
		"push time garbage":      post(push, frame("typed", `{"id":["a"],"f64":[1],"event_timestamp":["soon"]}`), 422, "type", "soon"),
		"push time of 9999":      post(push, frame("typed", `{"id":["a"],"f64":[1],"event_timestamp":["9999-01-01T00:00:00Z"]}`), 422, "type", "9999"),
		"push wrong type":        post(push, frame("typed", `{"id":["a"],"f64":["1"],"event_timestamp":["2026-05-01T00:00:00Z"]}`), 422, "type", "f64"),
		"push overflow":          post(push, frame("typed", `{"id":["a"],"i32":[2147483648],"event_timestamp":["2026-05-01T00:00:00Z"]}`), 422, "type", "i32"),
		"push unknown column":    post(push, frame("typed", `{"id":["a"],"f640":[1],"event_timestamp":["2026-05-01T00:00:00Z"]}`), 404, "FeastObjectNotFoundException", "f64"),
		"push two sizes":         post(push, frame("typed", `{"id":["a","b"],"f64":[1],"event_timestamp":["2026-05-01T00:00:00Z"]}`), 422, "invalid_argument", "values"),
		"push offline":           post(push, `{"push_source_name":"typed","to":"offline","df":{"id":["a"]}}`, 422, "invalid_argument", "online"),
		"write unknown view":     post(write, `{"feature_view_name":"typde","df":{"id":["a"]}}`, 404, "FeatureViewNotFoundException", "typed"),
		"write to a push source": post(write, frame("typed", `{"id":["a"]}`), 422, "invalid_argument", "feature_view_name"),
	} {
		t.Run(name, func(t *testing.T) {
			a := h.call(tc.method, tc.path, tc.body)
			code, text := feastProblem(a.body)
			if a.status != tc.status || code != tc.code || !strings.Contains(text, tc.says) || text == "" {
				t.Errorf("%s %s %.200s: %s, want %d %s in Feast's form that says %q", tc.method, tc.path, tc.body, a, tc.status, tc.code, tc.says)
			}
		})
	}
}

// feastProblem takes an error in Feast's form apart: the exception that its SDK
// raises, details as its server's framework gives them, or a plain detail.
func feastProblem(body string) (code, text string) {
	var exception string
	var raised struct{ Module, Class, Message string }
	if json.Unmarshal([]byte(body), &exception) == nil && json.Unmarshal([]byte(exception), &raised) == nil && raised.Module == "feast.errors" {
		return raised.Class, raised.Message
	}
	var details struct {
		Detail []struct {
			Type, Msg string
			Loc       []string
		}
	}
	if json.Unmarshal([]byte(body), &details) == nil && len(details.Detail) == 1 && len(details.Detail[0].Loc) > 0 {
		return details.Detail[0].Type, details.Detail[0].Msg
	}
	var plain struct{ Detail string }
	if json.Unmarshal([]byte(body), &plain) == nil {
		return "", plain.Detail
	}
	return "no form of Feast's", body
}
