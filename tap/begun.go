package tap

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrProgressLost reports a partition that was read before and of which the profiles topic
// has no progress, or not all that belongs to it. It is not read: beginning at the start of
// the log would count again what was counted.
var ErrProgressLost = errors.New("its progress is gone from the profiles topic")

// Begun is what the tap needs to know of partitions apart from the profiles topic, so that
// one whose progress was lost is not mistaken for a new one.
type Begun interface {
	// Begun returns under which id a partition's topic was last read, and whether the
	// partition ever was. The id is empty where it was not known.
	Begun(ctx context.Context, topic string, partition int32) (topicID string, begun bool, err error)
	// NoteBegun notes that the progress of a partition was saved.
	NoteBegun(ctx context.Context, topic string, partition int32, topicID string) error
}

// lostBase is what the epochs of a partition are counted from whose former ones are not
// known: microseconds of the clock, which are more than any log has records.
func lostBase() uint64 { return uint64(time.Now().UnixMicro()) }

// fresh makes the partition one that is read for the first time. The error is
// ErrProgressLost if it was read before, as one of the topic that it is of now.
func (p *partition) fresh(ctx context.Context) error {
	if p.tap.deps.Begun == nil {
		return nil
	}
	former, begun, err := p.tap.deps.Begun.Begun(ctx, p.at.topic, p.at.partition)
	switch {
	case err != nil:
		return errRegistry(err)
	case begun && !another(former, p.topicID):
		return ErrProgressLost
	case begun:
		p.saves.base = lostBase()
	}
	return nil
}

// noteBegun notes that the partition's progress was saved. What cannot be noted now is
// noted with a later checkpoint: the partition is read meanwhile.
func (p *partition) noteBegun(ctx context.Context) {
	if p.tap.deps.Begun == nil || p.noted {
		return
	}
	if err := p.tap.deps.Begun.NoteBegun(ctx, p.at.topic, p.at.partition, p.topicID); err != nil {
		p.tap.deps.Logger.Warn("not noted that the partition is read; tried again with the next checkpoint", "partition", p.at.String(), "err", err)
		return
	}
	p.noted = true
}

// checkWhole returns ErrProgressLost if a window that was open at the checkpoint has no
// partial though it is not judged.
func (p *partition) checkWhole(ctx context.Context, s *saved) error {
	for name, starts := range s.progress.Open {
		v := p.views[name]
		if v == nil {
			continue
		}
		for _, start := range starts {
			w := v.spec.Starting(start)
			if _, there := s.partials[WindowKey{name, start.UnixNano(), p.at.topic, p.at.partition}]; there {
				continue
			}
			open, err := p.opens(ctx, v.view, w)
			if err != nil {
				return err
			}
			if open {
				return fmt.Errorf("the profile of %s for the window at %s: %w", name, start.Format(time.RFC3339), ErrProgressLost)
			}
		}
	}
	return nil
}
