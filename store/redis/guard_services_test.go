//go:build services

package redis

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/prometheus/client_golang/prometheus/testutil"
	goredis "github.com/redis/go-redis/v9"

	"sluice/feature"
	"sluice/test/services"
)

var electionRounds = flag.Int("elections.rounds", 1, "primaries that TestElections takes away in each way")

// ownTimeout is the node timeout of the service redis-cluster.
const ownTimeout = 2 * time.Second

// ownCluster is a Cluster whose nodes a test may kill.
type ownCluster struct {
	t       testing.TB
	set     *services.Set
	clients map[string]*goredis.Client // by address
	pids    map[string]int             // by address
}

func startCluster(t testing.TB) *ownCluster {
	t.Helper()
	c := &ownCluster{t: t, set: services.Own(t, "redis-cluster"), clients: map[string]*goredis.Client{}, pids: map[string]int{}}
	for _, n := range c.nodes() {
		client := goredis.NewClient(&goredis.Options{Addr: n.Addr, Protocol: 2, ReadTimeout: 200 * time.Millisecond, MaxRetries: -1})
		t.Cleanup(func() { client.Close() })
		c.clients[n.Addr] = client
		c.configure(n.Addr)
	}
	c.whole()
	return c
}

// nodes are the processes as they are now.
func (c *ownCluster) nodes() []services.Node {
	c.t.Helper()
	nodes, err := c.set.Nodes(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	for _, n := range nodes {
		c.pids[n.Addr] = n.PID
	}
	return nodes
}

// signal sends a signal to a node, and returns the moment before.
func (c *ownCluster) signal(addr string, sig syscall.Signal) time.Time {
	c.t.Helper()
	at := time.Now()
	if err := syscall.Kill(c.pids[addr], sig); err != nil {
		c.t.Fatalf("node %s, process %d: %v", addr, c.pids[addr], err)
	}
	if pid := c.pids[addr]; sig == syscall.SIGSTOP {
		c.t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGCONT) })
	}
	return at
}

func (c *ownCluster) configure(addr string) {
	c.t.Helper()
	for _, set := range [][2]string{{"hash-max-listpack-value", "512"}, {"cluster-require-full-coverage", "no"}} {
		if err := c.clients[addr].ConfigSet(c.t.Context(), set[0], set[1]).Err(); err != nil {
			c.t.Fatalf("node %s: %v", addr, err)
		}
	}
}

// until calls fn until it gives no error.
func (c *ownCluster) until(fn func() error) {
	c.t.Helper()
	deadline := time.Now().Add(40 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for err := fn(); err != nil; err = fn() {
		if time.Now().After(deadline) {
			c.t.Fatal(err)
		}
		<-tick.C
	}
}

// opinion is what the node at an address says.
func (c *ownCluster) opinion(addr string) (opinion, error) {
	text, err := c.clients[addr].ClusterNodes(c.t.Context()).Result()
	if err != nil {
		return opinion{}, err
	}
	return parseOpinion(text)
}

// whole waits until every node holds every other for well, each primary has a replica,
// and the replicas have all of the data.
func (c *ownCluster) whole() {
	c.t.Helper()
	c.until(func() error {
		for addr, client := range c.clients {
			o, err := c.opinion(addr)
			if err != nil {
				return err
			}
			followed := map[string]bool{}
			for _, m := range o.members {
				if m.failing || m.barred || m.addr == "" {
					return fmt.Errorf("%s says of %+v that it is not well", addr, m)
				}
				followed[m.of] = true
			}
			if len(o.members) != 6 || o.voters() != 3 || len(followed) != 4 {
				return fmt.Errorf("%s knows %d nodes, %d of them with slots, %d followed", addr, len(o.members), o.voters(), len(followed)-1)
			}
			info, err := client.Info(c.t.Context(), "replication").Result()
			if err != nil || infoField(info, "role") == "slave" && infoField(info, "master_link_status") != "up" {
				return fmt.Errorf("%s is not linked to its primary: %w", addr, err)
			}
		}
		return nil
	})
}

// primary returns the address of the primary of a bucket by the word of some node but
// one; empty if none says.
func (c *ownCluster) primary(bucket uint8, but string) string {
	for addr, client := range c.clients {
		if addr == but {
			continue
		}
		//lint:ignore SA1019 it is what go-redis itself learns the map by
		slots, err := client.ClusterSlots(c.t.Context()).Result()
		if err != nil {
			continue
		}
		slot, err := client.ClusterKeySlot(c.t.Context(), tags()[bucket]).Result()
		if err != nil {
			continue
		}
		for _, s := range slots {
			if int(slot) >= s.Start && int(slot) <= s.End {
				return s.Nodes[0].Addr
			}
		}
	}
	return ""
}

// successor waits until a node names another primary of a bucket than the lost one, and
// returns it: nodes hear of an election one after another.
func (c *ownCluster) successor(bucket uint8, lost string) (addr string) {
	c.until(func() error {
		if addr = c.primary(bucket, lost); addr == lost || addr == "" {
			return fmt.Errorf("the primary is %q", addr)
		}
		return nil
	})
	return addr
}

// guarded is a store whose Guard runs.
type guarded struct {
	*Store
	log     *syncBuffer
	metrics *Metrics
}

// syncBuffer is a buffer for a log that is read while it is written.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// guard opens a store as it is configured by default, but for change, and runs its
// Guard. close ends both.
func (c *ownCluster) guard(change func(*Config)) (g *guarded, end func()) {
	c.t.Helper()
	config := DefaultConfig()
	config.Cluster = true
	for addr := range c.clients {
		config.Addrs = append(config.Addrs, addr)
	}
	if change != nil {
		change(&config)
	}
	g = &guarded{log: &syncBuffer{}, metrics: NewMetrics(nil)}
	var err error
	if g.Store, err = Open(c.t.Context(), Options{Config: config, Metrics: g.metrics, Log: slog.New(slog.NewTextHandler(g.log, nil))}); err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(c.t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); g.Guard(ctx) }()
	end = sync.OnceFunc(func() {
		cancel()
		<-ended
		if err := g.Close(); err != nil {
			c.t.Error(err)
		}
	})
	c.t.Cleanup(end)
	return g, end
}

// outcomes returns what was counted of elections, by outcome.
func (g *guarded) outcomes() map[string]float64 {
	out := map[string]float64{}
	for _, outcome := range []string{"elected", "lost", "failed", "denied", "unfit"} {
		if n := testutil.ToFloat64(g.metrics.failovers.WithLabelValues(feature.DefaultOnline, outcome)); n != 0 {
			out[outcome] = n
		}
	}
	return out
}

// wantOutcomes waits until what was counted is what it should be.
func (c *ownCluster) wantOutcomes(g *guarded, want string) {
	c.t.Helper()
	c.until(func() error {
		if got := fmt.Sprint(g.outcomes()); got != "map["+want+"]" {
			return fmt.Errorf("elections by outcome: %s, want %s; the log:\n%s", got, want, g.log)
		}
		return nil
	})
}

// round is how long one took since the fault.
type round struct {
	elected time.Duration // until another node says that it is the primary of the slot
	written time.Duration // until a row could be written
	read    time.Duration // until a row of a version of which nothing is known was read unflagged
	asked   bool          // the one who was asked was elected
}

const askedText = "a replica is asked to be elected"

// TestElections takes primaries from a Cluster, by SIGKILL and SIGSTOP, with and without
// a guard that asks for the election, and says how long it takes until the shard is back.
func TestElections(t *testing.T) {
	c := startCluster(t)
	times := map[string][]round{}
	for n := range 4 * *electionRounds {
		way, failover := []string{"killed", "frozen"}[n/2%2], []string{FailoverAsk, FailoverWait}[n%2]
		name := way + ", " + failover
		times[name] = append(times[name], c.lose(uint8(n*43%buckets), way, failover))
	}
	asked := 0
	for _, name := range []string{"killed, ask", "killed, wait", "frozen, ask", "frozen, wait"} {
		all := times[name]
		t.Logf("%-12s %d rounds; least, median, most: new primary %s; written again %s; read unflagged again %s; later than %v: %d",
			name, len(all), spread(all, func(r round) time.Duration { return r.elected }), spread(all, func(r round) time.Duration { return r.written }),
			spread(all, func(r round) time.Duration { return r.read }), ownTimeout+2*time.Second,
			len(slices.DeleteFunc(slices.Clone(all), func(r round) bool { return max(r.written, r.read) <= ownTimeout+2*time.Second })))
		asked += len(slices.DeleteFunc(slices.Clone(all), func(r round) bool { return !r.asked }))
	}
	// On a machine that has no time for this process the Cluster may be faster.
	if asked < *electionRounds {
		t.Errorf("%d of %d primaries were elected because they were asked, want half of them at least", asked, 2**electionRounds)
	}
}

func spread(all []round, of func(round) time.Duration) string {
	var list []time.Duration
	for _, r := range all {
		list = append(list, of(r).Round(time.Millisecond))
	}
	slices.Sort(list)
	return fmt.Sprintf("%v, %v, %v", list[0], list[len(list)/2], list[len(list)-1])
}

// lose takes the primary of a bucket away until another has taken its place, and brings
// it back.
func (c *ownCluster) lose(bucket uint8, way, failover string) (r round) {
	c.t.Helper()
	g, end := c.guard(func(config *Config) { config.ClusterFailover = failover })
	defer end()
	key := keyOf(bucket)
	version := feature.Version(1)
	write := func() error {
		_, err := g.Stage(c.t.Context(), 1, version, []feature.Row{{Key: key, Record: feature.Record{EventTime: 1, Seq: uint64(time.Now().UnixNano()), Row: []byte("row")}}})
		return err
	}
	read := func() error {
		_, err := g.Read(c.t.Context(), 1, []feature.Key{key}, nil)
		return err
	}
	c.until(write)
	c.until(read)
	lost := c.primary(bucket, "")
	before := g.outcomes()
	if len(before) != 0 {
		c.t.Fatalf("elections were asked for before any fault: %v", before)
	}
	fault := syscall.SIGKILL
	if way == "frozen" {
		fault = syscall.SIGSTOP
	}
	taken := c.signal(lost, fault)
	var group sync.WaitGroup
	group.Go(func() { r.elected = c.timeUntil(taken, func() error { return c.another(bucket, lost) }) })
	group.Go(func() { r.written = c.timeUntil(taken, write) })
	group.Go(func() { r.read = c.timeUntil(taken, read) })
	group.Wait()
	c.t.Logf("%s, %s: new primary after %v, written after %v, read after %v", way, failover, r.elected.Round(time.Millisecond), r.written.Round(time.Millisecond), r.read.Round(time.Millisecond))
	c.until(func() error { // what was asked for is settled a moment after
		if text := g.log.String(); strings.Contains(text, askedText) && len(g.outcomes()) == 0 {
			return errors.New("nothing came of the election that was asked for")
		}
		return nil
	})
	switch got := fmt.Sprint(g.outcomes()); {
	case got == "map[elected:1]" && failover == FailoverAsk:
		r.asked = true
	case got != "map[]":
		c.t.Errorf("%s, %s: elections by outcome: %s; the log:\n%s", way, failover, got, g.log)
	}
	if most := 3*ownTimeout + 4*time.Second; max(r.elected, r.written, r.read) > most {
		c.t.Errorf("%s, %s: back after %v, %v and %v, want %v at most", way, failover, r.elected, r.written, r.read, most)
	}
	// A write that had begun before is given up in time.
	if late, most := r.written-r.elected, DefaultConfig().WriteDeadline/silentShare+time.Second; late > most {
		c.t.Errorf("%s, %s: written %v after there was a primary, want %v at most", way, failover, late, most)
	}
	c.back(way, lost)
	return r
}

// timeUntil is how long after a moment fn first gave no error in a row of three.
func (c *ownCluster) timeUntil(from time.Time, fn func() error) time.Duration {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	since := time.Duration(0)
	for good := 0; good < 3; {
		at := time.Since(from)
		switch err := fn(); {
		case err != nil && at > 40*time.Second:
			c.t.Error(err)
			return at
		case err != nil:
			good = 0
			continue
		case good == 0:
			since = time.Since(from)
		}
		good++
		<-tick.C
	}
	return since
}

// another is an error while a node has the slot of a bucket that is lost.
func (c *ownCluster) another(bucket uint8, lost string) error {
	if at := c.primary(bucket, lost); at == lost || at == "" {
		return fmt.Errorf("the primary is %q", at)
	}
	return nil
}

// back brings a lost primary back, as a replica of the new one.
func (c *ownCluster) back(way, addr string) {
	c.t.Helper()
	if way == "frozen" {
		c.signal(addr, syscall.SIGCONT)
	} else if err := c.set.Up(c.t.Context(), "redis-cluster"); err != nil {
		c.t.Fatal(err)
	}
	c.until(func() error { return c.clients[addr].Ping(c.t.Context()).Err() })
	c.nodes()
	c.configure(addr)
	c.whole()
}

// keyOf is a key in a bucket.
func keyOf(bucket uint8) feature.Key {
	for i := 0; ; i++ {
		if k := fmt.Sprintf("\x0a\x12\x08user%06d", i); uint8(xxhash.Sum64String(k)%buckets) == bucket {
			return feature.Key(k)
		}
	}
}

// relay passes bytes on between a client and a server until it is cut: then nothing
// passes, and nothing is closed.
type relay struct {
	l   net.Listener
	cut atomic.Bool
	mu  sync.Mutex
	all []net.Conn
}

func startRelay(t testing.TB, to string) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{l: l}
	go r.accept(to)
	t.Cleanup(func() {
		l.Close()
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, c := range r.all {
			c.Close()
		}
	})
	return r
}

func (r *relay) accept(to string) {
	for {
		from, err := r.l.Accept()
		if err != nil {
			return
		}
		up, err := net.Dial("tcp", to)
		if err != nil {
			from.Close()
			continue
		}
		r.mu.Lock()
		r.all = append(r.all, from, up)
		r.mu.Unlock()
		go r.pass(from, up)
		go r.pass(up, from)
	}
}

func (r *relay) pass(from, to net.Conn) {
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		if r.cut.Load() {
			_, _ = io.Copy(io.Discard, from)
			return
		}
		if n > 0 {
			_, _ = to.Write(b[:n])
		}
		if err != nil {
			_ = to.Close()
			return
		}
	}
}

// TestGuardOfOwnLink cuts what this process alone has of a primary: the Cluster holds it
// for well, so nothing is asked for however long that lasts.
func TestGuardOfOwnLink(t *testing.T) {
	c := startCluster(t)
	lost := c.primary(5, "")
	r := startRelay(t, lost)
	_, port, _ := net.SplitHostPort(r.l.Addr().String())
	if err := c.clients[lost].ConfigSet(t.Context(), "cluster-announce-port", port).Err(); err != nil {
		t.Fatal(err)
	}
	c.until(func() error { // the others have heard that it is to be reached there
		for addr := range c.clients {
			o, err := c.opinion(addr)
			if err != nil || identify([]opinion{o}, r.l.Addr().String()) == "" {
				return fmt.Errorf("%s does not know %s yet: %w", addr, r.l.Addr(), err)
			}
		}
		return nil
	})
	c.whole()
	g, _ := c.guard(nil)
	silent := func() []*shard { s, _ := g.silence(time.Now()); return s }
	c.until(func() error {
		if known := g.surveyed.Load(); known == nil || !slices.ContainsFunc(*known, func(at *shard) bool { return at.String() == r.l.Addr().String() }) {
			return errors.New("the store does not read over the relay")
		}
		return nil
	})
	r.cut.Store(true)
	long := 3*ownTimeout + time.Second
	c.until(func() error {
		for _, at := range silent() {
			if at.silentFor(time.Now()) > long {
				return nil
			}
		}
		return fmt.Errorf("nobody has been silent for %v", long)
	})
	c.wantOutcomes(g, "")
	for addr := range c.clients {
		if o, err := c.opinion(addr); err != nil || identify([]opinion{o}, r.l.Addr().String()) == "" {
			t.Errorf("%s does not hold %s for a primary with slots any more: %v", addr, lost, err)
		}
	}
	if text := g.log.String(); strings.Contains(text, askedText) {
		t.Errorf("the log says %q", text)
	}
}

// TestGuardOfLaggingReplica checks that of two replicas the one with more data is asked.
func TestGuardOfLaggingReplica(t *testing.T) {
	c := startCluster(t)
	lost := c.primary(5, "")
	o, err := c.opinion(lost)
	if err != nil {
		t.Fatal(err)
	}
	var near, far member // its replica, and one that is made so
	for _, m := range o.members {
		switch {
		case m.of == o.of:
			near = m
		case m.of != "":
			far = m
		}
	}
	if err := c.clients[far.addr].Do(t.Context(), "cluster", "replicate", o.of).Err(); err != nil {
		t.Fatal(err)
	}
	offset := func(addr string) string {
		info, _ := c.clients[addr].Info(t.Context(), "replication").Result()
		return infoField(info, "slave_repl_offset") + " " + infoField(info, "master_link_status")
	}
	g, _ := c.guard(nil)
	c.until(func() error {
		if a, b := offset(near.addr), offset(far.addr); a != b || !strings.HasSuffix(a, "up") || len(replicasOf(c.opinions(lost), o.of)) != 2 {
			return fmt.Errorf("the replicas are at %s and %s", a, b)
		}
		return nil
	})
	// What the kernel holds for the lagging one arrives after all: there has to be more.
	c.signal(near.addr, syscall.SIGSTOP)
	big := strings.Repeat("x", 1<<20)
	for i := range 24 {
		if err := c.clients[lost].Set(t.Context(), fmt.Sprintf("{%s}%d", tags()[5], i), big, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	c.until(func() error { // the other one has all
		info, err := c.clients[lost].Info(t.Context(), "replication").Result()
		if at, _, _ := strings.Cut(offset(far.addr), " "); err != nil || at != infoField(info, "master_repl_offset") {
			return fmt.Errorf("%s is at %s: %w", far.addr, at, err)
		}
		return nil
	})
	c.signal(lost, syscall.SIGKILL)
	c.signal(near.addr, syscall.SIGCONT)
	c.wantOutcomes(g, "elected:1")
	if at := c.successor(5, lost); at != far.addr {
		t.Errorf("the primary is %s, want %s, which has more data than %s", at, far.addr, near.addr)
	}
	if text := g.log.String(); !strings.Contains(text, "asked to be elected in its place\" shard="+lost+" replica="+far.addr) {
		t.Errorf("the log does not say that %s was asked: %s", far.addr, text)
	}
}

// opinions are those of all nodes but one.
func (c *ownCluster) opinions(but string) (list []opinion) {
	for addr := range c.clients {
		if o, err := c.opinion(addr); err == nil && addr != but {
			list = append(list, o)
		}
	}
	return list
}

// TestGuardDenied checks that a user who may not ask is told of once, and that the
// Cluster elects as it does without.
func TestGuardDenied(t *testing.T) {
	c := startCluster(t)
	for addr, client := range c.clients {
		if err := client.Do(t.Context(), "acl", "setuser", "some", "on", ">secret", "~*", "&*", "+@all", "-cluster|failover").Err(); err != nil {
			t.Fatalf("node %s: %v", addr, err)
		}
	}
	g, _ := c.guard(func(config *Config) { config.Username, config.Password = "some", "secret" })
	found, err := Inspect(t.Context(), g.cfg)
	if err != nil || !slices.ContainsFunc(found.Findings, func(f Finding) bool { return f.Setting == failoverSetting && !f.Refused }) {
		t.Errorf("Inspect = %+v, %v, want that the user may not ask for elections", found, err)
	}
	lost := c.primary(5, "")
	c.signal(lost, syscall.SIGKILL)
	c.until(func() error { return c.another(5, lost) })
	c.wantOutcomes(g, "denied:1")
	if n := strings.Count(g.log.String(), "NOPERM"); n != 1 {
		t.Errorf("the log has %d lines of it, want 1: %s", n, g.log)
	}
}
