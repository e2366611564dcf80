//go:build services

package h2

import (
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"
)

// h2spec is a suite of conformance tests for servers of HTTP/2.
const h2spec = "github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible"

// TestConformance runs h2spec, all of whose cases must pass. Some are about what comes
// while a request is open: the handler of the rest must not answer theirs, which are not
// of gRPC, before the body has come. That it may do so is RFC 9113, section 8.1.
func TestConformance(t *testing.T) {
	at := newSiteBehind(t, config(), func(rest http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
				if _, err := io.Copy(io.Discard, r.Body); err != nil {
					return
				}
			}
			rest.ServeHTTP(w, r)
		})
	})
	host, port, err := net.SplitHostPort(at.addr)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "go", "run", h2spec, "-h", host, "-p", port, "-P", "/t.Rest/Echo", "-o", "10").CombinedOutput()
	report := string(out)
	if err != nil || !strings.Contains(report, " 0 failed") {
		t.Errorf("h2spec: %v\n%s", err, report)
	}
	t.Log(report[strings.LastIndex(strings.TrimSpace(report), "\n")+1:])
}
