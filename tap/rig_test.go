package tap

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sluice/feature"
	"sluice/quality/sketch"
	"sluice/store/embedded"
	"sluice/store/registry"
)

// deadline ends a wait that will not come true.
const deadline = 30 * time.Second

// handClock is a clock that is set by hand.
type handClock struct{ now atomic.Pointer[time.Time] }

func (c *handClock) set(t time.Time) { c.now.Store(&t) }

func (c *handClock) Now() (time.Time, bool) {
	if t := c.now.Load(); t != nil {
		return *t, true
	}
	return time.Now(), false
}

// rig is a broker, a registry and an online store, and what Follow has said so
// far. Taps come and go on it.
type rig struct {
	*testing.T
	ctx      context.Context
	broker   *Broker
	log      *Log
	registry *registry.Registry
	rows     *embedded.Store
	clock    handClock
	cfg      Config
	layouts  func(*feature.View, time.Time) *sketch.Layout

	mu    sync.Mutex
	seen  map[source]feature.Progress
	parts map[WindowKey]sketch.Partial
	news  chan struct{}
	defs  *feature.Definitions
	gen   uint64
}

var testKey = sketch.HashKey{1, 2, 3}

func newRig(t *testing.T, partitions int32, views ...feature.View) *rig {
	t.Helper()
	broker, err := StartBroker(BrokerConfig{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = broker.Close() })
	return rigOn(t, broker, partitions, views...)
}

func rigOn(t *testing.T, broker *Broker, partitions int32, views ...feature.View) *rig {
	t.Helper()
	topics := DefaultTopics()
	topics.Partitions = partitions
	r := rigAt(t, broker.Addrs(), topics, views...)
	r.broker = broker
	return r
}

func rigAt(t *testing.T, brokers []string, topics Topics, views ...feature.View) *rig {
	t.Helper()
	log, err := NewLog(LogConfig{Brokers: brokers, Topics: topics})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*deadline)
	reg, err := registry.OpenSQLite(ctx, filepath.Join(t.TempDir(), "registry.db"), registry.Options{})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := embedded.Open(embedded.Options{Path: filepath.Join(t.TempDir(), "rows")})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{
		T: t, ctx: ctx, log: log, registry: reg, rows: rows, cfg: DefaultConfig(),
		seen: map[source]feature.Progress{}, parts: map[WindowKey]sketch.Partial{}, news: make(chan struct{}),
	}
	r.cfg.Checkpoint, r.cfg.Poll = 20*time.Millisecond, 10*time.Millisecond
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(log.Close(), rows.Close(), reg.Close()); err != nil {
			t.Error(err)
		}
	})
	r.apply(views...)
	if err := log.EnsureTopics(ctx, r.topics()...); err != nil {
		t.Fatal(err)
	}
	r.follow()
	return r
}

func (r *rig) topics() (names []string) {
	for i := range r.defs.Views {
		names = append(names, TopicOf(&r.defs.Views[i], r.log.cfg.Topics.Writes))
	}
	return names
}

// apply puts views in force.
func (r *rig) apply(views ...feature.View) {
	r.Helper()
	_, gen, err := r.registry.Definitions(r.ctx)
	if err != nil {
		r.Fatal(err)
	}
	defs, gen, err := r.registry.SaveDefinitions(r.ctx, gen, feature.Definitions{Project: "test", Views: views}, feature.Audit{By: "test", Action: "apply"})
	if err != nil {
		r.Fatal(err)
	}
	r.mu.Lock()
	r.defs, r.gen = &defs, gen
	r.mu.Unlock()
}

func (r *rig) view(name string) *feature.View {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.defs.View(name)
}

// follow keeps what Follow says.
func (r *rig) follow() {
	ctx, cancel := context.WithCancel(r.ctx)
	done := make(chan error, 1)
	go func() { done <- r.log.Follow(ctx, r.update) }()
	r.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			r.Errorf("Follow: %v", err)
		}
	})
}

func (r *rig) update(u Update) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if u.Progress != nil {
		if !u.Progress.Counts.Balanced() {
			return fmt.Errorf("progress %+v is out of balance", u.Progress)
		}
		r.seen[source{u.Progress.Topic, u.Progress.Partition}] = *u.Progress
	}
	for _, p := range u.Partials {
		r.parts[KeyOf(&p)] = p
	}
	for _, k := range u.Tombstones {
		delete(r.parts, k)
	}
	close(r.news)
	r.news = make(chan struct{})
	return nil
}

// wait waits until ok holds of what Follow said.
func (r *rig) wait(what string, ok func() bool) {
	r.Helper()
	timeout := time.After(deadline)
	for {
		r.mu.Lock()
		news, done := r.news, ok()
		r.mu.Unlock()
		if done {
			return
		}
		select {
		case <-news:
		case <-timeout:
			r.mu.Lock()
			defer r.mu.Unlock()
			r.Fatalf("waited in vain until %s; progress: %+v", what, r.seen)
		}
	}
}

// drain waits until everything on the topics is in a checkpoint, and returns the
// sum of the accounting.
func (r *rig) drain() feature.Counts {
	r.Helper()
	ends := map[source]int64{}
	for _, topic := range r.topics() {
		counts, err := r.log.Partitions(r.ctx, topic)
		if err != nil {
			r.Fatal(err)
		}
		for p := range counts[topic] {
			_, end, err := r.log.bounds(r.ctx, topic, p)
			if err != nil {
				r.Fatal(err)
			}
			ends[source{topic, p}] = end
		}
	}
	var sum feature.Counts
	r.wait(fmt.Sprintf("all is read up to %v", ends), func() bool {
		sum = feature.Counts{}
		for at, end := range ends {
			p, ok := r.seen[at]
			if !ok || p.Offset < end {
				return false
			}
			sum.Received += p.Counts.Received
			sum.Accepted += p.Counts.Accepted
			sum.Late += p.Counts.Late
			sum.Quarantined += p.Counts.Quarantined
			sum.DeadLettered += p.Counts.DeadLettered
			sum.Duplicate += p.Counts.Duplicate
		}
		return true
	})
	return sum
}

// running is a tap that runs.
type running struct {
	tap  *Tap
	stop context.CancelFunc
	done chan error
}

func (r *rig) deps() Deps {
	return Deps{
		Definitions: func() (*feature.Definitions, uint64) {
			r.mu.Lock()
			defer r.mu.Unlock()
			return r.defs, r.gen
		},
		Past: r.registry, Refresh: func(context.Context) error { return nil },
		Versions: r.registry, Begun: r.registry, Owners: r.registry, Rows: r.rows, Clock: &r.clock, HashKey: testKey, Layouts: r.layouts,
		Registerer: prometheus.NewRegistry(),
	}
}

func (r *rig) start() *running { return r.startWith(r.deps()) }

func (r *rig) startWith(deps Deps) *running {
	r.Helper()
	tap, err := New(r.cfg, r.log, deps)
	if err != nil {
		r.Fatal(err)
	}
	ctx, cancel := context.WithCancel(r.ctx)
	run := &running{tap, cancel, make(chan error, 1)}
	go func() { run.done <- tap.Run(ctx) }()
	r.Cleanup(func() { r.end(run) })
	return run
}

// end stops a tap, which saves.
func (r *rig) end(run *running) {
	r.Helper()
	run.stop()
	if err := <-run.done; err != nil {
		r.Errorf("Run: %v", err)
	}
	run.done <- nil
}

// crash stops a tap without a checkpoint.
func (r *rig) crash(run *running) {
	r.Helper()
	run.tap.mu.Lock()
	run.tap.lost = true
	run.tap.mu.Unlock()
	r.end(run)
}

// send appends records to topic.
func (r *rig) send(topic string, records ...Out) {
	r.Helper()
	if _, err := r.log.Append(r.ctx, topic, records); err != nil {
		r.Fatal(err)
	}
}

func (r *rig) watermark(view string, at time.Time) {
	r.Helper()
	if err := r.log.WriteWatermark(r.ctx, TopicOf(r.view(view), r.log.cfg.Topics.Writes), view, at); err != nil {
		r.Fatal(err)
	}
}

// merged returns the profile of a window over all partitions, and its rows.
func (r *rig) merged(view string, start time.Time) (*sketch.Profile, uint64) {
	r.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	v := r.defs.View(view)
	layout := r.layout(v, start)
	sum, rows := sketch.NewProfile(v, layout, testKey), uint64(0)
	for k, part := range r.parts {
		if k.View != view || k.Start != start.UnixNano() {
			continue
		}
		p, err := sketch.UnmarshalProfile(part.Profile, layout)
		if err != nil {
			r.Fatal(err)
		}
		if err := sum.Merge(p); err != nil {
			r.Fatal(err)
		}
		rows += part.Rows
	}
	return sum, rows
}

func (r *rig) layout(view *feature.View, start time.Time) *sketch.Layout {
	if r.layouts == nil {
		return sketch.Unbinned(view)
	}
	return r.layouts(view, start)
}

// spans returns the spans of a window over all partitions.
func (r *rig) spans(view string, start time.Time) (spans []feature.Span) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for k, part := range r.parts {
		if k.View == view && k.Start == start.UnixNano() {
			spans = append(spans, part.Span)
		}
	}
	slices.SortFunc(spans, func(a, b feature.Span) int { return int(a.Partition - b.Partition) })
	return spans
}

// letters lists all dead letters, a few at a time.
func (r *rig) letters() (all []DeadLetter) {
	r.Helper()
	for after := ""; ; {
		some, next, err := r.log.DeadLetters(r.ctx, after, 3)
		if err != nil {
			r.Fatal(err)
		}
		all = append(all, some...)
		if after = next; after == "" {
			return all
		}
	}
}

func (r *rig) progress() map[source]feature.Progress {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.seen)
}

// day is the start of the windows of most tests.
var day = time.Date(2024, 5, 6, 12, 0, 0, 0, time.UTC)

func ptr(v float64) *float64 { return &v }

// delays is a view on the default topic.
func delays() feature.View {
	return feature.View{
		Project: "test", Name: "delays", Entities: []feature.Entity{{Name: "carrier", Type: feature.String}},
		Features: []feature.Feature{
			{Name: "delay", Type: feature.Float64, Expect: feature.Expect{Min: ptr(-120), Max: ptr(2000)}},
			{Name: "flights", Type: feature.Int64},
			{Name: "origin", Type: feature.String},
		},
		Window: feature.WindowSpec{Size: 5 * time.Minute, Lateness: 30 * time.Second, Idle: time.Minute},
	}
}

// write is a record of the view delays.
func write(carrier string, at time.Time, delay float64, flights int) Out {
	return Out{
		Key: []byte(carrier),
		Value: fmt.Appendf(nil, `{"view":"delays","key":{"carrier":%q},"event_time":%q,"values":{"delay":%g,"flights":%d,"origin":"EWR"}}`,
			carrier, at.Format(time.RFC3339Nano), delay, flights),
	}
}

func withID(o Out, id string) Out {
	o.Headers = append(slices.Clone(o.Headers), Header{HeaderEventID, []byte(id)})
	return o
}

func on(partition int32, o Out) Out {
	o.Partition = &partition
	return o
}
