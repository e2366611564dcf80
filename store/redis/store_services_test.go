//go:build services

package redis_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	goredis "github.com/redis/go-redis/v9"

	"sluice/feature"
	"sluice/store/redis"
)

// both runs a test on one server and on a Cluster.
func both(t *testing.T, test func(*testing.T, *server)) {
	t.Run("single", func(t *testing.T) { test(t, oneServer(t)) })
	t.Run("cluster", func(t *testing.T) { test(t, aCluster(t)) })
}

// everyPrimary calls fn for each primary.
func (s *server) everyPrimary(t testing.TB, fn func(context.Context, *goredis.Client) error) {
	t.Helper()
	var err error
	switch c := s.admin.(type) {
	case *goredis.Client:
		err = fn(t.Context(), c)
	case *goredis.ClusterClient:
		err = c.ForEachMaster(t.Context(), fn)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// keysOf lists the keys that a test has made.
func (s *server) keysOf(t testing.TB, prefix string) (all []string) {
	t.Helper()
	found := make(chan []string, 100)
	s.everyPrimary(t, func(ctx context.Context, c *goredis.Client) error {
		keys, err := c.Keys(ctx, prefix+"*").Result()
		found <- keys
		return err
	})
	close(found)
	for keys := range found {
		all = append(all, keys...)
	}
	return all
}

func TestFunctionsComeBack(t *testing.T) {
	both(t, func(t *testing.T, on *server) {
		s := open(t, on.prefix(t))
		on.everyPrimary(t, func(ctx context.Context, c *goredis.Client) error { return c.FunctionDelete(ctx, "sluice_3").Err() })
		if _, err := s.Stage(t.Context(), 1, 1, batch(0, 500, 1)); err != nil {
			t.Fatalf("Stage without Functions on the server = %v", err)
		}
		if n, _, err := s.Stat(t.Context(), 1, 1); n != 500 || err != nil {
			t.Errorf("Stat = %d rows, %v, want 500", n, err)
		}
	})
}

// TestNothingStays checks that once every version was folded or dropped there is
// nothing left but rows that are visible, and one bitmap a view.
func TestNothingStays(t *testing.T) {
	both(t, func(t *testing.T, on *server) {
		c := on.prefix(t)
		s := open(t, c)
		for v := feature.Version(1); v <= 3; v++ {
			if _, err := s.Stage(t.Context(), 1, v, batch(0, 1000, v)); err != nil {
				t.Fatal(err)
			}
		}
		if n, err := s.Drop(t.Context(), 1, 2); n != 1000 || err != nil {
			t.Fatalf("Drop(2) = %d, %v, want 1000", n, err)
		}
		if n, err := s.Fold(t.Context(), 1, 3, nil, []feature.Version{1, 3}); n != 1000 || err != nil {
			t.Fatalf("Fold = %d, %v, want 1000", n, err)
		}
		if keys := on.keysOf(t, c.Prefix); len(keys) != 1001 {
			t.Errorf("%d keys stay, want 1000 rows and a bitmap", len(keys))
		}
		if n, err := s.Drop(t.Context(), 1, 3); n != 1000 || err != nil { // its index is gone: by scanning
			t.Fatalf("Drop(3) = %d, %v, want 1000", n, err)
		}
		if keys := on.keysOf(t, c.Prefix); len(keys) > 1 {
			t.Errorf("%d keys stay, want at most a bitmap", len(keys))
		}
	})
}

func TestExpiry(t *testing.T) {
	both(t, func(t *testing.T, on *server) {
		c := on.prefix(t)
		s := open(t, c)
		s.SetExpiry(1, time.Hour)
		for view := feature.ViewID(1); view <= 2; view++ {
			if _, err := s.Stage(t.Context(), view, 1, batch(0, 50, 1)); err != nil {
				t.Fatal(err)
			}
		}
		with, without := 0, 0
		for _, k := range on.keysOf(t, c.Prefix) {
			switch d, err := on.admin.PTTL(t.Context(), k).Result(); {
			case err != nil:
				t.Fatal(err)
			case d < 0:
				without++
			case d > 59*time.Minute && d <= time.Hour:
				with++
			default:
				t.Errorf("key %q expires after %s, want 1h or never", k, d)
			}
		}
		if with != without || with <= 50 {
			t.Errorf("%d keys expire and %d do not, want as many: rows and indexes of one of two views", with, without)
		}
		s.SetExpiry(1, 0) // its ttl was taken away: what is written from now on stays
		if _, err := s.Stage(t.Context(), 1, 2, batch(0, 100, 2)); err != nil {
			t.Fatal(err)
		}
		if n, err := s.Fold(t.Context(), 1, 2, nil, []feature.Version{1, 2}); n != 50 || err != nil {
			t.Fatalf("Fold removed %d records (%v), want the former ones of 50 keys", n, err)
		}
		for _, k := range on.keysOf(t, c.Prefix) {
			if d, err := on.admin.PTTL(t.Context(), k).Result(); err != nil || d >= 0 {
				t.Errorf("key %q of a view without a ttl any more expires after %s (%v), want never", k, d, err)
			}
		}
	})
}

func TestDamage(t *testing.T) {
	both(t, func(t *testing.T, on *server) {
		c := on.prefix(t)
		s := open(t, c)
		rows := batch(0, 4, 1)
		if _, err := s.Stage(t.Context(), 1, 1, rows); err != nil {
			t.Fatal(err)
		}
		for _, k := range on.keysOf(t, c.Prefix) {
			if strings.HasSuffix(k, key(2)) && strings.Contains(k, "}r") {
				if err := on.admin.HSet(t.Context(), k, "\x01", "garbage").Err(); err != nil {
					t.Fatal(err)
				}
			}
		}
		var partial *redis.PartialError
		chains, err := s.Read(t.Context(), 1, []feature.Key{rows[0].Key, rows[2].Key, rows[3].Key}, nil)
		if !errors.Is(err, redis.ErrCorrupt) || !errors.As(err, &partial) || !reflect.DeepEqual(partial.Failed, []int{1}) {
			t.Errorf("Read = %v, want %v for key 1 alone", err, redis.ErrCorrupt)
		}
		if len(chains[0]) != 1 || len(chains[1]) != 0 || len(chains[2]) != 1 {
			t.Errorf("Read gave chains of %d, %d and %d records, want 1, 0 and 1", len(chains[0]), len(chains[1]), len(chains[2]))
		}
		newer := batch(0, 4, 2)
		if _, err := s.Stage(t.Context(), 1, 1, newer); !errors.Is(err, redis.ErrCorrupt) {
			t.Errorf("Stage over a damaged record = %v, want %v", err, redis.ErrCorrupt)
		}
		if _, err := s.Fold(t.Context(), 1, 1, nil, []feature.Version{1}); !errors.Is(err, redis.ErrCorrupt) {
			t.Errorf("Fold over a damaged record = %v, want %v", err, redis.ErrCorrupt)
		}
	})
}

func TestVersionRange(t *testing.T) {
	s := open(t, oneServer(t).prefix(t))
	for _, v := range []feature.Version{0, redis.MaxVersion + 1} {
		if _, err := s.Stage(t.Context(), 1, v, batch(0, 1, 1)); !errors.Is(err, redis.ErrVersion) {
			t.Errorf("Stage(version %d) = %v, want %v", v, err, redis.ErrVersion)
		}
	}
}

func TestClosed(t *testing.T) {
	s := open(t, oneServer(t).prefix(t))
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Fatalf("Close twice = %v", err)
	}
	if _, err := s.Read(t.Context(), 1, nil, nil); !errors.Is(err, redis.ErrClosed) {
		t.Errorf("Read of a closed store = %v, want %v", err, redis.ErrClosed)
	}
}

func TestCheckServer(t *testing.T) {
	on := oneServer(t)
	node := on.admin.(*goredis.Client)
	if found, err := redis.CheckServer(t.Context(), node); len(found) > 0 || err != nil {
		t.Errorf("CheckServer = %v, %v, want nothing", found, err)
	}
	for setting, tc := range map[string]struct {
		bad     string
		refused bool // else it is a warning
	}{"hash-max-listpack-value": {"64", false}, "hash-max-listpack-entries": {"2", false}, "maxmemory-policy": {"allkeys-lru", true}} {
		t.Run(setting, func(t *testing.T) {
			good := node.ConfigGet(t.Context(), setting).Val()[setting]
			defer node.ConfigSet(context.Background(), setting, good)
			if err := node.ConfigSet(t.Context(), setting, tc.bad).Err(); err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			s, err := redis.Open(t.Context(), redis.Options{Config: on.config, Log: slog.New(slog.NewTextHandler(&log, nil))})
			if errors.Is(err, redis.ErrServer) != tc.refused {
				t.Errorf("Open = %v, want it refused: %v", err, tc.refused)
			}
			if said := fmt.Sprint(err) + log.String(); !strings.Contains(said, setting) || !strings.Contains(said, on.config.Addrs[0]) {
				t.Errorf("Open said %q, want %s and the server", said, setting)
			}
			if err == nil {
				s.Close()
			}
		})
	}
}

// TestFrozenShard stops a primary of the Cluster for less than its node timeout, so
// that there is no failover: reads of the others must not notice, its replica stands in
// with what it has, and once that is stopped as well the error names what failed, in
// time.
func TestFrozenShard(t *testing.T) {
	on := aCluster(t)
	c := on.prefix(t)
	quick := redis.DefaultConfig()
	synced := c
	synced.SyncReplicas, synced.SyncTimeout = 1, 10*time.Second
	fill := open(t, synced)
	rows := batch(0, 600, 1)
	if _, err := fill.Stage(t.Context(), 1, 1, rows); err != nil {
		t.Fatal(err)
	}
	if err := fill.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.ReadDeadline, c.ReadTimeout, c.WriteTimeout, c.DialTimeout = 200*time.Millisecond, 150*time.Millisecond, 150*time.Millisecond, quick.DialTimeout
	c.WriteDeadline = 400 * time.Millisecond
	s := open(t, c)
	keys := keysOf(rows)
	if _, err := s.Read(t.Context(), 1, keys, nil); err != nil {
		t.Fatal(err)
	}
	admin := on.admin.(*goredis.ClusterClient)
	victim, err := admin.MasterForKey(t.Context(), "0")
	if err != nil {
		t.Fatal(err)
	}
	replica, err := admin.SlaveForKey(t.Context(), "0")
	if err != nil {
		t.Fatal(err)
	}
	pid, other := processOf(t, victim), processOf(t, replica)
	freeze(t, pid)
	standsIn(t, s, keys, victim.Options().Addr)
	freeze(t, other)
	var partial *redis.PartialError
	began := time.Now()
	chains, err := s.Read(t.Context(), 1, keys, nil)
	if took := time.Since(began); !errors.As(err, &partial) || took > time.Second {
		t.Fatalf("Read = %v after %s, want a partial error soon", err, took)
	}
	if n := len(partial.Failed); n < len(keys)/6 || n > len(keys)/2 || len(partial.Behind) > 0 {
		t.Errorf("%d of %d keys failed, %d of a replica, want a third and none", n, len(keys), len(partial.Behind))
	}
	if !strings.Contains(err.Error(), victim.Options().Addr) {
		t.Errorf("Read = %v, want it to name %s", err, victim.Options().Addr)
	}
	healthy := remove(keys, partial.Failed, chains, t)
	for range 20 {
		if _, err := s.Read(t.Context(), 1, healthy, nil); err != nil {
			t.Fatalf("Read of healthy shards = %v", err)
		}
	}
	if _, err := s.Stage(t.Context(), 1, 2, batch(0, 600, 2)); !errors.As(err, &partial) || len(partial.Failed) > len(keys)/2 {
		t.Errorf("Stage = %v, want that a third failed", err)
	}
	for _, pid := range []int{pid, other} {
		if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, func() error {
		_, err := s.Stage(t.Context(), 1, 2, batch(0, 600, 2))
		return err
	})
	if n, _, err := fill.Stat(t.Context(), 1, 2); n != 600 || err != nil {
		t.Errorf("Stat = %d rows, %v, want 600", n, err)
	}
}

// standsIn reads keys, and as many that have no rows, while a primary does not answer:
// its replica gives the rows, and an empty chain of it is no answer.
func standsIn(t *testing.T, s *redis.Store, keys []feature.Key, victim string) {
	t.Helper()
	all := slices.Concat(keys, keysOf(batch(10_000, 10_000+len(keys), 1)))
	began := time.Now()
	chains, err := s.Read(t.Context(), 1, all, nil)
	var partial *redis.PartialError
	if took := time.Since(began); !errors.As(err, &partial) || took > time.Second || !strings.Contains(err.Error(), victim) {
		t.Fatalf("Read = %v after %s, want a partial error soon that names %s", err, took, victim)
	}
	for what, of := range map[string][]int{"of a replica": partial.Behind, "failed": partial.Failed} {
		if n := len(of); n < len(keys)/6 || n > len(keys)/2 || !slices.IsSorted(of) {
			t.Errorf("%d keys %s, want a third of %d, rising", n, what, len(keys))
		}
	}
	for _, i := range partial.Behind {
		if i >= len(keys) {
			t.Errorf("key %d has no row, and is said to be of a replica", i)
		}
	}
	for i, chain := range chains {
		if want := i < len(keys); want != (len(chain) == 1) {
			t.Errorf("key %d has %d records, want one: %t", i, len(chain), want)
		}
	}
}

func keysOf(rows []feature.Row) []feature.Key {
	keys := make([]feature.Key, len(rows))
	for i := range rows {
		keys[i] = rows[i].Key
	}
	return keys
}

// remove returns the keys that did not fail, whose chains must be there.
func remove(keys []feature.Key, failed []int, chains [][]feature.Record, t *testing.T) (good []feature.Key) {
	t.Helper()
	bad := map[int]bool{}
	for _, i := range failed {
		bad[i] = true
	}
	for i, k := range keys {
		if bad[i] != (len(chains[i]) == 0) {
			t.Errorf("key %d has %d records, failed: %t", i, len(chains[i]), bad[i])
		}
		if !bad[i] {
			good = append(good, k)
		}
	}
	return good
}

// TestMovedKeys has a replica take over from its primary in good order, while the
// store's map of the Cluster is as good as never read again by itself.
func TestMovedKeys(t *testing.T) {
	on := aCluster(t)
	c := on.prefix(t)
	c.StateReload = time.Hour
	s := open(t, c)
	rows := batch(0, 600, 1)
	if _, err := s.Stage(t.Context(), 1, 1, rows); err != nil {
		t.Fatal(err)
	}
	admin := on.admin.(*goredis.ClusterClient)
	replica, err := admin.SlaveForKey(t.Context(), "0")
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error { return replica.ClusterFailover(t.Context()).Err() })
	eventually(t, func() error {
		if role := infoOf(t, replica, "replication", "role"); role != "master" {
			return fmt.Errorf("the replica is still a %s", role)
		}
		return nil
	})
	keys := make([]feature.Key, len(rows))
	for i := range rows {
		keys[i] = rows[i].Key
	}
	chains, err := s.Read(t.Context(), 1, keys, nil)
	for i, chain := range chains {
		if len(chain) != 1 {
			t.Fatalf("key %d has %d records, %v, want 1", i, len(chain), err)
		}
	}
	if err != nil {
		t.Fatalf("Read = %v", err)
	}
	if _, err := s.Stage(t.Context(), 1, 2, batch(0, 600, 2)); err != nil {
		t.Fatalf("Stage = %v", err)
	}
	if n, err := s.Drop(t.Context(), 1, 2); n != 600 || err != nil {
		t.Errorf("Drop = %d, %v, want 600", n, err)
	}
	admin.ReloadState(t.Context()) // for the clearing up
}

// TestMemoryFull fills a server up to its limit: rows are refused, and say why; those
// that are there are read and dropped; and it goes on once there is room.
func TestMemoryFull(t *testing.T) {
	on := oneServer(t)
	node := on.admin.(*goredis.Client)
	s := open(t, on.prefix(t))
	rows := batch(0, 200, 1)
	if _, err := s.Stage(t.Context(), 1, 1, rows); err != nil {
		t.Fatal(err)
	}
	defer node.ConfigSet(context.Background(), "maxmemory", "0")
	if err := node.ConfigSet(t.Context(), "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Stage(t.Context(), 1, 2, batch(200, 400, 2)); err == nil || !strings.Contains(err.Error(), "OOM") {
		t.Errorf("Stage on a full server = %v, want it refused with OOM", err)
	}
	chains, err := s.Read(t.Context(), 1, []feature.Key{rows[0].Key}, nil)
	if err != nil || len(chains[0]) != 1 {
		t.Errorf("Read of a full server = %v, %v, want the row", chains, err)
	}
	if n, err := s.Drop(t.Context(), 1, 1); n != len(rows) || err != nil {
		t.Errorf("Drop on a full server = %d, %v, want %d", n, err, len(rows))
	}
	if err := node.ConfigSet(t.Context(), "maxmemory", "0").Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Stage(t.Context(), 1, 2, batch(200, 400, 2)); err != nil {
		t.Errorf("Stage once there is room = %v", err)
	}
}

// TestMemoryShown opens a store on a server that has used more than its limit: it opens,
// so that what is there can be read, and shows that.
func TestMemoryShown(t *testing.T) {
	on := oneServer(t)
	node := on.admin.(*goredis.Client)
	open(t, on.prefix(t)) // so that the server has the Functions
	defer node.ConfigSet(context.Background(), "maxmemory", "0")
	if err := node.ConfigSet(t.Context(), "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	metrics := prometheus.NewRegistry()
	s, err := redis.Open(t.Context(), redis.Options{Config: on.prefix(t), Metrics: redis.NewMetrics(metrics)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	limit := time.After(10 * time.Second)
	for tick := time.Tick(10 * time.Millisecond); memoryRatio(t, metrics) <= 1; {
		select {
		case <-tick:
		case <-limit:
			t.Fatalf("sluice_rows_memory_ratio = %g, want more than 1", memoryRatio(t, metrics))
		}
	}
}

func memoryRatio(t *testing.T, metrics prometheus.Gatherer) float64 {
	t.Helper()
	families, err := metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "sluice_rows_memory_ratio" {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatal("no sluice_rows_memory_ratio")
	return 0
}

// aReplica returns a replica of a Cluster. Tests before may have frozen some, and a client
// takes a primary where it knows of none: the Cluster is asked until it has one.
func aReplica(t *testing.T, admin *goredis.ClusterClient) *goredis.Client {
	t.Helper()
	limit := time.After(30 * time.Second)
	for tick := time.Tick(50 * time.Millisecond); ; {
		nodes, err := admin.ClusterNodes(t.Context()).Result()
		for line := range strings.Lines(nodes) {
			if f := strings.Fields(line); len(f) >= 8 && strings.TrimPrefix(f[2], "myself,") == "slave" && f[7] == "connected" {
				addr, _, _ := strings.Cut(f[1], "@")
				if !listed(t, admin, addr) {
					continue
				}
				replica := goredis.NewClient(&goredis.Options{Addr: addr, Protocol: 2})
				t.Cleanup(func() { replica.Close() })
				return replica
			}
		}
		select {
		case <-tick:
		case <-limit:
			t.Fatalf("no replica in 30 s: %q, %v", nodes, err)
		}
	}
}

// listed reports whether each server of a Cluster, one that has begun just now as well, gives
// the address to clients that ask it for the slots.
func listed(t *testing.T, admin *goredis.ClusterClient, addr string) bool {
	t.Helper()
	var missing atomic.Bool
	err := admin.ForEachShard(t.Context(), func(ctx context.Context, server *goredis.Client) error {
		shards, err := server.ClusterShards(ctx).Result()
		if !slices.ContainsFunc(shards, func(s goredis.ClusterShard) bool {
			return slices.ContainsFunc(s.Nodes, func(n goredis.Node) bool {
				return net.JoinHostPort(n.IP, strconv.FormatInt(n.Port, 10)) == addr && n.Health == "online"
			})
		}) {
			missing.Store(true)
		}
		return err
	})
	return err == nil && !missing.Load()
}

// TestCheckReplica gives a replica settings that do not suit: opening a store names them,
// and is not refused for them.
func TestCheckReplica(t *testing.T) {
	cluster := func(t *testing.T) (redis.Config, *goredis.Client, func()) {
		on := aCluster(t)
		return on.config, aReplica(t, on.admin.(*goredis.ClusterClient)), func() {}
	}
	sentinel := func(t *testing.T) (redis.Config, *goredis.Client, func()) {
		at := startWatched(t)
		return at.config, at.replica.Client, at.replica.kill
	}
	for name, start := range map[string]func(*testing.T) (redis.Config, *goredis.Client, func()){"cluster": cluster, "sentinel": sentinel} {
		t.Run(name, func(t *testing.T) {
			c, replica, kill := start(t)
			addr := replica.Options().Addr
			bad := map[string]string{"hash-max-listpack-value": "64", "maxmemory-policy": "allkeys-lru", "replica-serve-stale-data": "no", "maxmemory": "1000000000"}
			for setting, value := range bad {
				good := replica.ConfigGet(t.Context(), setting).Val()[setting]
				t.Cleanup(func() { replica.ConfigSet(context.Background(), setting, good) })
				if err := replica.ConfigSet(t.Context(), setting, value).Err(); err != nil {
					t.Fatal(err)
				}
			}
			said := func() string {
				var log bytes.Buffer
				s, err := redis.Open(t.Context(), redis.Options{Config: c, Log: slog.New(slog.NewTextHandler(&log, nil))})
				if err != nil {
					t.Fatalf("Open = %v", err)
				}
				s.Close()
				return log.String()
			}
			text := said()
			found, err := redis.Inspect(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			for setting := range bad {
				if !strings.Contains(text, addr+" (a replica): "+setting+" is ") {
					t.Errorf("Open said %q, want %s of %s", text, setting, addr)
				}
				if !slices.ContainsFunc(found.Findings, func(f redis.Finding) bool {
					return f.Setting == setting && f.Server == addr+" (a replica)" && !f.Refused
				}) {
					t.Errorf("Inspect found %v, want %s of %s", found.Findings, setting, addr)
				}
			}
			if kill(); name == "sentinel" {
				if text := said(); !strings.Contains(text, addr+" (a replica): settings cannot be read") {
					t.Errorf("Open beside a replica that is down said %q", text)
				}
			}
		})
	}
}

// TestCrowded opens a store on a server that uses most of its memory: it says so, and by
// how much, unless its limit allows that.
func TestCrowded(t *testing.T) {
	on := oneServer(t)
	node := on.admin.(*goredis.Client)
	open(t, on.prefix(t)) // so that the server has the Functions
	used, err := strconv.ParseUint(infoOf(t, node, "memory", "used_memory"), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	defer node.ConfigSet(context.Background(), "maxmemory", "0")
	if err := node.ConfigSet(t.Context(), "maxmemory", strconv.FormatUint(used*10/9, 10)).Err(); err != nil {
		t.Fatal(err)
	}
	for limit, want := range map[float64]bool{0: false, .5: true, 1: false} {
		c := on.prefix(t)
		c.MemoryLimit, c.OfflineLimit = limit, 0
		metrics := prometheus.NewRegistry()
		s, err := redis.Open(t.Context(), redis.Options{Config: c, Metrics: redis.NewMetrics(metrics)})
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, func() error {
			if memoryRatio(t, metrics) == 0 {
				return errors.New("the store has not looked yet")
			}
			return nil
		})
		err = s.Crowded()
		if errors.Is(err, redis.ErrCrowded) != want || want && !strings.Contains(err.Error(), c.Addrs[0]) {
			t.Errorf("with a limit of %g: %v, want that it is crowded, and where: %t", limit, err, want)
		}
		s.Close()
	}
}

// TestOffline: a store on a server beyond its offline limit says so, and by how much, and
// no longer once the server has room; one with a limit of 0 never does.
func TestOffline(t *testing.T) {
	on := oneServer(t)
	node := on.admin.(*goredis.Client)
	open(t, on.prefix(t)) // so that the server has the Functions
	used, err := strconv.ParseUint(infoOf(t, node, "memory", "used_memory"), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	defer node.ConfigSet(context.Background(), "maxmemory", "0")
	if err := node.ConfigSet(t.Context(), "maxmemory", strconv.FormatUint(used, 10)).Err(); err != nil {
		t.Fatal(err)
	}
	shows := func(s *redis.Store, metrics *prometheus.Registry, want bool) {
		t.Helper()
		eventually(t, func() error {
			err := s.Offline()
			if memoryRatio(t, metrics) == 0 && want {
				return errors.New("the store has not looked yet")
			}
			if errors.Is(err, redis.ErrOffline) != want || want && !strings.Contains(err.Error(), on.config.Addrs[0]) {
				return fmt.Errorf("Offline = %v, want that it is, and where: %t", err, want)
			}
			return nil
		})
	}
	for limit, want := range map[float64]bool{0: false, .9: true} {
		c := on.prefix(t)
		c.OfflineLimit = limit
		metrics := prometheus.NewRegistry()
		s, err := redis.Open(t.Context(), redis.Options{Config: c, Metrics: redis.NewMetrics(metrics)})
		if err != nil {
			t.Fatal(err)
		}
		shows(s, metrics, want)
		if err := node.ConfigSet(t.Context(), "maxmemory", strconv.FormatUint(2*used, 10)).Err(); err != nil {
			t.Fatal(err)
		}
		shows(s, metrics, false)
		if err := node.ConfigSet(t.Context(), "maxmemory", strconv.FormatUint(used, 10)).Err(); err != nil {
			t.Fatal(err)
		}
		s.Close()
	}
}
