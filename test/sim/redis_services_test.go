//go:build services

package sim

import (
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"sluice/feature"
	"sluice/store/redis"
	"sluice/test/services"
)

var redisHistories = flag.Int("sim.redis", 300, "histories of TestHistoriesServices")

// TestHistoriesServices runs histories of two views of a group on a real Redis, whose
// Functions write and sweep what they share. As TestHistories, it holds each view
// against an oracle that knows nothing of the other.
func TestHistoriesServices(t *testing.T) {
	addr := services.Start(t, "redis").Redis()[0]
	var next, expired atomic.Int64
	var all tally
	began := time.Now()
	t.Run("workers", func(t *testing.T) {
		for i := range runtime.GOMAXPROCS(0) {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				a := openAway(t, addr)
				for n := next.Add(1) - 1; n < int64(*redisHistories) && !t.Failed(); n = next.Add(1) - 1 {
					seed := *firstSeed + uint64(n)
					w := a.history(t, seed, plan(seed))
					all.add(w)
					expired.Add(int64(w.expired))
					if w.failure() != "" {
						report(t, "TestHistoriesServices", "sim.redis", seed, w.failure(), func(ops []op) string { return a.history(t, seed, ops).failure() })
					}
				}
			})
		}
	})
	all.hold(t)
	t.Logf("%d histories of %d operations on Redis, %d reads of every key, in %s; %d answers lacked a row that had expired",
		all.total("histories"), all.total("operations"), all.total("reads of every key"), time.Since(began).Round(time.Second), expired.Load())
}

// away is a Redis outside of the bubble that a history's time passes in: what waits for
// its socket would not let that time go on. Its calls are made by goroutines of its own,
// over channels of its own, and the time that expiries go by is moved by age.
type away struct {
	store  *redis.Store
	admin  *goredis.Client
	prefix string
	calls  chan func()
	idle   chan chan struct{}
}

// callers is how many calls may be under way at once.
const callers = 8

func openAway(t *testing.T, addr string) *away {
	t.Helper()
	c := patientConfig(addr, "sim"+rand.Text()[:10]+":")
	a := &away{admin: goredis.NewClient(&goredis.Options{Addr: addr, Protocol: 2}), prefix: c.Prefix, calls: make(chan func()), idle: make(chan chan struct{}, callers)}
	if err := a.admin.ConfigSet(t.Context(), "hash-max-listpack-value", "512").Err(); err != nil { // as the store asks for
		t.Fatal(err)
	}
	var err error
	if a.store, err = redis.Open(t.Context(), redis.Options{Config: c}); err != nil {
		t.Fatal(err)
	}
	for range callers {
		a.idle <- make(chan struct{})
		go func() {
			for call := range a.calls {
				call()
			}
		}()
	}
	t.Cleanup(func() {
		close(a.calls)
		a.clear(t)
		a.store.Close()
		a.admin.Close()
	})
	return a
}

// history runs one on an empty Redis.
func (a *away) history(t *testing.T, seed uint64, ops []op) *world {
	t.Helper()
	a.clear(t)
	return historyOn(t, seed, ops, func(*testing.T) store { return a })
}

func (a *away) clear(t *testing.T) {
	t.Helper()
	if err := removeKeys(context.Background(), a.admin, a.prefix); err != nil {
		t.Fatal(err)
	}
}

// outside makes a call and waits for it.
func outside[T any](a *away, call func() (T, error)) (result T, err error) {
	done := <-a.idle
	a.calls <- func() {
		result, err = call()
		done <- struct{}{}
	}
	<-done
	a.idle <- done
	return result, err
}

// age lets d pass for whatever expires.
func (a *away) age(d time.Duration) {
	const pass = `
for _, key in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do
  local left, d = redis.call('PTTL', key), tonumber(ARGV[2])
  if left >= 0 and left <= d then redis.call('DEL', key)
  elseif left >= 0 then redis.call('PEXPIRE', key, left - d) end
end`
	_, err := outside(a, func() (any, error) {
		return a.admin.Eval(context.Background(), pass, nil, a.prefix, d.Milliseconds()).Result()
	})
	if err != nil && err != goredis.Nil {
		panic(err)
	}
}

func (a *away) Group(views map[feature.ViewID]string) { a.store.Group(views) }

func (a *away) SetExpiry(view feature.ViewID, d time.Duration) { a.store.SetExpiry(view, d) }

func (a *away) Stage(ctx context.Context, view feature.ViewID, version feature.Version, rows []feature.Row) (uint64, error) {
	return outside(a, func() (uint64, error) { return a.store.Stage(context.Background(), view, version, rows) })
}

func (a *away) Read(_ context.Context, view feature.ViewID, keys []feature.Key, dst [][]feature.Record) ([][]feature.Record, error) {
	return outside(a, func() ([][]feature.Record, error) { return a.store.Read(context.Background(), view, keys, dst) })
}

// ReadViews knows of no moment by which all is written: those of the bubble are others.
func (a *away) ReadViews(_ context.Context, views []feature.ViewID, keys []feature.Key, _ time.Time, dst [][]feature.Record) ([][]feature.Record, error) {
	return outside(a, func() ([][]feature.Record, error) {
		return a.store.ReadViews(context.Background(), views, keys, time.Time{}, dst)
	})
}

func (a *away) Drop(_ context.Context, view feature.ViewID, version feature.Version) (int, error) {
	return outside(a, func() (int, error) { return a.store.Drop(context.Background(), view, version) })
}

func (a *away) Fold(_ context.Context, view feature.ViewID, floor feature.Version, dead, touched []feature.Version) (int, error) {
	return outside(a, func() (int, error) { return a.store.Fold(context.Background(), view, floor, dead, touched) })
}

func (a *away) Sync(context.Context) error {
	_, err := outside(a, func() (struct{}, error) { return struct{}{}, a.store.Sync(context.Background()) })
	return err
}
