//go:build services

package registry_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"sluice/store/registry"
)

// ownServer is a server that a test may kill: of the same programs as the one that
// POSTGRES_DSN names, on data of its own.
type ownServer struct {
	programs, data, port string
	env                  []string
	log                  *os.File
	running              *exec.Cmd
	ended                chan struct{} // closed once running has
}

func newOwnServer(t *testing.T) *ownServer {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), superuser(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	s := &ownServer{data: filepath.Join(t.TempDir(), "data")}
	var pid int
	if err := conn.QueryRow(t.Context(), `SELECT setting, pg_backend_pid() FROM pg_config WHERE name = 'BINDIR'`).Scan(&s.programs, &pid); err != nil {
		t.Fatal(err)
	}
	s.env = append(os.Environ(), "LD_LIBRARY_PATH="+libraries(t, pid))
	if out, err := s.command("initdb", "-D", s.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8").CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, s.port, _ = net.SplitHostPort(l.Addr().String())
	l.Close()
	if s.log, err = os.Create(filepath.Join(t.TempDir(), "log")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.end(t, os.Interrupt) })
	return s
}

// libraries returns the folders that a running program has its libraries from, for
// programs that were unpacked and not installed.
func libraries(t *testing.T, pid int) string {
	t.Helper()
	maps, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/maps")
	if err != nil {
		t.Fatalf("the server that POSTGRES_DSN names does not run on this machine: %v", err)
	}
	var folders []string
	for line := range strings.Lines(string(maps)) {
		_, path, found := strings.Cut(line, "/")
		path = "/" + strings.TrimSpace(path)
		if folder := filepath.Dir(path); found && strings.Contains(path, ".so") && !slices.Contains(folders, folder) {
			folders = append(folders, folder)
		}
	}
	return strings.Join(folders, ":")
}

// command runs a program of the server, which refuses to be run by root.
func (s *ownServer) command(name string, args ...string) *exec.Cmd {
	args = append([]string{filepath.Join(s.programs, name)}, args...)
	if os.Getuid() == 0 {
		args = append([]string{"unshare", "--user", "--map-user=1000"}, args...)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = s.env
	return cmd
}

func (s *ownServer) dsn() string {
	return "postgres://postgres@127.0.0.1:" + s.port + "/postgres?sslmode=disable"
}

// start starts the server and waits until it answers. Until the processes of a
// killed one are gone, the next one ends at once.
func (s *ownServer) start(t *testing.T) {
	t.Helper()
	until(t, "the server", func() bool {
		if s.over() {
			s.run(t)
		}
		conn, err := pgx.Connect(t.Context(), s.dsn())
		if err != nil {
			return false
		}
		return conn.Close(t.Context()) == nil
	})
}

func (s *ownServer) run(t *testing.T) {
	t.Helper()
	cmd := s.command("postgres", "-D", s.data, "-p", s.port, "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=")
	cmd.Stderr = s.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	s.running, s.ended = cmd, ended
	go func() {
		cmd.Wait()
		close(ended)
	}()
}

// over reports whether no server runs.
func (s *ownServer) over() bool {
	if s.running == nil {
		return true
	}
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}

// end ends the server: by os.Kill as a loss of power would, but for what the kernel
// still holds, and by os.Interrupt in good order.
func (s *ownServer) end(t *testing.T, signal os.Signal) {
	t.Helper()
	if s.over() {
		return
	}
	if err := s.running.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Error(err)
	}
	<-s.ended
}

// TestPostgresKilled kills the server under load and starts it again: everything
// that was acknowledged is there, and nothing twice.
func TestPostgresKilled(t *testing.T) {
	const rounds = 4
	server := newOwnServer(t)
	server.start(t)
	s := openPostgres(t, server.dsn(), registry.PostgresOptions{})
	defer s.Close()
	l := newLoad(t, s)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		return l.run(ctx, s, func(err error) bool {
			return errors.Is(err, registry.ErrUnavailable) || errors.Is(err, registry.ErrUncertain)
		})
	})
	var before uint64
	for round := range rounds {
		before = l.total()
		until(t, fmt.Sprintf("changes before kill %d", round+1), func() bool { return l.total() >= before+50 || ctx.Err() != nil })
		changed := s.Changed()
		server.end(t, os.Kill)
		server.start(t)
		select {
		case <-changed:
		case <-t.Context().Done():
		}
	}
	before = l.total()
	until(t, "changes after the last kill", func() bool { return l.total() >= before+20 || ctx.Err() != nil })
	stop()
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
	l.check(t, s)
	t.Logf("%d changes, %d kills", l.total(), rounds)
}
