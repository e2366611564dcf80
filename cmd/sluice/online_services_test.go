//go:build services

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/cmd/sluice/app"
	"sluice/test/services"
)

// What is promised of views in one online store while another does not answer. The
// margins are for a machine whose processors other work uses as well.
const (
	frozenReads = 2000                   // reads while the store is frozen; fewer make the run void
	mixedAnswer = 400 * time.Millisecond // of a request that also reads the frozen store: its deadline is 100 ms
	calmNoise   = 20 * time.Millisecond  // of a p99
)

const twoStoresYAML = `
project: shop
views:
  - name: payments
    online: critical
    entities: [user, {name: card, type: int64}]
    features: [{name: amount, type: float64}, {name: country, type: string}]
    window: {size: 1m, lateness: 10s}
    source: {topic: TOPIC_payments}
  - name: orders
    entities: [user, {name: card, type: int64}]
    features: [{name: amount, type: float64}, {name: country, type: string}]
    window: {size: 1m, lateness: 10s}
    source: {topic: TOPIC_orders}
`

// TestDedicatedStoreFrozen freezes the server of one online store under load. The view
// in the other store is read as before, and its next window is judged and served;
// requests of both views answer what there is, in time; and the frozen store's view goes
// on where it was once the server is back.
func TestDedicatedStoreFrozen(t *testing.T) {
	shared, own := services.Start(t, "redis"), services.Own(t, "redis")
	name := services.Name(t)
	i := install(t, func(cfg *app.Config) {
		cfg.Redis.Addrs, cfg.Redis.Prefix = shared.Redis()[:1], name[len(name)-8:]+":"
		cfg.OnlineStores = app.OnlineStores{"critical": {Addrs: own.Redis()[:1]}}
	})
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "views.yaml"), []byte(strings.ReplaceAll(twoStoresYAML, "TOPIC", name)), 0o600); err != nil {
		t.Fatal(err)
	}
	s := session{t}
	s.run(0, "apply -f "+dir)
	amount := func(n int) float64 { return float64(n % 7) }
	push := func(view string, minute int, flags string) {
		t.Helper()
		s.run(0, "push "+view+" "+rows(t, dir, fmt.Sprintf("%s%d.jsonl", view, minute), minute, amount)+" --seal "+flags)
	}
	push("payments", 0, "--wait")
	push("orders", 0, "--wait")
	i.served("get payments user=000,card=0", "2024-01-01T00:00:00Z")
	i.served("get orders user=000,card=0", "2024-01-01T00:00:00Z")
	calm := readMany(t, 500, `"orders:amount"`)

	nodes, err := own.Nodes(t.Context())
	if err != nil || len(nodes) != 1 {
		t.Fatalf("nodes %v, %v, want the one server", nodes, err)
	}
	if err := own.Pause(t.Context(), "redis", nodes[0].Name); err != nil {
		t.Fatal(err)
	}
	push("payments", 1, "") // waits in the log
	push("orders", 1, "--wait")
	i.served("get orders user=000,card=0", "2024-01-01T00:01:00Z")
	for n := range 20 {
		began := time.Now()
		code, text := readOnline(t, `"orders:amount","payments:amount"`)
		if took := time.Since(began); code != http.StatusOK || took > mixedAnswer || strings.Count(text, `"PRESENT"`) != 3 || !strings.Contains(text, `"INVALID"`) {
			t.Errorf("request %d of both views: %d in %v: %s", n, code, took, text)
		}
	}
	frozen := readMany(t, frozenReads, `"orders:amount"`)
	p99 := func(all []time.Duration) time.Duration { return all[len(all)*99/100] }
	t.Logf("reads of the view in the other store: p50 %v, p99 %v before; p50 %v, p99 %v while frozen", calm[len(calm)/2], p99(calm), frozen[len(frozen)/2], p99(frozen))
	if p99(frozen) > 2*p99(calm)+calmNoise {
		t.Errorf("p99 %v while the other store is frozen, %v before", p99(frozen), p99(calm))
	}
	push("orders", 2, "--wait")
	i.served("get orders user=000,card=0", "2024-01-01T00:02:00Z")

	if err := own.Resume(t.Context(), "redis", nodes[0].Name); err != nil {
		t.Fatal(err)
	}
	s.run(0, "windows payments --start 2024-01-01T00:01:00Z --wait 30s", "judged")
	i.served("get payments user=000,card=0", "2024-01-01T00:01:00Z")
}

// readOnline asks Feast's route for a row of features.
func readOnline(t *testing.T, features string) (code int, text string) {
	t.Helper()
	body := fmt.Sprintf(`{"features":[%s],"entities":{"user":["000"],"card":[0]},"full_feature_names":true}`, features)
	resp, err := http.Post(os.Getenv("SLUICE_SERVER")+"/get-online-features", "application/json", bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || !json.Valid(b) {
		t.Fatalf("answer %s, %v", b, err)
	}
	return resp.StatusCode, string(b)
}

// readMany reads features n times, one after the other, wants a value each time, and
// returns how long each took, rising.
func readMany(t *testing.T, n int, features string) (took []time.Duration) {
	t.Helper()
	for range n {
		began := time.Now()
		code, text := readOnline(t, features)
		if code != http.StatusOK || strings.Count(text, `"PRESENT"`) != 3 {
			t.Fatalf("read %d: %d %s", len(took), code, text)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	return took
}
