package scenario

import (
	"net/http"
	"strings"
	"testing"
)

// badActions asks for what no view can do, or not now.
func (h *house) badActions(t *testing.T) {
	const view = "/api/v1/views/typed"
	post := func(path, body string, status int, code, says string) badRequest {
		return badRequest{http.MethodPost, view + path, body, status, code, says}
	}
	cases := map[string]badRequest{
		"unknown action":          post("/actions/aprove", `{"version":1,"reason":"r"}`, 404, "invalid_argument", "approve"),
		"unknown view":            {http.MethodPost, "/api/v1/views/typde/actions/freeze", `{"reason":"r"}`, 404, "unknown_view", "typed"},
		"unknown baseline":        post("/baseline/reset", `{"version":1,"reason":"r"}`, 404, "invalid_argument", "set"),
		"freeze stale":            post("/actions/freeze", `{"reason":"r","if_generation":999}`, 409, "conflict", ""),
		"reason too long":         post("/actions/freeze", `{"reason":"`+strings.Repeat("x", 5000)+`"}`, 400, "invalid_argument", "4096"),
		"rollback stale":          post("/actions/rollback", `{"version":1,"reason":"r","if_generation":999}`, 409, "conflict", ""),
		"approve what is visible": post("/actions/approve", `{"version":1,"reason":"r"}`, 409, "conflict", "visible"),
		"reject what is visible":  post("/actions/reject", `{"version":1,"reason":"r"}`, 409, "conflict", "rollback"),
	}
	for _, path := range []string{"/actions/approve", "/actions/reject", "/actions/rollback", "/baseline/set", "/baseline/accept"} {
		for name, tc := range map[string]struct {
			body   string
			status int
			code   string
			says   string
		}{
			"without version":       {`{"reason":"r"}`, 400, "invalid_argument", "version"},
			"version 0":             {`{"version":0,"reason":"r"}`, 400, "invalid_argument", "version"},
			"without reason":        {`{"version":1}`, 400, "invalid_argument", "reason"},
			"with a blank reason":   {`{"version":1,"reason":" \t"}`, 400, "invalid_argument", "reason"},
			"of an unknown one":     {`{"version":999,"reason":"r"}`, 400, "invalid_argument", "999"},
			"of a negative one":     {`{"version":-1,"reason":"r"}`, 400, "invalid_argument", ""},
			"of a word":             {`{"version":"new","reason":"r"}`, 400, "invalid_argument", ""},
			"of too large a one":    {`{"version":99999999999999999999,"reason":"r"}`, 400, "invalid_argument", ""},
			"of the largest one":    {`{"version":18446744073709551615,"reason":"r"}`, 400, "invalid_argument", ""},
			"with an unknown key":   {`{"version":1,"reason":"r","force":true}`, 400, "invalid_argument", "force"},
			"without body":          {``, 400, "invalid_argument", "version"},
			"malformed":             {`{`, 400, "invalid_argument", ""},
			"by a stale generation": {`{"version":1,"reason":"r","if_generation":999}`, 409, "conflict", ""},
		} {
			cases[path+" "+name] = post(path, tc.body, tc.status, tc.code, tc.says)
		}
	}
	versions := h.versionsOf(t, "typed")
	h.refuses(t, cases)
	if after := h.versionsOf(t, "typed"); after != versions {
		t.Errorf("versions after actions that were refused are\n%s\nwant\n%s", after, versions)
	}
	for i := 1; i < 6; i++ {
		h.writes(t, "typed", cleanTyped(i)...)
		h.close(t, i, "typed")
		h.verdictOf(t, "typed", i)
	}
	if err := h.post("/api/v1/clock", map[string]any{"now": windowStart(6)}, nil); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/baseline/set", "/baseline/set", "/actions/freeze", "/actions/freeze", "/actions/thaw", "/baseline/set", "/actions/freeze", "/actions/thaw"} {
		if a := h.call(http.MethodPost, view+path, `{"version":5,"reason":"again, while the clock stands"}`); a.status != http.StatusOK {
			t.Errorf("%s while the clock stands: %s, want 200", path, a)
		}
	}
	h.refuses(t, map[string]badRequest{"rollback of what is certified": post("/actions/rollback", `{"version":1,"reason":"r"}`, 409, "certified", "publish corrected rows")})
}
