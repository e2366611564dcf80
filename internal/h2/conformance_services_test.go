//go:build services

package h2

import (
	"net"
	"os/exec"
	"strings"
	"testing"
)

// h2spec is a suite of conformance tests for servers of HTTP/2.
const h2spec = "github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible"

// TestConformance runs h2spec, all of whose cases must pass.
func TestConformance(t *testing.T) {
	at := newSite(t, config())
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
