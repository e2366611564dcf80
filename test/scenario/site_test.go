package scenario

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// site is an installation as its users see it: doors that serve. Scenarios work on
// a site and do not know what is behind it.
type site struct {
	t       *testing.T
	dir     string
	doors   []*door
	turn    atomic.Uint64 // which door is asked next
	trouble func() string // what the processes say, the end of it

	wrong []string // what failed so far
}

// errorf fails the test, which goes on.
func (s *site) errorf(format string, args ...any) {
	s.t.Helper()
	s.wrong = append(s.wrong, fmt.Sprintf(format, args...))
	s.t.Errorf(format, args...)
}

// fatalf fails the test and ends it.
func (s *site) fatalf(format string, args ...any) {
	s.t.Helper()
	s.errorf(format, args...)
	s.t.FailNow()
}

// explain logs what the processes say if the test has failed, and after it what
// failed: the end of a long log is what people see first.
func (s *site) explain() {
	if s.t.Failed() {
		s.t.Logf("%s\n--- what failed:\n%s", s.trouble(), strings.Join(s.wrong, "\n"))
	}
}

// door is the base URL of a process; it changes with every start, while others read.
type door = atomic.Pointer[string]

// next returns the doors' addresses one after another, as a balancer would.
func (s *site) next() string {
	return *s.doors[s.turn.Add(1)%uint64(len(s.doors))].Load()
}

// until tries again until fn succeeds; it fails the test after limit.
func (s *site) until(what string, limit time.Duration, fn func() error) {
	s.t.Helper()
	if err := patiently(s.t.Context(), limit, fn); err != nil {
		s.fatalf("%s: not within %s: %v", what, limit, err)
	}
}

// patiently tries again until fn succeeds, and returns its error after limit.
func patiently(ctx context.Context, limit time.Duration, fn func() error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := fn()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

func tail(b []byte, n int) []byte {
	if len(b) > n {
		return b[len(b)-n:]
	}
	return b
}

var client = &http.Client{Timeout: 40 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 8}}

// errStatus is an answer that is no success.
type errStatus struct {
	code int
	body string
}

func (e *errStatus) Error() string { return fmt.Sprintf("HTTP %d: %s", e.code, e.body) }

func (s *site) get(path string, answer any) error {
	return call(http.MethodGet, s.next()+path, nil, answer)
}

func (s *site) post(path string, body, answer any) error { return post(s.next()+path, body, answer) }

func post(url string, body, answer any) error { return send(http.MethodPost, url, body, answer) }

// send asks with a body that is JSON already, or becomes it.
func send(method, url string, body, answer any) error {
	raw, ok := body.([]byte)
	if !ok && body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			return err
		}
	}
	return call(method, url, raw, answer)
}

func call(method, url string, body []byte, answer any) error {
	req, err := http.NewRequest(method, url, bytes.NewReader(body))
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
	if resp.StatusCode/100 != 2 {
		return &errStatus{resp.StatusCode, string(text)}
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(text, answer)
}

// sluice runs a client command and returns its standard output and exit code.
func (s *site) sluice(args ...string) (string, int) {
	s.t.Helper()
	cmd := exec.Command(binary, append(args, "--server", s.next())...)
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
