package scenario

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestProcess ends the process under load, starts it again on its data, starts a
// second one beside it, and damages its files.
func TestProcess(t *testing.T) {
	h := openHouse(t)
	h.apply(badDefinitions)
	want := tally{}
	records := append(cleanTyped(0), "no JSON", typedRecord("a", `"i64":1.5`))
	h.writes(t, "typed", records...)
	want = tally{Received: cleanRows + 2, Accepted: cleanRows, DeadLettered: 2}
	h.close(t, 0, "typed")
	v := h.verdictOf(t, "typed", 0)
	h.addsUpTo(t, want)
	t.Run("SIGTERM under load", func(t *testing.T) { h.endsUnderLoad(t) })
	t.Run("second start", func(t *testing.T) {
		h.open()
		h.addsUpTo(t, want)
		if again := h.verdictOf(t, "typed", 0); again.ID != v.ID || again.Rows != v.Rows {
			t.Errorf("verdict after a restart %+v, want %+v", again, v)
		}
		h.writes(t, "typed", cleanTyped(1)...)
		h.close(t, 1, "typed")
		if next := h.verdictOf(t, "typed", 1); next.Decision != "publish" || next.Rows != cleanRows {
			t.Errorf("window after a restart %+v, want it published with %d rows", next, cleanRows)
		}
		want.Received, want.Accepted = want.Received+cleanRows, want.Accepted+cleanRows
		h.addsUpTo(t, want)
	})
	t.Run("second process", func(t *testing.T) {
		o := once(t, "run", "--data="+h.dir, "--listen.http=127.0.0.1:0", "--listen.grpc=127.0.0.1:0", "--listen.kafka=127.0.0.1:0")
		if o.code != 1 || o.out != "" || !strings.Contains(o.errout, h.dir) || !strings.Contains(o.errout, "in use") {
			t.Errorf("a second process on the same data: %s, want exit 1 that names %s and says that it is in use", o, h.dir)
		}
		if a := h.call(http.MethodPost, "/api/v1/views/typed/rows", `{"keys":[{"id":"clean1"}]}`); a.status != 200 || !strings.Contains(a.body, "PRESENT") {
			t.Errorf("rows of the first process after that: %s, want the row", a)
		}
		h.writes(t, "typed", cleanTyped(2)...)
		h.close(t, 2, "typed")
		if next := h.verdictOf(t, "typed", 2); next.Decision != "publish" {
			t.Errorf("window of the first process after that %+v, want it published", next)
		}
		want.Received, want.Accepted = want.Received+cleanRows, want.Accepted+cleanRows
	})
	t.Run("killed", func(t *testing.T) {
		h.stop(syscall.SIGKILL)
		h.open()
		h.addsUpTo(t, want)
	})
	t.Run("damaged", func(t *testing.T) { h.damaged(t) })
}

// endsUnderLoad sends SIGTERM while a long poll, reads and a half-sent request are
// under way.
func (h *house) endsUnderLoad(t *testing.T) {
	base := *h.base.Load()
	var wait sync.WaitGroup
	polled := make(chan answer, 3)
	for _, path := range []string{"/windows?wait=60s", "/verdicts?after=99999&wait=60s", "/windows?start=2030-01-01T00:00:00Z&wait=60s"} {
		wait.Go(func() {
			resp, err := client.Get(base + "/api/v1/views/typed" + path)
			if err != nil {
				polled <- answer{0, err.Error()}
				return
			}
			defer resp.Body.Close()
			var body json.RawMessage
			err = json.NewDecoder(resp.Body).Decode(&body)
			if err != nil {
				body = []byte("no JSON: " + err.Error())
			}
			polled <- answer{resp.StatusCode, string(body)}
		})
	}
	stop := make(chan struct{})
	for range 4 {
		wait.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				resp, err := client.Post(base+"/api/v1/views/typed/rows", "application/json", strings.NewReader(`{"keys":[{"id":"clean1"}]}`))
				if err != nil {
					return // the door is closed
				}
				resp.Body.Close()
			}
		})
	}
	h.until("requests are under way", 10*time.Second, func() error { return h.get("/api/v1/views", nil) })
	begun := time.Now()
	h.stop(syscall.SIGTERM)
	took := time.Since(begun)
	close(stop)
	wait.Wait()
	if code := h.cmd.ProcessState.ExitCode(); code != 0 || took > 10*time.Second {
		t.Errorf("SIGTERM under load: exit %d after %s, want 0 within 10 s; its log:\n%s", code, took, tail(h.log.Bytes(), 2000))
	}
	for range 3 {
		a := <-polled
		if p, ok := a.problem(); a.status != 0 && (!ok || a.status != 503 || p.Code != "unavailable") {
			t.Errorf("long poll when the process ends: %s, want 503 unavailable, or no answer", a)
		}
	}
}

// damaged starts the binary on folders whose files were damaged.
func (h *house) damaged(t *testing.T) {
	h.stop(syscall.SIGTERM)
	for name, tc := range map[string]struct {
		file   string
		damage func(b []byte) []byte
	}{
		"registry of another format": {"registry.db", func([]byte) []byte { return []byte(strings.Repeat("this is no database\n", 500)) }},
		"registry cut off":           {"registry.db", func(b []byte) []byte { return b[:len(b)/2+100] }},
		"registry with a hole": {"registry.db", func(b []byte) []byte {
			clear(b[100:min(len(b), 9000)])
			return b
		}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(h.dir)); err != nil {
				t.Fatal(err)
			}
			for _, side := range []string{"-wal", "-shm"} {
				if err := os.RemoveAll(filepath.Join(dir, tc.file+side)); err != nil {
					t.Fatal(err)
				}
			}
			path := filepath.Join(dir, tc.file)
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, tc.damage(content), 0o644); err != nil {
				t.Fatal(err)
			}
			o := once(t, "run", "--data="+dir, "--listen.http=127.0.0.1:0", "--listen.grpc=127.0.0.1:0", "--listen.kafka=127.0.0.1:0")
			if o.code != 1 || o.out != "" || !strings.Contains(o.errout, path) || strings.Contains(o.errout, "goroutine ") {
				t.Errorf("run on a %s: %s, want exit 1 that names %s", name, o, path)
			}
		})
	}
}
