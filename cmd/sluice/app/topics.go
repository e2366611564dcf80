package app

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sluice/feature"
	"sluice/tap"
)

// topics knows how many partitions every source topic has, and makes those that
// definitions name.
type topics struct {
	log     *tap.Log
	writes  string
	catalog *catalog
	mu      sync.Mutex
	counts  atomic.Pointer[map[string]int32]
}

// Ensure makes the topics that defs read, and counts their partitions.
func (t *topics) Ensure(ctx context.Context, defs *feature.Definitions) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	names := []string{t.writes}
	for i := range defs.Views {
		if topic := defs.Views[i].Source.Topic; topic != "" && !slices.Contains(names, topic) {
			names = append(names, topic)
		}
	}
	if err := t.log.EnsureTopics(ctx, names...); err != nil {
		return err
	}
	counts, err := t.log.Partitions(ctx, names...)
	if err != nil {
		return err
	}
	t.counts.Store(&counts)
	return nil
}

// Recount counts the partitions of a view's topic, and has the profiles topic grow
// with it.
func (t *topics) Recount(ctx context.Context, view *feature.View) error {
	name := t.of(view)
	now, err := t.log.Partitions(ctx, name)
	if err != nil {
		return err
	}
	if int(now[name]) == t.Partitions(name) {
		return nil
	}
	return t.Ensure(ctx, t.catalog.Definitions())
}

// Ends returns the offset behind the last committed record of each partition of a view's
// topic.
func (t *topics) Ends(ctx context.Context, view *feature.View) (map[int32]int64, error) {
	return t.log.Ends(ctx, t.of(view))
}

// recount is how often partitions are counted again: somebody may add some.
const recount = 10 * time.Second

// Run keeps the counts current until ctx ends: at once when other definitions are
// in force, else now and then.
func (t *topics) Run(ctx context.Context) error {
	tick := time.NewTicker(recount / 10)
	defer tick.Stop()
	generation, last := t.catalog.Generation(), time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		now := t.catalog.Generation()
		if now == generation && time.Since(last) < recount {
			continue
		}
		if err := t.Ensure(ctx, t.catalog.Definitions()); err != nil {
			if ctx.Err() == nil {
				t.catalog.log.Warn("partitions of source topics not counted; the last counts stay", "err", err)
			}
			continue
		}
		generation, last = now, time.Now()
	}
}

// Partitions returns how many partitions a topic has; 0 if that is not known.
func (t *topics) Partitions(topic string) int {
	if counts := t.counts.Load(); counts != nil {
		return int((*counts)[topic])
	}
	return 0
}

// of returns the topic of a view's writes.
func (t *topics) of(view *feature.View) string {
	if view.Source.Topic == "" {
		return t.writes
	}
	return view.Source.Topic
}
