//go:build services

package serving

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	goredis "github.com/redis/go-redis/v9"
	"google.golang.org/protobuf/proto"

	sluicev1 "sluice/api/sluice/v1"
	"sluice/feature"
	"sluice/store/redis"
	"sluice/test/services"
)

// What is promised of a Cluster one of whose primaries is lost under load.
// The margins are for a machine whose processors other work uses as well. Where a
// healthy primary that is asked beside the load needs longer than stalled, the
// deadlines of reads are too short for the machine, and some of the healthy shards'
// requests may fail for that.
const (
	nodeTimeout    = 2 * time.Second // of the service redis-cluster
	recovery       = nodeTimeout + 2*time.Second
	recoveryMargin = 2 * time.Second
	hurtAnswer     = 100 * time.Millisecond
	hurtMargin     = 150 * time.Millisecond
	stalled        = 30 * time.Millisecond
	noise          = 10 * time.Millisecond  // of a p99 of some hundred requests
	noticing       = 500 * time.Millisecond // from the Cluster's new primary until the last row is read from it: what is ours of the recovery
	standIn        = time.Second            // from the fault until every row has a value again, flagged stale if a replica gave it
	leastRequests  = 1000                   // of each kind; fewer make the run void
	shardEntities  = 600
	requestRate    = 250 // a second of each kind, of all clients together
)

var shardClients = flag.Int("shard.clients", 200, "clients of TestShardLost, in the process of the server: each asks again after a pause that gives the same load however many there are")

var shardBefore = flag.Int64("shard.before", 500, "requests of each kind that TestShardLost makes before the fault, at 250 a second")

var shardFailover = flag.String("shard.failover", redis.FailoverAsk, "ask or wait: whether a gate beside the server of TestShardLost asks for the election of another primary")

// TestShardLost takes a primary of a Cluster from a server under load. Requests for
// entities of the other shards must not notice; those of the hurt one must be
// answered in time: at first by a value of its replica, flagged stale, or a status that
// says so, and by the new primary as soon as the Cluster has one. A server that knows
// since when its versions are whole must not flag those values: its replica is shown to
// have them all.
func TestShardLost(t *testing.T) {
	for name, take := range map[string]func(own *services.Set, ctx context.Context, node string) error{
		"killed": func(own *services.Set, ctx context.Context, node string) error {
			return own.Kill(ctx, "redis-cluster", node)
		},
		"frozen": func(own *services.Set, ctx context.Context, node string) error {
			return own.Pause(ctx, "redis-cluster", node)
		},
	} {
		t.Run(name, func(t *testing.T) {
			own := services.Own(t, "redis-cluster")
			c := newClusterOf(t, own)
			plain, keeping, knowing := c.server(t, 0, false), c.server(t, 10_000, false), c.server(t, 0, true)
			c.guard(t)
			l := &load{t: t, c: c, stop: make(chan struct{})}
			kinds := []*kind{
				{name: "healthy shards", on: plain, entities: c.healthy, rows: 5},
				{name: "hurt shard", on: plain, entities: c.hurt, rows: 1, hurt: true},
				{name: "all shards", on: plain, entities: append(slices.Clone(c.hurt), c.healthy...), rows: 10, hurt: true},
				{name: "hurt shard, kept rows", on: keeping, entities: c.hurt, rows: 1, hurt: true, kept: true},
				{name: "hurt shard, known", on: knowing, entities: c.hurt, rows: 1, hurt: true, known: true},
			}
			keeping.readAll(t, c.hurt)
			load := loadAverage()
			l.group.Go(l.watch)
			for _, k := range kinds {
				l.start(k, *shardClients/len(kinds))
			}
			l.until("the load runs", func() bool {
				return !slices.ContainsFunc(kinds, func(k *kind) bool { return k.answered.Load() < *shardBefore })
			})
			l.from.Store(time.Now().UnixNano())
			if err := take(own, t.Context(), c.node); err != nil {
				t.Fatal(err)
			}
			taken := time.Now()
			l.until("the hurt shard is noticed", func() bool { return kinds[1].short.Load() > 0 })
			l.until("every kind is whole again", func() bool {
				for _, k := range kinds {
					if time.Since(time.Unix(0, k.lastShort.Load())) < time.Second {
						return false
					}
				}
				return true
			})
			l.end()
			elected := time.Unix(0, l.elected.Load())
			for _, k := range kinds {
				k.judge(t, taken, elected, time.Duration(l.stall.Load()))
			}
			for _, f := range []*fixture{plain, knowing} {
				t.Logf("%s; load average %s when it began and %s when it ended", f.hedges(t), load, loadAverage())
			}
			t.Logf("the Cluster had another primary after %v (-shard.failover %s); a healthy one took %v to answer the test at worst; %d errors of healthy shards, at first %q",
				elected.Sub(taken).Round(time.Millisecond), *shardFailover, time.Duration(l.stall.Load()).Round(time.Millisecond),
				len(c.others), c.others[:min(3, len(c.others))])
			plain.readAll(t, append(slices.Clone(c.hurt), c.healthy...))
		})
	}
}

// clusterOf is a Redis Cluster with an entity's value for each of shardEntities in
// view users, and which of them are on the primary that will be lost.
type clusterOf struct {
	config        redis.Config
	node, addr    string // of the primary that will be lost
	calm          string // address of another one
	hurt, healthy []string

	mu     sync.Mutex
	others []string // errors of other shards
}

// loadAverage is that of the machine over the last minute; empty where it cannot be told.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}

// hedges says what came of reads whose answer was late, and of replicas.
func (f *fixture) hedges(t *testing.T) string {
	t.Helper()
	families, err := f.deps.Rows.(*noting).reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, family := range families {
		for _, m := range family.GetMetric() {
			name := strings.TrimPrefix(family.GetName(), "sluice_rows_")
			for _, label := range m.GetLabel() {
				name += " " + label.GetValue()
			}
			out = append(out, fmt.Sprintf("%s %g", name, m.GetCounter().GetValue()))
		}
	}
	return strings.Join(out, ", ")
}

func newClusterOf(t *testing.T, own *services.Set) *clusterOf {
	t.Helper()
	c := &clusterOf{config: redis.DefaultConfig()}
	c.config.Cluster, c.config.Addrs = true, own.RedisCluster()
	for _, addr := range c.config.Addrs {
		c.each(t, addr, func(node *goredis.Client) error {
			return errors.Join(node.ConfigSet(t.Context(), "hash-max-listpack-value", "512").Err(),
				node.ConfigSet(t.Context(), "cluster-require-full-coverage", "no").Err())
		})
	}
	c.stage(t)
	nodes, err := own.Nodes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		c.each(t, n.Addr, func(node *goredis.Client) error { return c.sort(t, n, node) })
	}
	if len(c.hurt) < shardEntities/6 || len(c.hurt)+len(c.healthy) != shardEntities {
		t.Fatalf("%d entities on the shard to be lost, %d on the others, want %d in all", len(c.hurt), len(c.healthy), shardEntities)
	}
	return c
}

func (c *clusterOf) each(t *testing.T, addr string, fn func(*goredis.Client) error) {
	t.Helper()
	node := goredis.NewClient(&goredis.Options{Addr: addr, Protocol: 2})
	defer node.Close()
	if err := fn(node); err != nil {
		t.Fatalf("node %s: %v", addr, err)
	}
}

// stage writes version 1 of every entity, until the replicas have it.
func (c *clusterOf) stage(t *testing.T) {
	t.Helper()
	config := c.config
	config.SyncReplicas, config.SyncTimeout, config.WriteDeadline = 1, 10*time.Second, 20*time.Second
	store := openStore(t, config, prometheus.NewRegistry())
	defs := definitions()
	v := defs.View("users")
	rows := make([]feature.Row, shardEntities)
	for i := range rows {
		key, err := feature.NewKey(v, user(entity(i)))
		if err != nil {
			t.Fatal(err)
		}
		rows[i] = feature.Row{Key: key, Record: feature.Record{
			EventTime: ago(time.Minute).UnixNano(), Seq: uint64(i), Row: feature.AppendRow(nil, v, []feature.Value{float(float64(i))}),
		}}
	}
	if _, err := store.Stage(t.Context(), v.ID, 1, rows); err != nil {
		t.Fatal(err)
	}
	if err := store.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func entity(i int) string { return fmt.Sprintf("user%04d", i) }

func openStore(t *testing.T, config redis.Config, reg *prometheus.Registry) *redis.Store {
	t.Helper()
	store, err := redis.Open(t.Context(), redis.Options{Config: config, Metrics: redis.NewMetrics(reg)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

// sort finds the entities of a primary by the names of its keys. The first primary
// is the one to be lost.
func (c *clusterOf) sort(t *testing.T, n services.Node, node *goredis.Client) error {
	role, err := node.Do(t.Context(), "role").Slice()
	if err != nil || role[0] != "master" {
		return err
	}
	keys, err := node.Keys(t.Context(), "*").Result()
	if err != nil {
		return err
	}
	if c.node == "" {
		c.node, c.addr = n.Name, n.Addr
	}
	if c.node != n.Name {
		c.calm = n.Addr
	}
	all := strings.Join(keys, "\n")
	for i := range shardEntities {
		switch {
		case !strings.Contains(all, entity(i)):
		case c.node == n.Name:
			c.hurt = append(c.hurt, entity(i))
		default:
			c.healthy = append(c.healthy, entity(i))
		}
	}
	return nil
}

// noting is a store that notes the errors of shards other than the one to be lost.
type noting struct {
	*redis.Store
	c   *clusterOf
	reg *prometheus.Registry
}

func (n *noting) ReadWhole(ctx context.Context, view feature.ViewID, keys []feature.Key, whole time.Time, dst [][]feature.Record) ([][]feature.Record, error) {
	chains, err := n.Store.ReadWhole(ctx, view, keys, whole, dst)
	var partial *redis.PartialError
	if errors.As(err, &partial) {
		for _, err := range partial.Errs {
			if !strings.Contains(err.Error(), n.c.addr) {
				n.c.note(err)
			}
		}
	}
	return chains, err
}

// replaced reports whether the lost primary has no slots, by the answer to CLUSTER
// NODES.
func (c *clusterOf) replaced(nodes string) bool {
	for line := range strings.Lines(nodes) {
		if fields := strings.Fields(line); strings.HasPrefix(fields[1], c.addr+"@") {
			return len(fields) <= 8
		}
	}
	return true
}

func (c *clusterOf) note(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.others = append(c.others, err.Error())
}

// guard looks after the Cluster as the gate of an installation does, until the test ends.
func (c *clusterOf) guard(t *testing.T) {
	t.Helper()
	config := c.config
	config.ClusterFailover = *shardFailover
	store := openStore(t, config, prometheus.NewRegistry())
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); store.Guard(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
}

// server returns a server that reads the Cluster as it is configured by default. known
// is whether the registry tells it that the version is whole.
func (c *clusterOf) server(t *testing.T, kept int, known bool) *fixture {
	t.Helper()
	reg := prometheus.NewRegistry()
	store := openStore(t, c.config, reg)
	f := newFixture(t, func(config *Config, d *Deps) {
		d.Rows, config.KeptRows = &noting{Store: store, c: c, reg: reg}, kept
	})
	if known {
		f.registry.infos[1] = feature.VersionInfo{Version: 1, Step: feature.StepCertified, State: feature.StateVisible}
	}
	f.running(t)
	return f
}

// ask reads entities of view users. short is how many rows were not given, or from an
// earlier read. The error is one of the request, or a reply that is not true.
func (f *fixture) ask(ctx context.Context, entities []string) (short, stale int, err error) {
	in, err := proto.Marshal(ownRequest(columnsOf{"user_id": texts(entities...)}, sluicev1.Policy_POLICY_SERVE, "users:f00"))
	if err != nil {
		return 0, 0, err
	}
	buffer, err := f.readWire(ctx, in, true)
	if err != nil {
		return 0, 0, err
	}
	defer buffer.Free()
	var reply sluicev1.GetFeaturesResponse
	if err := proto.Unmarshal(buffer.ReadOnlyData(), &reply); err != nil {
		return 0, 0, err
	}
	view := reply.Views[0]
	for i, status := range view.Columns[0].Statuses {
		value := view.Columns[0].Values[i]
		var id int
		if _, err := fmt.Sscanf(entities[i], "user%d", &id); err != nil {
			return 0, 0, err
		}
		switch status {
		case sluicev1.Status_PRESENT:
			if value.GetDoubleVal() != float64(id) {
				return 0, 0, fmt.Errorf("%s is %v", entities[i], value)
			}
		case sluicev1.Status_UNAVAILABLE:
			short++
		default:
			return 0, 0, fmt.Errorf("%s has status %s", entities[i], status)
		}
	}
	p := view.Provenance
	if (short > 0 || p.Stale) && p.Fallback != fallbackStore || p.Fallback != "" && short == 0 && !p.Stale {
		return 0, 0, fmt.Errorf("%d rows are missing, stale is %t, the fallback %q", short, p.Stale, p.Fallback)
	}
	if p.Stale {
		stale = len(entities) - short
	}
	return short, stale, nil
}

// readAll wants every entity's value, from the store.
func (f *fixture) readAll(t *testing.T, entities []string) {
	t.Helper()
	short, stale, err := f.ask(t.Context(), entities)
	if short > 0 || stale > 0 || err != nil {
		t.Errorf("read of %d entities: %d missing, %d stale, %v, want all", len(entities), short, stale, err)
	}
}

// kind is one kind of request.
type kind struct {
	name     string
	on       *fixture
	entities []string
	rows     int
	hurt     bool // some of its rows are on the lost shard
	kept     bool // and were read before
	known    bool // and are known to be whole

	answered, refused, stale, missing, wrong atomic.Int64
	short                                    atomic.Int64 // requests that lacked something
	lastShort                                atomic.Int64 // Unix nanoseconds
	lastUnread                               atomic.Int64 // of a request without some value, Unix nanoseconds
	valueless                                atomic.Int64 // such requests that began later than standIn after the fault
	mu                                       sync.Mutex
	before, took                             []time.Duration // until the fault, and since
	problem                                  error
}

// load makes requests of several kinds at once.
type load struct {
	t     *testing.T
	c     *clusterOf
	stop  chan struct{}
	group sync.WaitGroup
	from  atomic.Int64 // of the fault, Unix nanoseconds; 0 before it

	stall   atomic.Int64 // longest time that a healthy primary took to answer the test, nanoseconds
	elected atomic.Int64 // when it first said that the lost one has no slots, Unix nanoseconds
}

// watch measures how late the machine itself is, and when the Cluster has replaced
// the lost primary: it asks a healthy one over a connection of its own that has no
// deadline.
func (l *load) watch() {
	node := goredis.NewClient(&goredis.Options{Addr: l.c.calm, Protocol: 2, ReadTimeout: time.Minute})
	defer node.Close()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		due := time.Now()
		nodes, err := node.ClusterNodes(l.t.Context()).Result()
		if err != nil {
			l.t.Errorf("CLUSTER NODES of a healthy primary: %v", err)
			return
		}
		l.stall.Store(max(l.stall.Load(), int64(time.Since(due))))
		if l.elected.Load() == 0 && l.c.replaced(nodes) {
			l.elected.Store(time.Now().UnixNano())
		}
		select {
		case <-l.stop:
			return
		case <-tick.C:
		}
	}
}

func (l *load) start(k *kind, readers int) {
	pause := time.Duration(readers) * time.Second / requestRate
	for r := range readers {
		l.group.Go(func() {
			select {
			case <-l.stop:
				return
			case <-time.After(time.Duration(r) * pause / time.Duration(readers)):
			}
			tick := time.NewTicker(pause)
			defer tick.Stop()
			for i := r; ; i += readers {
				select {
				case <-l.stop:
					return
				case <-tick.C:
				}
				ids := make([]string, k.rows)
				for n := range ids {
					ids[n] = k.entities[(i*k.rows*7+n*101)%len(k.entities)]
				}
				l.request(k, ids)
			}
		})
	}
}

func (l *load) request(k *kind, ids []string) {
	ctx, cancel := context.WithTimeout(l.t.Context(), 10*time.Second)
	defer cancel()
	begun := time.Now()
	short, stale, err := k.on.ask(ctx, ids)
	took := time.Since(begun)
	k.answered.Add(1)
	k.missing.Add(int64(short))
	k.stale.Add(int64(stale))
	var known *feature.Error
	switch {
	case errors.As(err, &known) && known.Code == feature.CodeUnavailable:
		k.refused.Add(1)
	case err != nil:
		k.wrong.Add(1)
	}
	if short > 0 || stale > 0 || err != nil {
		k.short.Add(1)
		k.lastShort.Store(time.Now().UnixNano())
	}
	if short > 0 || err != nil {
		k.lastUnread.Store(time.Now().UnixNano())
		if from := l.from.Load(); from != 0 && begun.UnixNano() > from+int64(standIn) {
			k.valueless.Add(1)
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	switch from := l.from.Load(); {
	case from == 0:
		k.before = append(k.before, took)
	case begun.UnixNano() >= from:
		k.took = append(k.took, took)
	}
	if err != nil && k.problem == nil {
		k.problem = err
	}
}

// until waits for a condition.
func (l *load) until(what string, done func() bool) {
	l.t.Helper()
	patience := 30*time.Second + time.Duration(*shardBefore)*time.Second/requestRate
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-deadline.C:
			l.end()
			l.t.Fatalf("not after %v: %s", patience, what)
		case <-tick.C:
		}
	}
}

func (l *load) end() {
	close(l.stop)
	l.group.Wait()
}

// judge prints a kind's figures and compares them with what is promised.
func (k *kind) judge(t *testing.T, taken, elected time.Time, stall time.Duration) {
	t.Helper()
	slices.Sort(k.before)
	slices.Sort(k.took)
	back, unread := since(taken, &k.lastShort), since(taken, &k.lastUnread)
	t.Logf("%-22s %6d requests: %4d refused, %4d with a row missing or stale (%d missing, %d stale), %d wrong; p99 before the fault %v, since then p50 %v, p99 %v, max %v; every row has a value again after %v, and an unflagged one after %v, %v after the election",
		k.name, k.answered.Load(), k.refused.Load(), k.short.Load(), k.missing.Load(), k.stale.Load(), k.wrong.Load(),
		nth(k.before, .99), nth(k.took, .5), nth(k.took, .99), nth(k.took, 1), unread.Round(time.Millisecond), back.Round(time.Millisecond), (back - elected.Sub(taken)).Round(time.Millisecond))
	if n := k.answered.Load(); n < leastRequests {
		t.Errorf("%s: %d requests are too few to prove anything, want %d", k.name, n, leastRequests)
	}
	if n := k.wrong.Load(); n > 0 {
		t.Errorf("%s: %d answers are wrong; the first problem: %v", k.name, n, k.problem)
	}
	if !k.hurt {
		k.judgeHealthy(t, stall)
		return
	}
	if worst := nth(k.took, 1); worst > hurtAnswer+hurtMargin+stall {
		t.Errorf("%s: an answer took %v, want at most %v (and %v for a busy machine)", k.name, worst, hurtAnswer, hurtMargin+stall)
	}
	if n := k.valueless.Load(); n > k.excused(stall) {
		t.Errorf("%s: %d requests begun %v after the fault or later lacked a value, want at most %d: a replica has them; the first problem: %v", k.name, n, standIn, k.excused(stall), k.problem)
	}
	if own := back - elected.Sub(taken); own > noticing+stall {
		t.Errorf("%s: whole again %v after the Cluster had another primary, want at most %v (and %v for a busy machine)", k.name, own, noticing, stall)
	}
	if back > recovery+recoveryMargin {
		t.Errorf("%s: whole again after %v, want %v (and %v for a busy machine)", k.name, back, recovery, recoveryMargin)
	}
	if n := k.short.Load(); k.known && n > k.excused(stall) {
		t.Errorf("%s: %d requests lacked a row or were flagged, want at most %d: the replica has them all; the first problem: %v", k.name, n, k.excused(stall), k.problem)
	}
	if k.kept && (k.refused.Load() > 0 || k.missing.Load() > 0 || k.stale.Load() == 0) {
		t.Errorf("%s: %d requests refused, %d rows missing, %d stale, want stale ones alone", k.name, k.refused.Load(), k.missing.Load(), k.stale.Load())
	}
}

// judgeHealthy is for requests that the fault must not touch.
func (k *kind) judgeHealthy(t *testing.T, stall time.Duration) {
	t.Helper()
	if n := k.short.Load(); n > k.excused(stall) {
		t.Errorf("%s: %d requests failed or lacked rows, want at most %d; the first problem: %v", k.name, n, k.excused(stall), k.problem)
	}
	slack := noise
	if stall > stalled {
		slack = hurtMargin + stall
	}
	if normal, now := nth(k.before, .99), nth(k.took, .99); now > 2*normal+slack {
		t.Errorf("%s: p99 is %v since the fault, and was %v before it: want at most twice that (and %v for a busy machine)", k.name, now, normal, slack)
	}
}

// excused returns how many requests may fail because the machine stood still for longer
// than the deadlines of reads are made for.
func (k *kind) excused(stall time.Duration) int64 {
	if stall > stalled {
		return k.answered.Load() / 20
	}
	return 0
}

// since returns the time from the fault to a moment in Unix nanoseconds; 0 if that
// never came.
func since(taken time.Time, moment *atomic.Int64) time.Duration {
	if n := moment.Load(); n != 0 {
		return max(0, time.Unix(0, n).Sub(taken))
	}
	return 0
}

// nth returns the time that a share of times, which rise, does not exceed.
func nth(times []time.Duration, share float64) time.Duration {
	return times[int(share*float64(len(times)-1))].Round(10 * time.Microsecond)
}
