package auth

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"sluice/feature"
)

func TestRequire(t *testing.T) {
	tokens, err := Parse([]byte(entryText("alice", "reader", "secret")))
	if err != nil {
		t.Fatal(err)
	}
	next := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, Name(r.Context())) })
	for name, tc := range map[string]struct {
		authorize Authorize
		header    string
		need      Role
		status    int
		body      string
	}{
		"open":         {nil, "", Operator, 200, "anonymous"},
		"known":        {tokens.Authorize, "Bearer secret", Reader, 200, "alice"},
		"scheme case":  {tokens.Authorize, "bearer  secret ", Reader, 200, "alice"},
		"missing":      {tokens.Authorize, "", Reader, 401, `{"error":{"code":"unauthenticated","message":"no token","hint":"send the header Authorization: Bearer TOKEN"}}` + "\n"},
		"other scheme": {tokens.Authorize, "Basic secret", Reader, 401, `{"error":{"code":"unauthenticated","message":"no token","hint":"send the header Authorization: Bearer TOKEN"}}` + "\n"},
		"too low":      {tokens.Authorize, "Bearer secret", Writer, 403, `{"error":{"code":"forbidden","message":"alice has role reader; this needs writer","hint":"use a token of that role"}}` + "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
			r.Header.Set("Authorization", tc.header)
			Require(tc.authorize, tc.need, next).ServeHTTP(w, r)
			if w.Code != tc.status || w.Body.String() != tc.body {
				t.Errorf("%s with %q = %d %s, want %d %s", tc.need, tc.header, w.Code, w.Body, tc.status, tc.body)
			}
		})
	}
}

func TestWriteError(t *testing.T) {
	for name, tc := range map[string]struct {
		err    error
		status int
		body   string
	}{
		"known":   {&feature.Error{Code: feature.CodeConflict, Message: "m", Hint: "h"}, 409, `{"error":{"code":"conflict","message":"m","hint":"h"}}` + "\n"},
		"unknown": {errors.New("dial tcp 10.0.0.7"), 500, `{"error":{"code":"internal","message":"internal error","hint":"see the server's log"}}` + "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			WriteError(w, tc.err)
			if w.Code != tc.status || w.Body.String() != tc.body {
				t.Errorf("WriteError(%v) = %d %s, want %d %s", tc.err, w.Code, w.Body, tc.status, tc.body)
			}
		})
	}
}
