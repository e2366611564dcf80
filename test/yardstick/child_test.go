//go:build services

package yardstick

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"runtime/pprof"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/serving"
)

// childEnv tells the test binary to be a server: "kind address-of-redis".
const childEnv = "SLUICE_YARDSTICK"

// The kinds of servers.
const (
	kindSluice = "sluice"
	kindPlain  = "plain" // grpc-go, net/http, go-redis
	kindEcho   = "echo"  // grpc-go, net/http, and nothing else
	kindGo     = "go"    // Sluice with the doors of grpc-go and net/http
)

func TestMain(m *testing.M) {
	if what := os.Getenv(childEnv); what != "" {
		if err := serveChild(what); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// addresses is where a child listens; a protocol that it does not speak is empty.
type addresses struct{ GRPC, HTTP string }

// stat is what a child has used since it started.
type stat struct {
	CPU     time.Duration // of the process, user and system
	Mallocs uint64        // objects allocated
	Bytes   uint64        // allocated
	RSS     uint64        // resident bytes now
}

// serveChild is the child: it says where it listens, answers each line of its input,
// and ends with it.
func serveChild(what string) error {
	kind, redisAddr, _ := strings.Cut(what, " ")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	at, err := serveKind(ctx, kind, redisAddr)
	if err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	if err := out.Encode(at); err != nil {
		return err
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		switch word, path, _ := strings.Cut(lines.Text(), " "); word {
		case "profile":
			f, err := os.Create(path)
			if err == nil {
				err = pprof.StartCPUProfile(f)
			}
			if err != nil {
				return err
			}
			defer f.Close()
		case "end":
			pprof.StopCPUProfile()
		case "collect":
			runtime.GC()
		}
		if err := out.Encode(used()); err != nil {
			return err
		}
	}
	return nil
}

func used() stat {
	var u syscall.Rusage
	var m runtime.MemStats
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // cannot fail on oneself
	runtime.ReadMemStats(&m)
	s := stat{CPU: time.Duration(u.Utime.Nano() + u.Stime.Nano()), Mallocs: m.Mallocs, Bytes: m.TotalAlloc}
	if text, err := os.ReadFile("/proc/self/statm"); err == nil {
		var size, resident uint64
		if _, err := fmt.Sscan(string(text), &size, &resident); err == nil {
			s.RSS = resident * uint64(os.Getpagesize())
		}
	}
	return s
}

// serveKind starts the servers of a kind.
func serveKind(ctx context.Context, kind, redisAddr string) (at addresses, err error) {
	if kind == kindPlain {
		if at.GRPC, err = listen(newPlainGRPC(redisAddr)); err != nil {
			return at, err
		}
		at.HTTP, err = listen(&http.Server{Handler: newPlainHTTP(redisAddr)})
		return at, err
	}
	s, err := newSluice(ctx, redisAddr)
	if err != nil {
		return at, err
	}
	if kind == kindEcho {
		ask, err := askSluice(s)
		if err != nil {
			return at, err
		}
		if at.GRPC, err = listen(newEcho(s, ask)); err == nil {
			at.HTTP, err = listen(&http.Server{Handler: newEchoHTTP(s.HTTP())})
		}
		return at, err
	}
	server := s.NewGRPC()
	rest := serving.NewHTTPServer(serving.DefaultConfig(), s.HTTP())
	if kind == kindGo {
		if at.GRPC, err = listen(server); err == nil {
			at.HTTP, err = listen(rest)
		}
		return at, err
	}
	if at.GRPC, err = listen(s.NewDoor(server, nil)); err == nil {
		at.HTTP, err = listen(s.NewHTTPDoor(rest))
	}
	return at, err
}

// listen serves on a port of loopback.
func listen(server interface{ Serve(l net.Listener) error }) (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	go func() {
		if err := server.Serve(l); err != nil {
			panic(err)
		}
	}()
	return l.Addr().String(), nil
}

// child is a server in a process of its own.
type child struct {
	kind string
	addresses
	tell func(word string) stat
}

func start(t testing.TB, kind, redisAddr string) *child {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env, cmd.Stderr = append(os.Environ(), childEnv+"="+kind+" "+redisAddr), os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("server %s: %v", kind, err)
		}
	})
	c, answers := &child{kind: kind}, json.NewDecoder(out)
	if err := answers.Decode(&c.addresses); err != nil {
		t.Fatalf("server %s says not where it is: %v", kind, err)
	}
	c.tell = func(word string) (s stat) {
		if _, err := fmt.Fprintln(in, word); err != nil {
			t.Fatalf("server %s: %v", kind, err)
		}
		if err := answers.Decode(&s); err != nil {
			t.Fatalf("server %s: %v", kind, err)
		}
		return s
	}
	return c
}
