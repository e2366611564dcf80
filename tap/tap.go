package tap

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/semaphore"
)

// Tap reads every topic of writes that the definitions name and keeps, per source
// partition, the profiles of open windows and how far it has read.
type Tap struct {
	cfg              Config
	log              *Log
	deps             Deps
	metrics          *metrics
	letterPartitions atomic.Int32
	letterRoom       *semaphore.Weighted
	owned            atomic.Int32 // partitions

	compiling sync.Mutex
	compiled  atomic.Pointer[sources]

	mu     sync.Mutex
	owners map[source]*owner
	letGo  map[source]*owner // that ended, of partitions that nobody is known to have taken since
	joined bool
	lost   bool // partitions that go are not saved; set by tests that end like a crash

	known map[string]string // of Run: the ids of the topics that the group reads
}

// New returns a tap that does nothing until Run. The error joins what is wrong
// with cfg and deps.
func New(cfg Config, log *Log, deps Deps) (*Tap, error) {
	if err := errors.Join(cfg.Validate(), deps.validate()); err != nil {
		return nil, fmt.Errorf("new tap: %w", err)
	}
	t := &Tap{cfg: cfg, log: log, deps: deps, metrics: newMetrics(deps.Registerer), owners: map[source]*owner{}, letGo: map[source]*owner{}, known: map[string]string{}, letterRoom: semaphore.NewWeighted(lettersAhead)}
	log.foreign.report(t.metrics.foreign, deps.Logger)
	return t, nil
}

// current returns the definitions in force, made ready. Definitions that cannot
// be made ready are reported, and the former ones stay.
func (t *Tap) current() (*sources, error) {
	defs, generation := t.deps.Definitions()
	old := t.compiled.Load()
	if old != nil && old.generation == generation {
		return old, nil
	}
	t.compiling.Lock()
	defer t.compiling.Unlock()
	if old = t.compiled.Load(); old != nil && old.generation == generation {
		return old, nil
	}
	next, err := compile(defs, generation, t.log.cfg.Topics.Writes)
	switch {
	case err != nil && old == nil:
		return nil, err
	case err != nil:
		t.deps.Logger.Error("definitions cannot be read; the former ones stay in force", "generation", generation, "err", err)
		next = &sources{generation, old.decides, old.byName, old.topics, old.guarded}
	}
	if old != nil {
		for name := range old.byName {
			if next.byName[name] == nil {
				t.metrics.forget(name)
			}
		}
	}
	t.compiled.Store(next)
	return next, nil
}

// Run reads until ctx ends. Partitions come and go with the consumer group; all
// are saved before Run returns.
func (t *Tap) Run(ctx context.Context) error {
	sources, err := t.current()
	if err != nil {
		return fmt.Errorf("tap: %w", err)
	}
	topics := sources.names()
	if err := t.prepare(ctx, topics); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("tap: %w", err)
	}
	group, err := t.join(topics)
	if err != nil {
		return fmt.Errorf("tap: join group %s: %w", t.cfg.Group, err)
	}
	defer t.leave(group)
	defer t.guarded(ctx)()
	tick := time.NewTicker(t.cfg.Poll)
	defer tick.Stop()
	hinted := time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if topics, err = t.follow(ctx, group, topics); err != nil {
			t.deps.Logger.Warn("topics of changed definitions are not read yet", "err", err)
		}
		t.report()
		if time.Since(hinted) >= t.cfg.Checkpoint {
			hinted = time.Now()
			t.hint(ctx, group)
		}
	}
}

// prepare makes the topics that are missing.
func (t *Tap) prepare(ctx context.Context, topics []string) error {
	if err := t.log.EnsureTopics(ctx, topics...); err != nil {
		return err
	}
	counts, err := t.log.Partitions(ctx, t.log.cfg.Topics.DeadLetters)
	if err != nil {
		return err
	}
	t.letterPartitions.Store(max(1, counts[t.log.cfg.Topics.DeadLetters]))
	return t.checkPolicy(ctx)
}

// newPartitions is how long a partition that was added to a topic may go unread.
const newPartitions = 10 * time.Second

// join makes the member of the consumer group. It only says which partitions are
// this process's; each owner has clients of its own, so the member never fetches.
func (t *Tap) join(topics []string) (*kgo.Client, error) {
	group, err := kgo.NewClient(append(baseOptions(t.log.cfg.Brokers),
		kgo.ConsumerGroup(t.cfg.Group),
		kgo.ConsumeTopics(topics...),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.DisableAutoCommit(),
		kgo.SessionTimeout(t.cfg.Session),
		kgo.HeartbeatInterval(min(t.cfg.Session/3, time.Second)), // a member learns of a change with a heartbeat
		kgo.RebalanceTimeout(time.Minute),
		kgo.MetadataMaxAge(newPartitions),
		kgo.MaxConcurrentFetches(1),
		kgo.FetchMaxBytes(1<<20),
		kgo.FetchMaxPartitionBytes(1<<16),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, parts map[string][]int32) { t.assigned(parts) }),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, parts map[string][]int32) { t.gone(parts, true) }),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, parts map[string][]int32) { t.gone(parts, false) }),
	)...)
	if err != nil {
		return nil, err
	}
	group.PauseFetchTopics(topics...)
	return group, nil
}

// leave leaves the group, which gives every partition back, and waits for the
// owners.
func (t *Tap) leave(group *kgo.Client) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*grace)
	defer cancel()
	if err := group.LeaveGroupContext(ctx); err != nil {
		t.deps.Logger.Warn("group not left", "group", t.cfg.Group, "err", err)
	}
	rest := map[string][]int32{}
	t.mu.Lock()
	t.joined = false
	for at := range t.owners {
		rest[at.topic] = append(rest[at.topic], at.partition)
	}
	t.mu.Unlock()
	t.gone(rest, true)
	t.forget()
	group.Close()
}

func (t *Tap) assigned(parts map[string][]int32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.joined = true
	for topic, partitions := range parts {
		for _, n := range partitions {
			at := source{topic, n}
			if t.owners[at] == nil {
				t.owners[at] = t.own(at, t.regain(at))
			}
		}
	}
	t.count()
}

// count notes how many partitions are owned.
func (t *Tap) count() {
	t.owned.Store(int32(len(t.owners)))
	t.metrics.partitions.Set(float64(len(t.owners)))
}

// leastHeld is what a partition holds back at least, however many there are: stores take
// rows by the thousand.
const leastHeld = 1 << 20

// share is how many bytes of rows, about, a partition holds back before it stages them.
func (t *Tap) share() int {
	whole := t.cfg.StageBytes
	return max(whole/max(1, int(t.owned.Load())), min(whole, leastHeld))
}

// portion is how many bytes, about, the records of a fetch of a partition take.
func (t *Tap) portion() int32 { return portionOf(t.cfg.FetchBytes, int(t.owned.Load())) }

// gone ends the owners of partitions, all at once, and waits for them.
func (t *Tap) gone(parts map[string][]int32, save bool) {
	var ending sync.WaitGroup
	t.mu.Lock()
	save = save && !t.lost
	for topic, partitions := range parts {
		for _, n := range partitions {
			if o := t.owners[source{topic, n}]; o != nil {
				delete(t.owners, o.at)
				if t.lost {
					o.drop()
				}
				ending.Go(func() { o.end(save) })
			}
		}
	}
	t.count()
	t.mu.Unlock()
	ending.Wait()
}

// follow brings the topics that the group reads up to the definitions.
func (t *Tap) follow(ctx context.Context, group *kgo.Client, topics []string) ([]string, error) {
	sources, err := t.current()
	if err != nil {
		return topics, err
	}
	if anew := t.renewed(topics); len(anew) > 0 {
		group.PurgeTopicsFromConsuming(anew...)
		t.gone(t.of(anew), true)
		group.PauseFetchTopics(anew...)
		group.AddConsumeTopics(anew...)
	}
	next := sources.names()
	if slices.Equal(next, topics) {
		return topics, nil
	}
	if err := t.prepare(ctx, next); err != nil {
		return topics, err
	}
	var added, removed []string
	for _, topic := range next {
		if !slices.Contains(topics, topic) {
			added = append(added, topic)
		}
	}
	for _, topic := range topics {
		if !slices.Contains(next, topic) {
			removed = append(removed, topic)
			t.metrics.lag.DeleteLabelValues(topic)
			t.metrics.behind.DeleteLabelValues(topic)
			t.metrics.held.DeleteLabelValues(topic)
			t.metrics.unread.DeleteLabelValues(topic)
		}
	}
	group.PauseFetchTopics(added...)
	group.AddConsumeTopics(added...)
	group.PurgeTopicsFromConsuming(removed...)
	t.gone(t.of(removed), true)
	return next, nil
}

// renewed returns those of topics that were deleted and made anew since the last call:
// the group's client keeps to the former ones.
func (t *Tap) renewed(topics []string) (anew []string) {
	for _, topic := range topics {
		now := t.log.identity(topic)
		if another(t.known[topic], now) {
			anew = append(anew, topic)
		}
		if now != "" {
			t.known[topic] = now
		}
	}
	return anew
}

// of returns the partitions of topics that this process owns.
func (t *Tap) of(topics []string) map[string][]int32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	parts := map[string][]int32{}
	for at := range t.owners {
		if slices.Contains(topics, at.topic) {
			parts[at.topic] = append(parts[at.topic], at.partition)
		}
	}
	return parts
}

// report sets the gauges.
func (t *Tap) report() {
	t.mu.Lock()
	defer t.mu.Unlock()
	now, lags, behind, held := time.Now(), map[string]time.Duration{}, map[string]int64{}, map[string]int{}
	for at, o := range t.owners {
		lags[at.topic] = max(lags[at.topic], o.lag(now))
		behind[at.topic] += o.behind.Load()
		if o.held.Load() {
			held[at.topic]++
		}
	}
	for _, topic := range t.topics() {
		t.metrics.held.WithLabelValues(topic).Set(float64(held[topic]))
	}
	for topic, lag := range lags {
		t.metrics.lag.WithLabelValues(topic).Set(lag.Seconds())
		t.metrics.behind.WithLabelValues(topic).Set(float64(behind[topic]))
	}
}

// hint commits offsets to the group. Nobody starts from them; they show tools how
// far the tap has read.
func (t *Tap) hint(ctx context.Context, group *kgo.Client) {
	offsets := map[string]map[int32]kgo.EpochOffset{}
	t.mu.Lock()
	for at, o := range t.owners {
		if offset := o.offset.Load(); offset >= 0 {
			if offsets[at.topic] == nil {
				offsets[at.topic] = map[int32]kgo.EpochOffset{}
			}
			offsets[at.topic][at.partition] = kgo.EpochOffset{Epoch: -1, Offset: offset}
		}
	}
	t.mu.Unlock()
	if len(offsets) > 0 {
		group.CommitOffsets(ctx, offsets, nil)
	}
}

// Ready returns nil while the tap reads all partitions that are its own, and else
// what is missing. One whose progress is lost does not count: only people can help it, and
// a process that is not ready serves nobody. Held tells of it.
func (t *Tap) Ready() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.joined {
		return fmt.Errorf("tap: waiting for group %s to assign partitions", t.cfg.Group)
	}
	for at, o := range t.owners {
		if o.restored.Load() || o.held.Load() {
			continue
		}
		if err := o.trouble.Load(); err != nil {
			return fmt.Errorf("tap: partition %s: %w", at, *err)
		}
		return fmt.Errorf("tap: partition %s is being restored", at)
	}
	return nil
}

// Held returns nil unless partitions of this process are not read because their progress
// is lost, and else which.
func (t *Tap) Held() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var held []string
	for at, o := range t.owners {
		if o.held.Load() {
			held = append(held, at.String())
		}
	}
	if len(held) == 0 {
		return nil
	}
	slices.Sort(held)
	return fmt.Errorf("%s: %w", strings.Join(held, ", "), ErrProgressLost)
}

// topics returns the topics that the definitions name; none before there are any.
func (t *Tap) topics() []string {
	if s := t.compiled.Load(); s != nil {
		return s.names()
	}
	return nil
}
