package tap

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/feature"
	"sluice/quality/sketch"
)

// Follow reads the profiles topic from its start and calls fn, one call at a
// time, with each step, until ctx ends (it then returns nil) or fn fails.
// Partials come only with a progress that covers them; what a transaction that
// never ended left behind is passed over. The first update with Caught, and all
// after it, tell that the end at the time of the call was reached.
func (l *Log) Follow(ctx context.Context, fn func(Update) error) error {
	err := l.follow(ctx, fn)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// follow follows the topic, and the one that is made in its place if it is deleted. What
// was told before stays so: the taps save again what they know.
func (l *Log) follow(ctx context.Context, fn func(Update) error) error {
	f := &follower{log: l, fn: fn}
	for {
		err := l.followTopic(ctx, f)
		if !errors.Is(err, kerr.UnknownTopicID) && !errors.Is(err, kerr.UnknownTopicOrPartition) {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(followAgain):
		}
	}
}

const (
	followAgain = 100 * time.Millisecond // when a topic that was gone is looked for again
	followLook  = time.Second            // how often is asked whether the topic is still the one that is read
)

// followTopic reads the topic that there is now, until it is gone.
func (l *Log) followTopic(ctx context.Context, f *follower) error {
	topic := l.cfg.Topics.Profiles
	home, err := l.identify(ctx, topic)
	if err != nil {
		return fmt.Errorf("follow %s: %w", topic, err)
	}
	left, err := l.unread(ctx, topic)
	if err != nil {
		return fmt.Errorf("follow %s: %w", topic, err)
	}
	client, err := kgo.NewClient(append(append(baseOptions(l.cfg.Brokers), readOptions(fetchAgain)...),
		kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.MetadataMaxAge(newPartitions))...)
	if err != nil {
		return fmt.Errorf("follow %s: %w", topic, err)
	}
	defer client.Close()
	f.left, f.states = left, map[int32]*assembler{}
	if err := f.caughtUp(); err != nil {
		return err
	}
	for looked := time.Now(); ; {
		fetches, err := pollFor(ctx, client, followLook)
		if err != nil {
			return fmt.Errorf("follow %s: %w", topic, err)
		}
		for iter := fetches.RecordIter(); !iter.Done(); {
			if err := f.record(iter.Next()); err != nil {
				return err
			}
		}
		if time.Since(looked) < followLook {
			continue
		}
		if err := l.still(ctx, topic, home); err != nil {
			return fmt.Errorf("follow %s: %w", topic, err)
		}
		looked = time.Now()
	}
}

// pollFor returns the next records, none if none come for a while.
func pollFor(ctx context.Context, client *kgo.Client, most time.Duration) (kgo.Fetches, error) {
	waiting, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	fetches := client.PollRecords(waiting, 10_000)
	err := fetchError(ctx, fetches)
	if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		err = nil
	}
	return fetches, err
}

// still returns an error if a topic is gone, or is another one than that of the id home.
// The client that reads it finds out after 12 s.
func (l *Log) still(ctx context.Context, topic, home string) error {
	asking, cancel := context.WithTimeout(ctx, followLook)
	defer cancel()
	_, err := l.countPartitions(asking, []string{topic})
	switch {
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		return err
	case err == nil && another(home, l.identity(topic)):
		return kerr.UnknownTopicID
	}
	return nil // who reads it meets what else is wrong
}

// unread returns, for each partition that holds committed records, the end.
func (l *Log) unread(ctx context.Context, topic string) (map[int32]int64, error) {
	starts, err := l.admin.ListStartOffsets(ctx, topic)
	if err != nil {
		return nil, err
	}
	ends, err := l.admin.ListCommittedOffsets(ctx, topic)
	if err != nil {
		return nil, err
	}
	left := map[int32]int64{}
	for p, end := range ends[topic] {
		start, _ := starts.Lookup(topic, p)
		if end.Err != nil {
			return nil, end.Err
		}
		if end.Offset > start.Offset {
			left[p] = end.Offset
		}
	}
	return left, nil
}

// follower turns records of all partitions of the profiles topic into calls.
type follower struct {
	log    *Log
	fn     func(Update) error
	left   map[int32]int64
	caught bool
	states map[int32]*assembler
}

func (f *follower) record(r *kgo.Record) error {
	if !r.Attrs.IsControl() {
		if err := f.state(r); err != nil {
			return fmt.Errorf("follow %s/%d offset %d: %w", r.Topic, r.Partition, r.Offset, err)
		}
	}
	if end, ok := f.left[r.Partition]; ok && r.Offset+1 >= end {
		delete(f.left, r.Partition)
		return f.caughtUp()
	}
	return nil
}

func (f *follower) caughtUp() error {
	if f.caught || len(f.left) > 0 {
		return nil
	}
	f.caught = true
	return f.fn(Update{Caught: true})
}

func (f *follower) state(r *kgo.Record) error {
	if _, err := parseKey(r.Key); err != nil {
		f.log.foreign.note(r, err)
		return nil
	}
	a := f.states[r.Partition]
	if a == nil {
		a = newAssembler()
		a.chunked = f.log.sawChunk
		f.states[r.Partition] = a
	}
	done, gone, err := a.add(r.Key, r.Value)
	switch {
	case err != nil:
		return err
	case gone != nil:
		return f.fn(Update{Tombstones: []WindowKey{*gone}, Caught: f.caught})
	case done != nil:
		slices.SortFunc(done.partials, comparePartials)
		return f.fn(Update{Progress: &done.progress.Progress, Partials: done.partials, Caught: f.caught})
	}
	return nil
}

func comparePartials(a, b sketch.Partial) int {
	if a.View != b.View {
		if a.View < b.View {
			return -1
		}
		return 1
	}
	return a.Window.Start.Compare(b.Window.Start)
}

// sawChunk remembers how many chunks a partial has had, for Forget.
func (l *Log) sawChunk(k stateKey) {
	l.mu.Lock()
	defer l.mu.Unlock()
	part := k.part
	k.part = 0
	key := string(k.append(nil))
	l.parts[key] = max(l.parts[key], part)
}

// Forget writes tombstones for the partials of judged windows, all chunks that
// Follow of this Log has seen of them.
func (l *Log) Forget(ctx context.Context, windows []WindowKey) error {
	var records []Out
	for _, w := range windows {
		k := stateKey{kind: kindPartial, at: source{w.Topic, w.Partition}, view: w.View, start: w.Start}
		l.mu.Lock()
		last := l.parts[string(k.append(nil))]
		delete(l.parts, string(k.append(nil)))
		l.mu.Unlock()
		for part := range last + 1 {
			k.part = part
			records = append(records, Out{Key: k.append(nil), Partition: &w.Partition})
		}
	}
	if _, err := l.Append(ctx, l.cfg.Topics.Profiles, records); err != nil {
		return fmt.Errorf("forget %d partials: %w", len(windows), err)
	}
	return nil
}

// KeyOf returns the name of a partial.
func KeyOf(p *sketch.Partial) WindowKey {
	return WindowKey{p.View, p.Window.Start.UnixNano(), p.Topic, p.Partition}
}

// Window returns the window that w names, of a view whose windows are spec.
func (w WindowKey) Window(spec feature.WindowSpec) feature.Window {
	return spec.Starting(unixNano(w.Start))
}
