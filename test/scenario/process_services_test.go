//go:build services

package scenario

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is one of several of an installation: a part of the platform that is
// started, killed, frozen and started again.
type process struct {
	t    *testing.T
	name string
	args []string
	base door
	grpc door // HOST:PORT
	log  shared

	cmd    *exec.Cmd
	exited chan struct{}
}

// shared is a log that a process writes while the test reads.
type shared struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *shared) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *shared) tail(n int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(tail(s.b.Bytes(), n))
}

var partAddresses = regexp.MustCompile(`http (\S+), grpc (\S*), kafka`)

// start runs the part and returns once it says where it listens. As a supervisor
// would, it starts it again if what it needs is not there yet.
func (p *process) start() {
	p.t.Helper()
	err := patiently(p.t.Context(), time.Minute, p.spawn)
	if err != nil {
		p.t.Fatalf("start %s: %v\n%s", p.name, err, p.log.tail(4000))
	}
}

func (p *process) spawn() error {
	p.cmd = exec.Command(binary, p.args...)
	p.cmd.Stderr = &p.log
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := p.cmd.Start(); err != nil {
		return err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	found := partAddresses.FindStringSubmatch(line)
	if found == nil {
		return fmt.Errorf("it printed %q (%w), no addresses, and ended: %w", line, err, p.cmd.Wait())
	}
	base := "http://" + found[1]
	p.base.Store(&base)
	p.grpc.Store(&found[2])
	exited, cmd := make(chan struct{}), p.cmd
	p.exited = exited
	go func() {
		defer close(exited)
		// How it ended is in cmd.ProcessState.
		_ = cmd.Wait()
	}()
	return nil
}

// signal sends one to the process. It must be running: a part that ends by itself is
// a finding.
func (p *process) signal(sig syscall.Signal) {
	p.t.Helper()
	p.alive()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Errorf("%s to %s: %v", sig, p.name, err)
	}
}

// alive fails the test if the process has ended by itself.
func (p *process) alive() {
	p.t.Helper()
	select {
	case <-p.exited:
		p.t.Fatalf("%s ended by itself: %s; its log:\n%s", p.name, p.cmd.ProcessState, p.log.tail(6000))
	default:
	}
}

func (p *process) kill() {
	p.t.Helper()
	p.signal(syscall.SIGKILL)
	<-p.exited
}

// end stops the process as an operator would. It must end by itself, in time and
// without an error.
func (p *process) end() {
	p.t.Helper()
	if p.exited == nil {
		return
	}
	// A process that was frozen when the test failed goes on.
	_ = p.cmd.Process.Signal(syscall.SIGCONT)
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(30 * time.Second):
		p.t.Errorf("%s runs 30 s after SIGTERM; its log:\n%s", p.name, p.log.tail(3000))
		_ = p.cmd.Process.Kill()
		<-p.exited
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 && !p.t.Failed() {
		p.t.Errorf("%s ended with %s after SIGTERM; its log:\n%s", p.name, p.cmd.ProcessState, p.log.tail(3000))
	}
}

func (p *process) ready() error {
	return call(http.MethodGet, *p.base.Load()+"/ready", nil, nil)
}

// leads reports whether the process is the gate that decides.
func (p *process) leads() (bool, error) {
	resp, err := client.Get(*p.base.Load() + "/metrics")
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return false, err
	}
	if !strings.Contains(string(text), "\nsluice_gate_leading ") {
		return false, errors.New("no metric sluice_gate_leading")
	}
	return strings.Contains(string(text), "\nsluice_gate_leading 1\n"), nil
}
