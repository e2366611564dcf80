// Package scenario runs the built binary as a child process and talks to it
// through its public doors only: the command line, HTTP and gRPC.
package scenario

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// binary is the program under test, built once.
var binary string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "sluice-scenario")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "sluice")
	build := exec.Command("go", "build", "-o", binary, "sluice/cmd/sluice")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// server is one installation: a folder, and the process that runs on it.
type server struct {
	t    *testing.T
	dir  string
	cmd  *exec.Cmd
	base atomic.Pointer[string] // changes with every start, while others read
	log  bytes.Buffer
}

func newServer(t *testing.T) *server {
	s := &server{t: t, dir: t.TempDir()}
	t.Cleanup(func() {
		s.stop(syscall.SIGTERM)
		if t.Failed() {
			t.Logf("server log, its end:\n%s", tail(s.log.Bytes(), 6000))
		}
	})
	return s
}

func tail(b []byte, n int) []byte {
	if len(b) > n {
		return b[len(b)-n:]
	}
	return b
}

var addresses = regexp.MustCompile(`http (\S+), grpc (\S+), kafka`)

// start runs the binary on the folder, on free ports, and waits until it is ready.
func (s *server) start() {
	s.t.Helper()
	s.cmd = exec.Command(binary, "run", "-target=all", "-clock=manual", "--data="+s.dir,
		"--listen.http=127.0.0.1:0", "--listen.grpc=127.0.0.1:0", "--listen.kafka=127.0.0.1:0", "--log.level=warn")
	s.cmd.Stderr = &s.log
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	found := addresses.FindStringSubmatch(line)
	if found == nil {
		s.cmd.Wait()
		s.t.Fatalf("the server printed %q (%v), no addresses; its log:\n%s", line, err, tail(s.log.Bytes(), 4000))
	}
	base := "http://" + found[1]
	s.base.Store(&base)
	s.until("ready", time.Minute, func() error { return s.get("/ready", nil) })
}

// stop ends the process by its pid and waits for it.
func (s *server) stop(signal syscall.Signal) {
	if s.cmd == nil || s.cmd.ProcessState != nil {
		return
	}
	// The process may have ended by itself; Wait tells.
	_ = s.cmd.Process.Signal(signal)
	_ = s.cmd.Wait()
}

// until tries again until fn succeeds; it fails the test after limit.
func (s *server) until(what string, limit time.Duration, fn func() error) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := fn()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			s.t.Fatalf("%s: not within %s: %v\nserver log, its end:\n%s", what, limit, err, tail(s.log.Bytes(), 4000))
		case <-tick.C:
		}
	}
}

var client = &http.Client{Timeout: 40 * time.Second}

// errStatus is an answer other than 200.
type errStatus struct {
	code int
	body string
}

func (e *errStatus) Error() string { return fmt.Sprintf("HTTP %d: %s", e.code, e.body) }

func (s *server) get(path string, answer any) error { return s.do(http.MethodGet, path, nil, answer) }

func (s *server) post(path string, body, answer any) error {
	raw, ok := body.([]byte)
	if !ok {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			return err
		}
	}
	return s.do(http.MethodPost, path, raw, answer)
}

func (s *server) do(method, path string, body []byte, answer any) error {
	req, err := http.NewRequest(method, *s.base.Load()+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return &errStatus{resp.StatusCode, string(text)}
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(text, answer)
}

// sluice runs a client command and returns its standard output and exit code.
func (s *server) sluice(args ...string) (string, int) {
	s.t.Helper()
	cmd := exec.Command(binary, append(args, "--server", *s.base.Load())...)
	var errout bytes.Buffer
	cmd.Stderr = &errout
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	if code := cmd.ProcessState.ExitCode(); code != 0 {
		s.t.Logf("sluice %v: exit %d: %s", args, code, errout.String())
	}
	return string(out), cmd.ProcessState.ExitCode()
}
