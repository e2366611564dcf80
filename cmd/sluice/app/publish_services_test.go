//go:build services

package app

import (
	"context"
	"flag"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"sluice/store/redis"
	"sluice/store/registry"
	"sluice/test/services"
)

var (
	publishedEntities = flag.Int("publish.entities", 1_000_000, "entities of the version of BenchmarkPublishServices")
	onlookPause       = flag.Duration("publish.pause", 50*time.Millisecond, "of each of its readers between two reads: half of it is in the median of what they see")
)

const (
	onlookers     = 200
	onlookServers = 4 // that they read from, each with connections of its own to the registry
	onlookLimit   = 30 * time.Second
)

// onlooker reads an account again and again.
type onlooker struct {
	http    http.Handler
	account int
	turns   chan<- turn
	reads   *[2]atomic.Int64 // answered, failed
}

// turn is that an onlooker sees the version, or no longer.
type turn struct {
	shown bool
	at    time.Time // when the answer was there
	last  time.Time // when the last read began that was answered as before, without a flag
}

func (o *onlooker) run(ctx context.Context) {
	tick := time.NewTicker(*onlookPause)
	defer tick.Stop()
	shown, last := false, time.Time{}
	for {
		began := time.Now()
		status, flagged := statusOf(o.http, o.account)
		failed := status != "PRESENT" && status != "NOT_FOUND"
		switch {
		case failed:
			o.reads[1].Add(1)
		case shown != (status == "PRESENT"):
			shown = !shown
			o.turns <- turn{shown, time.Now(), last}
		case !flagged:
			last = began
		}
		if !failed {
			o.reads[0].Add(1)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// BenchmarkPublishServices is BenchmarkPublish on PostgreSQL and Redis, with 200 readers:
// medians and the greatest of the commits, of the times from a commit to the first answer
// of each reader that goes by it, and to the begin of its last read that went by what was
// before and did not say so. An operation is a publication and a rollback.
func BenchmarkPublishServices(b *testing.B) {
	set, p := services.Start(b, "redis", "postgres"), &publishing{}
	dsn := set.Database(b)
	open := func() *registry.Registry {
		r, err := registry.OpenPostgres(b.Context(), dsn, registry.PostgresOptions{})
		p.must(b, err)
		b.Cleanup(func() { p.must(b, r.Close()) })
		return r
	}
	p.registry = open()
	rows := publishedOnRedis(b, set.Redis()[0])
	p.prepare(b, rows, *publishedEntities)
	turns, reads := make(chan turn, onlookers), &[2]atomic.Int64{}
	ctx, stop := context.WithCancel(b.Context())
	var reading sync.WaitGroup
	b.Cleanup(func() { stop(); reading.Wait() })
	for range onlookServers {
		h := p.serve(b, rows, open())
		for n := range onlookers / onlookServers {
			o := &onlooker{h, n * *publishedEntities / onlookers, turns, reads}
			reading.Go(func() { o.run(ctx) })
		}
	}
	var commits, seen, before [2][]time.Duration
	for b.Loop() {
		for i, show := range []bool{true, false} {
			began := time.Now()
			p.decide(b.Context(), b, show)
			committed := time.Now()
			commits[i] = append(commits[i], committed.Sub(began))
			for _, t := range allTurn(b, turns, show) {
				seen[i], before[i] = append(seen[i], t.at.Sub(committed)), append(before[i], max(0, t.last.Sub(committed)))
			}
		}
	}
	stop()
	reading.Wait()
	for i, name := range []string{"publish", "rollback"} {
		for what, list := range map[string][]time.Duration{"commit": commits[i], "seen": seen[i], "before": before[i]} {
			slices.Sort(list)
			b.ReportMetric(1000*list[len(list)/2].Seconds(), name+"-"+what+"-ms")
			b.ReportMetric(1000*list[len(list)-1].Seconds(), name+"-"+what+"-max-ms")
		}
	}
	b.ReportMetric(float64(reads[0].Load()), "reads")
	b.ReportMetric(float64(reads[1].Load()), "failed-reads")
	b.ReportMetric(0, "ns/op")
}

// allTurn waits until every onlooker sees a decision.
func allTurn(b *testing.B, turns <-chan turn, shown bool) (all []turn) {
	b.Helper()
	limit := time.NewTimer(onlookLimit)
	defer limit.Stop()
	for range onlookers {
		select {
		case t := <-turns:
			if t.shown != shown {
				b.Fatalf("a reader sees the version (%v) against the decision", t.shown)
			}
			all = append(all, t)
		case <-limit.C:
			b.Fatalf("%d of %d readers see the decision (visible: %v) within %s", len(all), onlookers, shown, onlookLimit)
		}
	}
	return all
}

// publishedOnRedis opens a row store on Redis, under a prefix whose keys are removed in the
// end.
func publishedOnRedis(b *testing.B, addr string) *redis.Store {
	b.Helper()
	ctx, config := context.Background(), redis.DefaultConfig()
	name := services.Name(b)
	config.Addrs, config.Prefix = []string{addr}, name[len(name)-8:]+":"
	config.WriteDeadline = 30 * time.Second // a machine that measures is busy
	admin := goredis.NewClient(&goredis.Options{Addr: addr})
	if err := admin.ConfigSet(ctx, "hash-max-listpack-value", "512").Err(); err != nil { // as the store asks for
		b.Fatal(err)
	}
	rows, err := redis.Open(ctx, redis.Options{Config: config})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		rows.Close()
		for at := uint64(0); ; {
			keys, next, err := admin.Scan(ctx, at, config.Prefix+"*", 5000).Result()
			if err == nil && len(keys) > 0 {
				err = admin.Unlink(ctx, keys...).Err()
			}
			if err != nil {
				b.Error(err)
			}
			if at = next; at == 0 || err != nil {
				break
			}
		}
		admin.Close()
	})
	return rows
}
