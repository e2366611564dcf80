//go:build services

package redis_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// infoOf returns a field of INFO.
func infoOf(t testing.TB, c *goredis.Client, section, name string) string {
	t.Helper()
	text, err := c.Info(t.Context(), section).Result()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(text, "\r\n") {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return value
		}
	}
	t.Fatalf("INFO %s has no %s", section, name)
	return ""
}

func processOf(t testing.TB, c *goredis.Client) int {
	t.Helper()
	pid, err := strconv.Atoi(infoOf(t, c, "server", "process_id"))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// freeze stops a process until the test ends, or somebody continues it.
func freeze(t testing.TB, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatalf("freeze process %d, which must be on this machine: %v", pid, err)
	}
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGCONT) })
}

// eventually calls fn until it gives no error.
func eventually(t testing.TB, fn func() error) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := fn()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		<-tick.C
	}
}

// program is the server that REDIS_ADDR runs, to start more of.
type program struct {
	path string
	env  []string
}

func programOf(t testing.TB, c *goredis.Client) program {
	t.Helper()
	pid := processOf(t, c)
	path, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		t.Fatal(err)
	}
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		t.Fatal(err)
	}
	// Where the service's libraries are: it may not be installed but unpacked.
	var dirs []string
	for line := range strings.SplitSeq(string(maps), "\n") {
		fields := strings.Fields(line)
		if len(fields) < 6 || !strings.Contains(fields[5], ".so") {
			continue
		}
		if dir := filepath.Dir(fields[5]); !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	return program{path, append(os.Environ(), "LD_LIBRARY_PATH="+strings.Join(dirs, ":"))}
}

// node is a server that a test started.
type node struct {
	*goredis.Client
	addr string
	cmd  *exec.Cmd
	args []string
	p    program
	dir  string
}

// start starts a server on a free port and waits for it.
func (p program) start(t testing.TB, args ...string) *node {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	n := &node{addr: addr, p: p, dir: t.TempDir(), Client: goredis.NewClient(&goredis.Options{Addr: addr, Protocol: 2})}
	_, port, _ := net.SplitHostPort(addr)
	n.args = append([]string{"--port", port, "--bind", "127.0.0.1", "--dir", n.dir}, args...)
	n.run(t)
	t.Cleanup(func() { n.kill(); n.Close() })
	return n
}

func (p program) redis(t testing.TB, args ...string) *node {
	return p.start(t, append([]string{"--save", "", "--repl-diskless-sync-delay", "0", "--hash-max-listpack-value", "512"}, args...)...)
}

// sentinel starts a Sentinel that watches a primary under the name main.
func (p program) sentinel(t testing.TB, primary *node) *node {
	host, port, _ := net.SplitHostPort(primary.addr)
	config := filepath.Join(t.TempDir(), "sentinel.conf")
	text := fmt.Sprintf("sentinel monitor main %s %s 1\nsentinel down-after-milliseconds main 1500\nsentinel failover-timeout main 5000\n", host, port)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	n := &node{p: p, dir: filepath.Dir(config)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n.addr = l.Addr().String()
	l.Close()
	_, own, _ := net.SplitHostPort(n.addr)
	n.Client = goredis.NewClient(&goredis.Options{Addr: n.addr, Protocol: 2})
	n.args = []string{config, "--sentinel", "--port", own, "--bind", "127.0.0.1", "--dir", n.dir}
	n.run(t)
	t.Cleanup(func() { n.kill(); n.Close() })
	return n
}

func (n *node) run(t testing.TB) {
	t.Helper()
	n.cmd = exec.Command(n.p.path, n.args...)
	n.cmd.Args[0] = "redis-server" // one program goes by several names
	n.cmd.Env = n.p.env
	if err := n.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error { return n.Ping(t.Context()).Err() })
}

func (n *node) kill() {
	if n.cmd != nil {
		_ = n.cmd.Process.Kill()
		_ = n.cmd.Wait()
		n.cmd = nil
	}
}
