//go:build services

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"sluice/cmd/sluice/app"
	"sluice/feature"
	"sluice/test/services"
)

// TestOfflineWrites: while a server of the online store is nearly full windows are judged,
// and nothing of them can be read; also after a restart. Once there is room each of their
// rows is, exactly.
func TestOfflineWrites(t *testing.T) {
	own := services.Own(t, "redis")
	admin := goredis.NewClient(&goredis.Options{Addr: own.Redis()[0]})
	t.Cleanup(func() {
		admin.Del(context.WithoutCancel(t.Context()), "ballast")
		admin.Close()
	})
	i := install(t, func(cfg *app.Config) { cfg.Redis.Addrs = own.Redis()[:1] })
	dir := i.define()
	s := session{t}
	amount := func(minute int) func(int) float64 {
		return func(n int) float64 { return 10 + float64(n%7) + float64(minute)/100 }
	}
	i.push(dir, 0, 0, amount(0))
	// Connections come and go: they are to be little of what is used.
	if err := admin.SetRange(t.Context(), "ballast", 64<<20, "x").Err(); err != nil {
		t.Fatal(err)
	}
	limit(t, admin, 15) // it uses 94 %
	const first, last = 1, 5
	for minute := first; minute <= last; minute++ {
		if minute == first || minute == 3 { // with a restart in the middle
			if minute == 3 {
				i.stop()
				i.start()
			}
			eventually(t, func() error {
				return unless(strings.Contains(metric(t, "sluice_rows_offline"), "} 1\n"), "the store has not found yet that it is nearly full: "+metric(t, "sluice_rows_memory_ratio"))
			})
		}
		i.push(dir, minute, 3, amount(minute))
		s.run(0, "windows payments", fmt.Sprintf("judged  %d", minute+1))
		s.run(0, "versions payments", "rests in the log: its online store is nearly full")
	}
	all := i.look()
	for key, got := range all.gets {
		if !strings.Contains(got, "2024-01-01T00:00:") {
			t.Errorf("%s: a row of a window that is offline is served: %s", key, got)
		}
	}
	s.run(1, "doctor --redis.addrs="+own.Redis()[0]+i.flags(), "BAD    redis offline_limit")
	if len(all.versions) != last+1 || len(all.verdicts) != last+1 {
		t.Errorf("%d versions and %d verdicts, want %d of each", len(all.versions), len(all.verdicts), last+1)
	}

	if err := admin.ConfigSet(t.Context(), "maxmemory", "0").Err(); err != nil {
		t.Fatal(err)
	}
	for n := range 100 {
		want := fmt.Sprintf("%g", amount(last)(n))
		i.served(fmt.Sprintf("get payments user=00%d,card=%d --features amount", n, n), want)
	}
	var joined []feature.VersionInfo
	for _, info := range i.look().versions {
		if info.Kind == feature.KindApproved && info.State == feature.StateVisible {
			joined = append(joined, info)
		}
	}
	rows := uint64(0)
	for _, info := range joined {
		rows += info.Rows
	}
	if rows != 100*(last-first+1) {
		t.Errorf("versions from the log have %d rows, want %d: %+v", rows, 100*(last-first+1), joined)
	}
	var accounting struct {
		Items []struct{ Received, Accepted, Duplicate uint64 }
	}
	if err := json.Unmarshal([]byte(apiText(t, "/api/v1/accounting")), &accounting); err != nil {
		t.Fatal(err)
	}
	received, accepted := uint64(0), uint64(0)
	for _, of := range accounting.Items {
		received, accepted = received+of.Received, accepted+of.Accepted
	}
	if received != 100*(last+1) || accepted != received {
		t.Errorf("%d received and %d accepted, want %d", received, accepted, 100*(last+1))
	}
	i.push(dir, last+1, 0, amount(last+1))
}
