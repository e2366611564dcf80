//go:build services

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"sluice/cmd/sluice/app"
	"sluice/test/services"
)

// TestRowsLost empties the server of the online store: while the platform runs, and while
// it does not. From the moment at which that is noticed no read takes an entity for one
// that does not exist, until all rows are back, and nobody does anything for that.
func TestRowsLost(t *testing.T) {
	own := services.Own(t, "redis")
	i := install(t, func(cfg *app.Config) { cfg.Redis.Addrs = own.Redis()[:1] })
	admin := goredis.NewClient(&goredis.Options{Addr: own.Redis()[0]})
	t.Cleanup(func() { admin.Close() })
	dir := i.define()
	s := session{t}
	s.run(0, "apply -f "+dir)
	old := filepath.Join(dir, "old.jsonl") // of a version that is certified, and that no later one covers
	if err := os.WriteFile(old, []byte(`{"user":"old","card":1,"amount":3,"country":"NL","event_time":"2024-01-01T00:00:05Z"}`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.run(0, "push payments "+old)
	for minute := range 7 {
		i.push(dir, minute, 0, func(n int) float64 { return float64(n % 7) })
	}
	i.served("get payments user=old,card=1", "2024-01-01T00:00:05Z")
	marked := func() {
		t.Helper()
		eventually(t, func() error {
			return unless(strings.Contains(metric(t, "sluice_rows_restored_ratio"), `{store="default"} 1`), "the store is not marked yet, or is being restored")
		})
	}
	flush := func() {
		t.Helper()
		if err := admin.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
	}
	back := func() {
		t.Helper()
		noticed := false
		eventually(t, func() error {
			text := readPayments(t, "old", "nobody")
			known := strings.Contains(text, `"PRESENT"`) && strings.Contains(text, `"NOT_FOUND"`) && strings.Contains(text, `"stale":false,"fallback":""`)
			switch {
			case strings.Contains(text, `"unavailable"`) || strings.Contains(text, `"fallback":"store"`):
				noticed = true
				if strings.Contains(text, `"NOT_FOUND"`) {
					t.Fatalf("an entity does not exist, while nobody can know: %s", text)
				}
			case noticed && !known:
				t.Fatalf("the rows are said to be back, and are not: %s", text)
			}
			return unless(noticed && known, "not lost and back again yet: "+text)
		})
	}
	marked()
	flush()
	back()
	if got := metric(t, "sluice_rows_restores_total"); !strings.Contains(got, `outcome="done",store="default"} 1`) {
		t.Errorf("restores: %s, want one that is done", got)
	}
	s.run(0, "audit --format json", "restore rows")
	marked()
	i.stop()
	flush()
	i.start()
	eventually(t, func() error {
		text := readPayments(t, "old", "nobody")
		if strings.Contains(text, `"NOT_FOUND"`) && !strings.Contains(text, `"PRESENT"`) {
			t.Fatalf("an entity does not exist, while nobody can know: %s", text)
		}
		return unless(strings.Contains(text, `"PRESENT"`) && strings.Contains(text, `"stale":false,"fallback":""`), "the rows are not back yet: "+text)
	})
	i.push(dir, 7, 0, func(n int) float64 { return float64(n % 7) })
}

// unless is an error but where it is so.
func unless(so bool, why string) error {
	if so {
		return nil
	}
	return errors.New(why)
}

// metric returns the lines of a metric.
func metric(t *testing.T, name string) (lines string) {
	t.Helper()
	resp, err := http.Get(os.Getenv("SLUICE_SERVER") + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, name+"{") {
			lines += line
		}
	}
	return lines
}

// readPayments reads the amounts of users with card 1.
func readPayments(t *testing.T, users ...string) string {
	t.Helper()
	var keys []string
	for _, user := range users {
		keys = append(keys, fmt.Sprintf(`{"user":%q,"card":1}`, user))
	}
	body := fmt.Sprintf(`{"keys":[%s],"features":["amount"]}`, strings.Join(keys, ","))
	resp, err := http.Post(os.Getenv("SLUICE_SERVER")+"/api/v1/views/payments/rows", "application/json", bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
