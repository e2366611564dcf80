package serving

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestEncodedBodies wants a compressed body to be refused by name at every route, also at
// those that take what comes as it stands.
func TestEncodedBodies(t *testing.T) {
	took := 0
	server := NewHTTPServer(DefaultConfig(), http.HandlerFunc(func(http.ResponseWriter, *http.Request) { took++ }))
	for encoding, want := range map[string]int{"": 200, "identity": 200, "gzip": 415, "br, gzip": 415} {
		for path, form := range map[string]string{"/get-online-features": `{"detail":[{`, "/push": `{"detail":[{`, "/api/v1/views/a/writes": `{"error":{"code":"invalid_argument"`} {
			r, w := httptest.NewRequest(http.MethodPost, path, strings.NewReader("\x1f\x8b")), httptest.NewRecorder()
			if encoding != "" {
				r.Header.Set("Content-Encoding", encoding)
			}
			before := took
			server.Handler.ServeHTTP(w, r)
			text := w.Body.String()
			if w.Code != want || want == 200 && took != before+1 || want != 200 && (took != before || !strings.HasPrefix(text, form) || !strings.Contains(text, encoding) || w.Header().Get("Accept-Encoding") != "identity") {
				t.Errorf("%s in encoding %q = %d %s", path, encoding, w.Code, text)
			}
		}
	}
}
