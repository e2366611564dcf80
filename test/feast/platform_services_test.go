//go:build services

package feast

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// platform is a running binary with everything embedded.
type platform struct {
	binary     string
	http, grpc string // addresses
	cmd        *exec.Cmd
	log        bytes.Buffer // complete once the process has ended
}

var addresses = regexp.MustCompile(`http (\S+), grpc (\S+), kafka`)

// build builds the binary.
func build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "sluice")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "sluice/cmd/sluice").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return binary
}

// start runs the binary on free ports until the test ends.
func start(t *testing.T, binary string, flags ...string) *platform {
	t.Helper()
	p := &platform{binary: binary}
	p.cmd = exec.Command(p.binary, append([]string{"run", "-target=all", "-clock=manual", "--data=" + t.TempDir(),
		"--listen.http=127.0.0.1:0", "--listen.grpc=127.0.0.1:0", "--listen.kafka=127.0.0.1:0", "--log.level=warn"}, flags...)...)
	p.cmd.Stderr = &p.log
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.stop)
	line, err := bufio.NewReader(out).ReadString('\n')
	found := addresses.FindStringSubmatch(line)
	if found == nil {
		t.Fatalf("the server printed %q (%v), no addresses:\n%s", line, err, p.tail())
	}
	p.http, p.grpc = found[1], found[2]
	p.ready(t)
	return p
}

// ready waits until the platform says so.
func (p *platform) ready(t *testing.T) {
	t.Helper()
	tick, limit := time.NewTicker(20*time.Millisecond), time.After(time.Minute)
	defer tick.Stop()
	for {
		if answer, err := http.Get("http://" + p.http + "/ready"); err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-limit:
			t.Fatalf("not ready within a minute:\n%s", p.tail())
		case <-tick.C:
		}
	}
}

// run runs a command of the client.
func (p *platform) run(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), p.binary, args...)
	cmd.Env = append(os.Environ(), "SLUICE_SERVER=http://"+p.http)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("sluice %q: %v\n%s", args, err, out)
	}
}

func (p *platform) setClock(t *testing.T, now string) {
	t.Helper()
	answer, err := http.Post("http://"+p.http+"/api/v1/clock", "application/json", strings.NewReader(`{"now":"`+now+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if text, err := io.ReadAll(answer.Body); err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("set the clock: %s %s %v", answer.Status, text, err)
	}
}

// stop ends the process by its pid and waits for it.
func (p *platform) stop() {
	if p.cmd.ProcessState == nil {
		// The process may have ended by itself; Wait tells.
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		_ = p.cmd.Wait()
	}
}

// tail stops the platform and returns the end of its log.
func (p *platform) tail() string {
	p.stop()
	text := p.log.Bytes()
	return string(text[max(0, len(text)-4000):])
}
