// Package scenario runs the built binary as a child process and talks to it
// through its public doors only: the command line, HTTP and gRPC.
package scenario

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"
)

// binary is the program under test, built once.
var binary string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

// instead is what the test binary does in place of tests, by the environment variable that
// says so and gives its argument.
var instead = map[string]func(what string) error{}

func run(m *testing.M) int {
	for env, do := range instead {
		what := os.Getenv(env)
		if what == "" {
			continue
		}
		flag.Parse()
		if err := do(what); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return 0
	}
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

// server is a site of one process with everything embedded: a folder, and what runs
// on it.
type server struct {
	*site
	base *door
	cmd  *exec.Cmd
	log  bytes.Buffer
}

func newServer(t *testing.T) *server {
	s := &server{site: &site{t: t, dir: t.TempDir()}, base: &door{}}
	s.doors = []*door{s.base}
	s.trouble = func() string { return fmt.Sprintf("server log, its end:\n%s", tail(s.log.Bytes(), 6000)) }
	t.Cleanup(func() {
		s.stop(syscall.SIGTERM)
		s.explain()
	})
	return s
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
