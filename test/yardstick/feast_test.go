//go:build services

package yardstick

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/internal/load"
	"sluice/test/venv"
)

// kindFeast is Feast's own server, of Python: `feast serve` with two workers.
const kindFeast = "feast"

// BenchmarkServeFeast asks Sluice and Feast's server for the same features over HTTP, in
// turns, each from rows that it wrote to the same Redis in its own form. It reports by how
// much Feast's processor time a request is greater.
func BenchmarkServeFeast(b *testing.B) {
	on := newBench(b)
	kinds := map[string]*child{kindSluice: start(b, kindSluice, on.addr), kindFeast: startFeast(b, on.addr)}
	for _, n := range []int{1, 100} {
		b.Run(fmt.Sprintf("entities=%d", n), func(b *testing.B) {
			requests, err := question(n).Encode(load.HTTP, 512, 3)
			if err != nil {
				b.Fatal(err)
			}
			config := load.Config{Protocol: load.HTTP, Clients: 16, Warmup: time.Second, Duration: *seconds, Requests: requests}
			names, turns := []string{kindSluice, kindFeast}, map[string][]turn{}
			for b.Loop() {
				for range *rounds {
					for _, name := range names {
						turns[name] = append(turns[name], on.turn(b, kinds[name], config, ""))
					}
				}
			}
			tell(b, names, turns)
			cpu := func(t turn) float64 { return t.cpu }
			b.ReportMetric(median(turns[kindFeast], cpu)/median(turns[kindSluice], cpu), "feast-x")
		})
	}
}

// startFeast has Feast write the rows to the Redis at redisAddr and serve them.
func startFeast(t testing.TB, redisAddr string) *child {
	t.Helper()
	python := venv.Python(t, "yardstick", filepath.Join("..", "feast", "requirements.txt"), filepath.Join("feast", "requirements.txt"))
	dir := t.TempDir()
	fill := exec.CommandContext(t.Context(), python, filepath.Join("feast", "fill.py"), dir, redisAddr, viewName, joinKey, strconv.Itoa(entities), strconv.Itoa(features))
	if out, err := fill.CombinedOutput(); err != nil {
		t.Fatalf("Feast's rows: %v\n%s", err, out)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0") // a port that is free
	if err != nil {
		t.Fatal(err)
	}
	host, port, _ := net.SplitHostPort(l.Addr().String())
	l.Close()
	var log bytes.Buffer
	// Without --max-requests a worker is made anew after 1,000 requests, in the middle of a turn.
	cmd := exec.Command(filepath.Join(filepath.Dir(python), "feast"), "-c", dir, "serve", "-h", host, "-p", port, "--workers", "2", "--no-access-log",
		"--registry_ttl_sec", "3600", "--max-requests", "100000000")
	cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), "FEAST_USAGE=False", "NO_PROXY=127.0.0.1"), &log, &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that its workers are known by their group
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) // it may be gone already
		_ = cmd.Wait()
	})
	c := &child{kind: kindFeast, addresses: addresses{HTTP: net.JoinHostPort(host, port)}}
	c.tell = func(string) stat { return groupUsed(t, cmd.Process.Pid) }
	if err := answers(t, c.HTTP); err != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		_ = cmd.Wait()
		t.Fatalf("Feast's server: %v\n%s", err, log.Bytes())
	}
	return c
}

// answers waits until a server gives the features of an entity that is there.
func answers(t testing.TB, addr string) (err error) {
	requests, err := question(1).Encode(load.HTTP, 1, 3)
	if err != nil {
		return err
	}
	tick, limit := time.NewTicker(100*time.Millisecond), time.After(time.Minute)
	defer tick.Stop()
	for {
		if err = present(addr, requests[0]); err == nil {
			return nil
		}
		select {
		case <-limit:
			return err
		case <-t.Context().Done():
			return t.Context().Err()
		case <-tick.C:
		}
	}
}

// present is an error unless addr answers request with values that are there.
func present(addr string, request []byte) error {
	answer, err := http.Post("http://"+addr+"/get-online-features", "application/json", bytes.NewReader(request))
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	var reply plainReply
	if err := json.Unmarshal(text, &reply); err != nil || len(reply.Results) != asked+1 {
		return fmt.Errorf("%s: %.200q: %w", answer.Status, text, err)
	}
	for _, column := range reply.Results {
		if len(column.Statuses) != 1 || column.Statuses[0] != "PRESENT" {
			return fmt.Errorf("%s: %.200q", answer.Status, text)
		}
	}
	return nil
}

// groupUsed is the processor time of the processes of a group that live, and their memory.
func groupUsed(t testing.TB, group int) (s stat) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	const tick = 10 * time.Millisecond // USER_HZ is 100 on every Linux that Go runs on
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		// The second field is a name in parentheses, which may have spaces.
		fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		if len(fields) < 22 || fields[2] != strconv.Itoa(group) {
			continue
		}
		for _, i := range []int{11, 12} { // utime, stime
			n, err := strconv.ParseInt(fields[i], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			s.CPU += time.Duration(n) * tick
		}
		pages, err := strconv.ParseUint(fields[21], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		s.RSS += pages * uint64(os.Getpagesize())
	}
	return s
}
