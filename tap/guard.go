package tap

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// savedAt is where the profiles topic has the last checkpoint of an owner, for others to
// look whether it is there still.
type savedAt struct {
	home  string // id of the topic
	whole int64  // of the partition: what belongs to the checkpoint lies from this offset on
	at    int64  // offset of its progress
}

// gap is what a look at the profiles topic found missing.
type gap struct {
	home string  // id of the topic that there is now; noTopic if there is none
	of   savedAt // what was looked for
	end  int64   // of the partition: what is saved after the look lies from this offset on
}

const noTopic = "-"

// extent is what a partition of the profiles topic holds.
type extent struct{ start, end int64 }

// extents returns the id of the profiles topic, empty if it is not known, and what its
// partitions hold. The end is that of all records: those of a transaction count before its
// end is marked in the log.
func (l *Log) extents(ctx context.Context) (home string, at map[int32]extent, err error) {
	topic := l.cfg.Topics.Profiles
	if _, err := l.countPartitions(ctx, []string{topic}); err != nil {
		return "", nil, err
	}
	home = l.identity(topic)
	starts, err := l.admin.ListStartOffsets(ctx, topic)
	if err != nil {
		return "", nil, fmt.Errorf("first offsets of %s: %w", topic, away(err))
	}
	ends, err := l.admin.ListEndOffsets(ctx, topic)
	if err != nil {
		return "", nil, fmt.Errorf("ends of %s: %w", topic, away(err))
	}
	at = map[int32]extent{}
	ends.Each(func(end kadm.ListedOffset) {
		if start, ok := starts.Lookup(topic, end.Partition); ok && start.Err == nil && end.Err == nil {
			at[end.Partition] = extent{start.Offset, end.Offset}
		}
	})
	return home, at, nil
}

// lookTime bounds a look at the profiles topic.
const lookTime = 5 * time.Second

// guarded looks after the profiles topic until what it returns is called.
func (t *Tap) guarded(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var looking sync.WaitGroup
	looking.Go(func() { t.guard(ctx) })
	return func() {
		cancel()
		looking.Wait()
	}
}

// checkPolicy tells if the profiles topic is not compacted alone: what else there is
// deletes checkpoints.
func (t *Tap) checkPolicy(ctx context.Context) error {
	policy, err := t.log.policy(ctx)
	if err == nil && policy != "" && policy != Compacted {
		t.deps.Logger.Error("records of the profiles topic are deleted that are needed; set its cleanup.policy to compact alone",
			"topic", t.log.cfg.Topics.Profiles, "cleanup.policy", policy)
	}
	return err
}

// guard looks again and again whether the profiles topic has what the owners saved, and
// whether it is theirs still, until ctx ends. A topic that is gone is made.
func (t *Tap) guard(ctx context.Context) {
	tick := time.NewTicker(t.cfg.Checkpoint)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := t.look(ctx)
		if errors.Is(err, kerr.UnknownTopicOrPartition) {
			t.deps.Logger.Error("the profiles topic is gone; it is made, and what is known of partitions is saved again", "topic", t.log.cfg.Topics.Profiles)
			err = t.remake(ctx)
		}
		if err != nil && ctx.Err() == nil {
			t.deps.Logger.Warn("not known whether the profiles topic has what was saved", "topic", t.log.cfg.Topics.Profiles, "err", err)
		}
		t.giveBack(ctx)
	}
}

// remake makes the topics that are missing.
func (t *Tap) remake(ctx context.Context) error {
	sources, err := t.current()
	if err != nil {
		return err
	}
	return t.prepare(ctx, sources.names())
}

// look looks once, for all owners.
func (t *Tap) look(ctx context.Context) error {
	t.mu.Lock()
	owners := make([]*owner, 0, len(t.owners)+len(t.letGo))
	for _, o := range t.owners {
		owners = append(owners, o)
	}
	own := len(owners)
	for _, o := range t.letGo {
		owners = append(owners, o)
	}
	t.mu.Unlock()
	return errors.Join(t.lookFor(ctx, owners...), t.overtaken(ctx, owners[:own]))
}

func (t *Tap) lookFor(ctx context.Context, owners ...*owner) error {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	saved := make([]*savedAt, len(owners)) // before the look: what is saved meanwhile lies beyond it
	for i, o := range owners {
		saved[i] = o.saved.Load()
	}
	home, at, err := t.log.extents(ctx)
	if err != nil {
		return err
	}
	var unknown error
	for i, o := range owners {
		switch e, ok := at[o.at.partition]; {
		case saved[i] == nil:
		case ok, another(saved[i].home, home): // one that was just made may have no leader yet
			o.missing(saved[i], home, e)
		default:
			unknown = fmt.Errorf("partition %d of %s says nothing of its offsets", o.at.partition, t.log.cfg.Topics.Profiles)
		}
	}
	return unknown
}

// missing notes what the profiles topic no longer has of what was saved. Where compaction
// moves the start of a partition, as that of the in-process broker does, only a start
// beyond the progress tells of records that were deleted: that is the last of its key.
func (o *owner) missing(s *savedAt, home string, e extent) {
	first := s.whole
	if o.tap.log.cfg.InProcess {
		first = s.at
	}
	if another(s.home, home) || e.start > first || e.end <= s.at {
		o.gap.Store(&gap{home, *s, e.end})
	}
}

// look looks for this owner, which is about to leave. Where that fails the next look of
// another tap will tell.
func (o *owner) look(ctx context.Context) {
	switch err := o.tap.lookFor(ctx, o); {
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		o.gap.Store(&gap{home: noTopic})
	case err != nil:
		o.tap.deps.Logger.Warn("not known whether the profiles topic has what was saved", "partition", o.at.String(), "err", err)
	}
}

// refill saves all that is known of the partition again, if the profiles topic has lost
// some of it. One that was made anew needs a producer of its own: errStatesGone.
func (o *owner) refill(ctx context.Context, p *partition, w *writer) error {
	gap := o.gap.Swap(nil)
	switch {
	case gap == nil:
		return nil
	case another(p.saves.home, gap.home):
		return errStatesGone
	case gap.of.home != p.saves.home || gap.of.whole != p.saves.whole:
		return nil // saved again since the look
	}
	o.tap.metrics.errors.WithLabelValues(reasonProfiles).Inc()
	o.tap.deps.Logger.Error("records of the partition were deleted from the profiles topic, which is to be compacted and never cut; all is saved again",
		"topic", o.tap.log.cfg.Topics.Profiles, "partition", o.at.String(), "offset", p.next)
	p.saves.again = true
	if err := o.save(ctx, p, w, true); err != nil {
		return err
	}
	p.saves.whole = gap.end
	o.saved.Store(&savedAt{p.saves.home, p.saves.whole, p.saves.at})
	return nil
}

// errStatesGone ends the session of a partition whose state is to be saved in a profiles
// topic that was made anew.
var errStatesGone = errors.New("the profiles topic was deleted and made anew")

// stillHeld returns ErrProgressLost unless somebody has put the progress of a partition
// back, or its topic is another one. It claims nothing, so that nobody who does is fenced.
func (t *Tap) stillHeld(ctx context.Context, at source) error {
	if there, err := t.log.hasProgress(ctx, at); there || err != nil {
		return err
	}
	id, err := t.log.identify(ctx, at.topic)
	if err != nil {
		return fmt.Errorf("identify %s: %w: %w", at, errLog, err)
	}
	p := &partition{tap: t, at: at, topicID: id}
	if err := p.fresh(ctx); err != nil {
		return fmt.Errorf("restore %s: %w", at, err)
	}
	return nil
}
