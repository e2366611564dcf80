//go:build services

package feast

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"sluice/test/venv"
)

// TestClients runs the tests in clients. What they print, pytest's summary last, goes
// to standard output.
func TestClients(t *testing.T) {
	python := venv.Python(t, "feast", "requirements.txt")
	binary := build(t)
	p := start(t, binary)
	p.load(t)
	empty := start(t, binary) // what is imported from Feast is applied here
	switched := start(t, binary, "--feast.missing=present", "--feast.null=present", "--feast.expired=present", "--feast.unread=refuse", "--feast.columns=ignore")
	switched.load(t)
	cmd := exec.CommandContext(t.Context(), python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--durations=5", "clients")
	cmd.Env = append(os.Environ(), "SLUICE_HTTP="+p.http, "SLUICE_GRPC="+p.grpc, "SLUICE_BIN="+p.binary,
		"SLUICE_IMPORT_HTTP="+empty.http, "SLUICE_IMPORT_GRPC="+empty.grpc,
		"SLUICE_SWITCHED_HTTP="+switched.http, "SLUICE_SWITCHED_GRPC="+switched.grpc, "PYTHONDONTWRITEBYTECODE=1", "NO_PROXY=127.0.0.1")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stdout
	begun := time.Now()
	err := cmd.Run()
	t.Logf("pytest took %s", time.Since(begun).Round(100*time.Millisecond))
	if err != nil {
		t.Errorf("pytest: %v; the server's log:\n%s", err, p.tail()+empty.tail()+switched.tail())
	}
}

// load puts the definitions in force and writes the rows: one window of three days ago,
// which the ttl has overtaken, and one of now.
func (p *platform) load(t *testing.T) {
	t.Helper()
	p.run(t, "apply", "-f", "definitions")
	for _, push := range [][2]string{{"drivers", "drivers_old.jsonl"}, {"drivers", "drivers.jsonl"}, {"visits", "visits.jsonl"}} {
		p.run(t, "push", push[0], filepath.Join("rows", push[1]), "--seal", "--wait")
	}
	p.setClock(t, "2026-11-23T12:10:00Z")
}
