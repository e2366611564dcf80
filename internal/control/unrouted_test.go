package control

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestUnrouted(t *testing.T) {
	p := newPlatform(t, nil)
	p.apply()
	mux := p.handler.(*http.ServeMux)
	for _, pattern := range []string{"POST /push", "GET /health", "GET /ready", "POST /api/v1/views/{view}/rows"} {
		mux.HandleFunc(pattern, func(http.ResponseWriter, *http.Request) {})
	}
	mux.HandleFunc("/push", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(405) }) // as serving does
	const far = "the API lies below /api/v1; `sluice doctor` looks at the server"
	for name, tc := range map[string]struct{ path, hint string }{
		"far":               {"/nothing", far},
		"far in the API":    {"/api/v1/nothing", far},
		"short":             {"/api/v1/foo", far},
		"root":              {"/", far},
		"outside":           {"/helth", "did you mean /health?"},
		"end":               {"/push/", "did you mean /push?"},
		"below the API":     {"/api/v1/push", "did you mean /push?"},
		"in the API":        {"/api/v1/view", "did you mean /api/v1/views?"},
		"no prefix":         {"/views", "did you mean /api/v1/views?"},
		"half a prefix":     {"/api/views/pay/versions", "did you mean /api/v1/views/pay/versions?"},
		"with names":        {"/api/v1/views/pay/verdict", "did you mean /api/v1/views/pay/verdicts?"},
		"of another":        {"/api/v1/views/pay/row", "did you mean /api/v1/views/pay/rows?"},
		"not registered":    {"/metrics", far},
		"names are escaped": {"/api/v1/views/a%0Ab/verdict", "did you mean /api/v1/views/a%0Ab/verdicts?"},
		"long":              {"/" + strings.Repeat("x", 300), far},
	} {
		t.Run(name, func(t *testing.T) {
			code, body := p.do("GET", tc.path, "")
			if code != 404 || !strings.HasPrefix(body, `{"error":{"code":"invalid_argument","message":"there is nothing at \"/`) || !strings.HasSuffix(body, `","hint":"`+tc.hint+`"}}`) {
				t.Errorf("GET %s = %d %s, want 404 and hint %q", tc.path, code, body, tc.hint)
			}
		})
	}
}

func TestWrongMethod(t *testing.T) {
	p := newPlatform(t, nil)
	p.handler.(*http.ServeMux).HandleFunc("GET /ready", func(http.ResponseWriter, *http.Request) {})
	for name, tc := range map[string]struct{ method, path, allow, hint string }{
		"reads":   {"POST", "/api/v1/views", "GET, HEAD", "use GET or HEAD"},
		"changes": {"GET", "/api/v1/apply", "POST", "use POST"},
		"both":    {"DELETE", "/api/v1/clock", "GET, HEAD, POST", "use GET or HEAD or POST"},
		"outside": {"PUT", "/ready", "GET, HEAD", "use GET or HEAD"},
	} {
		t.Run(name, func(t *testing.T) {
			rec := httptest.NewRecorder()
			p.handler.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), tc.method, tc.path, nil))
			want := `{"error":{"code":"invalid_argument","message":"\"` + tc.method + `\" is not answered at \"` + tc.path + `\"","hint":"` + tc.hint + `"}}` + "\n"
			if rec.Code != 405 || rec.Header().Get("Allow") != tc.allow || rec.Body.String() != want || rec.Header().Get("Content-Type") != "application/json" {
				t.Errorf("%s %s = %d, Allow %q, %s, want 405, %q, %s", tc.method, tc.path, rec.Code, rec.Header().Get("Allow"), rec.Body, tc.allow, want)
			}
		})
	}
}
