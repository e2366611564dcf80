package serving

import (
	"io"
	"net"
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

// TestPrefaceOfHTTP2 wants a client that speaks HTTP/2 at the HTTP door to be told where to.
func TestPrefaceOfHTTP2(t *testing.T) {
	f := newFixture(t)
	own, plain := f.doors(t)
	for _, addr := range []string{own, plain} {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(conn)
		if err != nil || !strings.HasPrefix(string(text), "HTTP/1.1 400 ") || !strings.Contains(string(text), "listen.grpc") {
			t.Errorf("%s answers %q, %v, want 400 that names the other port", addr, text, err)
		}
	}
}
