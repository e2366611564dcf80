//go:build services

package main

import (
	"context"
	"strconv"
	"strings"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"sluice/cmd/sluice/app"
	"sluice/test/services"
)

// TestNoRoom: while a server of the online store is short of memory a backfill is refused,
// which says what to do, and windows of the stream are taken, judged and served.
func TestNoRoom(t *testing.T) {
	own := services.Own(t, "redis")
	admin := goredis.NewClient(&goredis.Options{Addr: own.Redis()[0]})
	t.Cleanup(func() { admin.Close() })
	i := install(t, func(cfg *app.Config) {
		cfg.Redis.Addrs = own.Redis()[:1]
		cfg.Redis.OfflineLimit = 0 // the rows and connections of this test may take more than is left up to it
	})
	dir := i.define()
	s := session{t}
	s.run(0, "apply -f "+dir)
	i.push(dir, 0, 0, func(n int) float64 { return float64(n % 7) })
	i.stop()
	limit(t, admin, 8) // an eighth more than it uses
	i.start()
	eventually(t, func() error {
		return unless(!strings.Contains(metric(t, "sluice_rows_memory_ratio"), "} 0\n"), "the store has not looked yet")
	})
	file := rows(t, dir, "old.jsonl", 1, func(n int) float64 { return float64(n) })
	s.run(1, "push payments --backfill "+file, "!short of memory", "!raise maxmemory")
	if got := metric(t, "sluice_rows_refused_total"); !strings.Contains(got, `store="default",what="backfill"} 1`) {
		t.Errorf("refused: %s, want one backfill", got)
	}
	i.push(dir, 1, 0, func(n int) float64 { return float64(n % 7) })
	i.served("get payments user=000,card=0", "2024-01-01T00:01:00Z")
}

// limit lets a server use a share more than it does: an n-th.
func limit(t *testing.T, admin *goredis.Client, n uint64) {
	t.Helper()
	info, err := admin.Info(t.Context(), "memory").Result()
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(info, "used_memory:")
	text, _, _ := strings.Cut(rest, "\r\n")
	used, err := strconv.ParseUint(text, 10, 64)
	if err == nil {
		err = admin.ConfigSet(t.Context(), "maxmemory", strconv.FormatUint(used+used/n, 10)).Err()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { admin.ConfigSet(context.WithoutCancel(t.Context()), "maxmemory", "0") })
}
