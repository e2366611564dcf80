package redis

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// What a store does about a primary of a Cluster that its other primaries hold for
// failing; see Guard.
const (
	FailoverAsk  = "ask"  // asks for the election that the Cluster would hold later
	FailoverWait = "wait" // leaves it to the Cluster
)

const (
	guardSilence  = 500 * time.Millisecond // of a primary, before the others are asked about it
	guardRest     = 100 * time.Millisecond // between two looks at which primaries are silent
	guardEarly    = 300 * time.Millisecond // before a primary has been silent for the node timeout the others are asked often
	guardOften    = 20 * time.Millisecond  // between two such questions at least
	guardShare    = 20                     // and as many times as long as it takes, at least, unless that is more than guardSeldom
	guardSeldom   = 200 * time.Millisecond
	guardRarely   = time.Second // between two questions about one that has been silent for guardLong
	guardLong     = time.Minute
	guardDial     = time.Second            // of one try to get an answer from a silent primary
	guardAnswer   = 500 * time.Millisecond // longest wait for an answer of the others
	guardPatience = 200 * time.Millisecond // with what keeps an election from being asked for
)

// manualTimeout is how long Redis pursues an election that it was asked for
// (CLUSTER_MF_TIMEOUT).
const manualTimeout = 5 * time.Second

// Guard looks after the primaries of a Cluster until ctx ends. As soon as one gives this
// process no answer, and most primaries with slots hold it for failing, it asks the
// replica that has most of its data for an election (CLUSTER FAILOVER FORCE), which the
// Cluster would hold by itself up to two seconds later. The primaries vote as they do
// then; nobody is made a primary without a majority (TAKEOVER is never sent).
//
// One process of an installation calls it. Where the configuration says FailoverWait, and
// with servers that are no Cluster, it does nothing until ctx ends.
func (s *Store) Guard(ctx context.Context) {
	c, ok := s.places.(*cluster)
	if !ok || s.cfg.ClusterFailover != FailoverAsk {
		<-ctx.Done()
		return
	}
	g := &guard{store: s, cluster: c, cost: guardSeldom, probes: map[*shard]context.CancelFunc{}, asked: map[string]time.Time{}, accused: map[string]time.Time{}, told: map[string]bool{}}
	defer g.group.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	timer := time.NewTimer(guardRest)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		leave, err := s.enter(ctx)
		if err != nil {
			return
		}
		timer.Reset(g.look(ctx, time.Now()))
		leave()
	}
}

// guard is what Guard knows.
type guard struct {
	store   *Store
	cluster *cluster
	timeout time.Duration // node timeout of the Cluster; 0: not known
	cost    time.Duration // of asking the others once, at least
	probes  map[*shard]context.CancelFunc
	group   sync.WaitGroup
	asked   map[string]time.Time // by the id of a primary: when its election was asked for
	accused map[string]time.Time // by the id of a silent primary: since when most hold it for failing
	told    map[string]bool      // by the id of a silent primary: that no election is asked for is said
	pending *request             // nil: no answer is waited for
}

// request is an election that was asked for.
type request struct {
	shard   string // address of the primary
	replica member
	at      time.Time
}

// look does what there is to do at a moment, and returns the time until the next.
func (g *guard) look(ctx context.Context, now time.Time) time.Duration {
	silent, others := g.store.silence(now)
	g.probe(ctx, silent)
	if len(silent) == 0 && g.pending == nil {
		g.timeout, g.cost = 0, guardSeldom
		clear(g.accused)
		clear(g.told)
		return guardRest
	}
	if g.timeout == 0 {
		g.timeout = timeoutOf(ctx, others)
	}
	if pause := g.early(silent, now); pause > 0 {
		return pause
	}
	begun := time.Now()
	opinions := g.opinions(ctx, others)
	g.cost = min(g.cost, time.Since(begun)) // the least: the rest is what this machine makes of it
	g.settle(opinions, now)
	for _, at := range silent {
		g.consider(ctx, at, opinions)
	}
	return g.pause(silent, now)
}

// early returns how long it is too early to ask the others about a primary: none of them
// holds one for failing before the node timeout.
func (g *guard) early(silent []*shard, now time.Time) time.Duration {
	if g.pending != nil || g.timeout == 0 {
		return 0
	}
	pause := guardRest
	for _, at := range silent {
		pause = min(pause, g.timeout-guardEarly-at.silentFor(now))
	}
	return pause
}

// pause returns the time between a question to the others and the next.
func (g *guard) pause(silent []*shard, now time.Time) time.Duration {
	if g.pending == nil && !slices.ContainsFunc(silent, func(at *shard) bool { return at.silentFor(now) < guardLong }) {
		return guardRarely
	}
	if g.timeout == 0 {
		return guardSeldom // nobody knows when it will be of use
	}
	return min(max(guardOften, guardShare*g.cost), guardSeldom)
}

// consider asks for the election of a new primary if that is due.
func (g *guard) consider(ctx context.Context, at *shard, opinions []opinion) {
	id := identify(opinions, at.String())
	switch {
	case id == "" || !majority(opinions, id):
		delete(g.accused, id)
		return
	case g.told[id]:
		return
	case g.pending != nil: // a vote is given once in each epoch: of two elections at a time neither may get enough
		return
	case time.Since(g.asked[id]) < max(manualTimeout, 4*g.timeout): // a replica would not begin another before
		return
	}
	if g.accused[id].IsZero() {
		g.accused[id] = time.Now()
	}
	best, err := choose(g.standings(ctx, replicasOf(opinions, id)), id)
	switch {
	case !at.silent(time.Now()): // it has answered meanwhile
	case errors.Is(err, errMoved): // the Cluster was faster
	case err == nil:
		g.ask(ctx, at, id, best)
	case isDenied(err) || time.Since(g.accused[id]) > guardPatience:
		g.leave(at, id, err)
	}
}

// ask has a replica ask for votes.
func (g *guard) ask(ctx context.Context, at *shard, id string, best standing) {
	ctx, cancel := context.WithTimeout(ctx, guardAnswer)
	defer cancel()
	now := time.Now()
	err := g.cluster.replica(best.addr).WithTimeout(guardAnswer).Do(ctx, "cluster", "failover", "force").Err()
	g.asked[id] = now
	if err != nil && !isConnection(err) {
		g.leave(at, id, err)
		return
	}
	// Without an answer it may have been taken all the same.
	g.pending = &request{shard: at.String(), replica: best.member, at: now}
	g.store.log.Warn("most primaries hold one for failing: a replica is asked to be elected in its place", "shard", at.String(), "replica", best.addr,
		"offset", best.offset, "silent", at.silentFor(now).Round(time.Millisecond), "err", err)
}

// leave leaves an election to the Cluster, as long as the primary is silent.
func (g *guard) leave(at *shard, id string, err error) {
	g.told[id] = true
	outcome := g.store.metrics.unfit
	switch {
	case isDenied(err):
		outcome = g.store.metrics.denied
	case isServer(err):
		outcome = g.store.metrics.failed
	}
	outcome.Inc()
	g.store.log.Warn("most primaries hold one for failing, and no replica is asked: the election is the Cluster's own", "shard", at.String(), "err", err)
}

// settle notes what became of an election that was asked for.
func (g *guard) settle(opinions []opinion, now time.Time) {
	p := g.pending
	switch {
	case p == nil:
		return
	case elected(opinions, p.replica.id):
		g.store.metrics.elected.Inc()
		g.store.log.Info("the replica that was asked is the primary", "shard", p.shard, "replica", p.replica.addr, "took", now.Sub(p.at).Round(time.Millisecond))
	case now.Sub(p.at) < manualTimeout:
		return
	default:
		g.store.metrics.defeated.Inc()
		g.store.log.Warn("the replica that was asked has not been elected", "shard", p.shard, "replica", p.replica.addr)
	}
	g.pending = nil
	g.cluster.suspect()
}

// probe sees to it that an answer of a silent primary is noticed at once.
func (g *guard) probe(ctx context.Context, silent []*shard) {
	for at, cancel := range g.probes {
		if !slices.Contains(silent, at) {
			cancel()
			delete(g.probes, at)
		}
	}
	for _, at := range silent {
		if g.probes[at] != nil {
			continue
		}
		probing, cancel := context.WithCancel(ctx)
		g.probes[at] = cancel
		g.group.Go(func() { probe(probing, at) })
	}
}

// probe waits for an answer of a primary, over connections of its own: those of the pool
// may all be waiting. A question that is open when it goes on is answered then.
func probe(ctx context.Context, at *shard) {
	tick := time.NewTicker(guardRest)
	defer tick.Stop()
	for !answers(ctx, at.quick.Options()) {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
	if ctx.Err() == nil {
		at.heard.Store(time.Now().UnixNano())
	}
}

// answers reports whether a server gives any answer, be it an error.
func answers(ctx context.Context, o *goredis.Options) bool {
	ctx, cancel := context.WithTimeout(ctx, guardDial)
	defer cancel()
	conn, err := dialWire(ctx, o)
	if err != nil {
		return isServer(err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	var b [1]byte
	if _, err = conn.Write([]byte("*1\r\n$4\r\nPING\r\n")); err == nil {
		_, err = conn.Read(b[:])
	}
	return err == nil
}

// isServer reports whether an error is the answer of a server.
func isServer(err error) bool {
	var answer goredis.Error
	var here serverError
	return errors.As(err, &here) || errors.As(err, &answer) && !errors.Is(err, goredis.Nil)
}

// isDenied reports whether a server does not let its user do something, or cannot do it.
func isDenied(err error) bool {
	for e := err; e != nil; e = errors.Unwrap(e) {
		if hasPrefix(e, "NOPERM ", "ERR unknown command", "ERR unknown subcommand", "ERR Unknown subcommand") {
			return true
		}
	}
	return false
}

// silence returns the primaries that this process has had no answer from for a while,
// those that are silent for longest first, and the others.
func (s *Store) silence(now time.Time) (silent, others []*shard) {
	known := s.surveyed.Load()
	if known == nil {
		return nil, nil
	}
	for _, at := range *known {
		if at.silent(now) {
			silent = append(silent, at)
		} else {
			others = append(others, at)
		}
	}
	slices.SortFunc(silent, func(a, b *shard) int { return int(a.heard.Load() - b.heard.Load()) })
	return silent, others
}

// silent reports whether s has not answered for a while, although it was asked.
func (s *shard) silent(now time.Time) bool {
	return s.heard.Load() != 0 && s.silentFor(now) >= guardSilence
}

// silentFor returns how long ago s was asked for the last time that it answered.
func (s *shard) silentFor(now time.Time) time.Duration {
	return time.Duration(now.UnixNano() - s.heard.Load())
}

// opinions asks primaries what they say of the Cluster's nodes, at once.
func (g *guard) opinions(ctx context.Context, of []*shard) (list []opinion) {
	ctx, cancel := context.WithTimeout(ctx, guardAnswer)
	defer cancel()
	var mu sync.Mutex
	var group sync.WaitGroup
	for _, at := range of {
		group.Go(func() {
			text, err := at.slow.ClusterNodes(ctx).Result()
			if err != nil {
				return
			}
			if o, err := parseOpinion(text); err == nil {
				mu.Lock()
				list = append(list, o)
				mu.Unlock()
			}
		})
	}
	group.Wait()
	return list
}

// timeoutOf returns the node timeout that a primary is configured for; 0 if none says.
func timeoutOf(ctx context.Context, of []*shard) time.Duration {
	for _, at := range of {
		if config, err := at.quick.ConfigGet(ctx, "cluster-node-timeout").Result(); err == nil {
			ms, _ := strconv.ParseInt(config["cluster-node-timeout"], 10, 64)
			return time.Duration(ms) * time.Millisecond
		}
	}
	return 0
}

// standings asks replicas how far they are, at once.
func (g *guard) standings(ctx context.Context, of []member) []standing {
	ctx, cancel := context.WithTimeout(ctx, guardAnswer)
	defer cancel()
	list := make([]standing, len(of))
	var group sync.WaitGroup
	for i, m := range of {
		if m.addr == "" {
			list[i] = standing{member: m, err: errNoAddress}
			continue
		}
		group.Go(func() { list[i] = stand(ctx, g.cluster.replica(m.addr).WithTimeout(guardAnswer), m) })
	}
	group.Wait()
	return list
}

var errNoAddress = errors.New("the Cluster names no address of it")

// settingsOf are what Redis judges a replica by.
var settingsOf = []any{"config", "get", "cluster-node-timeout", "repl-ping-replica-period", "cluster-replica-validity-factor", "cluster-replica-no-failover"}

// stand asks a replica how far it is.
func stand(ctx context.Context, client *goredis.Client, m member) standing {
	p := client.Pipeline()
	nodes, info := p.ClusterNodes(ctx), p.Info(ctx, "replication")
	config := goredis.NewMapStringStringCmd(ctx, settingsOf...)
	_ = p.Process(ctx, config)
	_, err := p.Exec(ctx)
	var o opinion
	if err == nil {
		o, err = parseOpinion(nodes.Val())
	}
	if err != nil {
		return standing{member: m, err: err}
	}
	own := o.members[o.of]
	own.addr = m.addr
	return standingOf(own, info.Val(), config.Val())
}

// standingOf reads what a replica says of itself.
func standingOf(own member, info string, config map[string]string) (s standing) {
	s = standing{member: own, history: infoField(info, "master_replid"), syncing: infoField(info, "master_sync_in_progress") != "0"}
	number := func(text string) (n int64) {
		n, err := strconv.ParseInt(text, 10, 64)
		s.err = errors.Join(s.err, err)
		return n
	}
	s.offset = number(infoField(info, "slave_repl_offset"))
	heard := infoField(info, "master_last_io_seconds_ago")
	if infoField(info, "master_link_status") != "up" {
		heard = infoField(info, "master_link_down_since_seconds")
	}
	s.age = time.Duration(number(heard)) * time.Second
	s.oldest = oldestOf(time.Duration(number(config["cluster-node-timeout"]))*time.Millisecond,
		time.Duration(number(config["repl-ping-replica-period"]))*time.Second, number(config["cluster-replica-validity-factor"]))
	s.barred = s.barred || config["cluster-replica-no-failover"] != "no"
	return s
}
