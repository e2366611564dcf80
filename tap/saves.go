package tap

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"sluice/feature"
	"sluice/quality/sketch"
)

// saves is where the profiles topic has the state of a partition, and what has to be saved
// again should that topic lose it.
type saves struct {
	home   string                      // id of the profiles topic; empty: not known
	whole  int64                       // of its partition: what is saved lies from this offset on
	at     int64                       // offset of the progress of the last checkpoint
	base   uint64                      // what epochs are counted from
	again  bool                        // the topic lost some or all of it: the next checkpoint has everything
	closed map[string][]sketch.Partial // by view, rising, without profiles: windows that were closed and may not be judged yet
}

// maxClosed is how many closed windows of a view are remembered: more than a gate that is
// away leaves before people notice.
const maxClosed = 64

// close remembers a window that takes no more writes.
func (s *saves) close(view string, at source, w *window) {
	s.remember(sketch.Partial{
		View: view, Window: w.Window, Version: w.version, Topic: at.topic, Partition: at.partition, Rows: w.accepted, Bytes: w.bytes, Span: w.span, Offline: w.offline,
	})
}

func (s *saves) remember(partial sketch.Partial) {
	if s.closed == nil {
		s.closed = map[string][]sketch.Partial{}
	}
	partial.Profile = nil
	windows := s.closed[partial.View]
	at, known := slices.BinarySearchFunc(windows, partial.Window.Start, func(p sketch.Partial, start time.Time) int { return p.Window.Start.Compare(start) })
	if known {
		windows[at] = partial
		return
	}
	windows = slices.Insert(windows, at, partial)
	s.closed[partial.View] = slices.Delete(windows, 0, max(0, len(windows)-maxClosed))
}

// done notes a checkpoint whose progress is at offset.
func (s *saves) done(offset int64) { s.at, s.again = offset, false }

// move has everything saved again in the profiles topic home, of whose partition the owner
// has claimed the record before end and whose first record is at start. Epochs go on
// rising, though the offsets of another topic begin again.
func (p *partition) move(home string, start, end int64) {
	p.saves.base = max(p.saves.base, p.epoch)
	if p.away { // whoever took it meanwhile may have told of an epoch of its own
		p.saves.base, p.away = max(p.saves.base, lostBase()), false
	}
	p.saves.home, p.saves.whole, p.saves.again = home, start, true
	p.owned(end)
}

// owned makes the partition that of a new owner, who claimed the record before end.
func (p *partition) owned(end int64) {
	p.epoch, p.seq = p.saves.base+uint64(end), 0
	p.epochs = append(p.epochs, epochEnd{Epoch: p.epoch})
	p.epochs = slices.Clone(p.epochs[max(0, len(p.epochs)-maxEpochs):])
}

// closedAgain returns the partials of closed windows that are not judged yet, if all is to
// be saved again. Their profiles are made from the log; one whose records are gone is told.
func (p *partition) closedAgain(ctx context.Context) (all []sketch.Partial, err error) {
	if !p.saves.again {
		return nil, nil
	}
	for name, windows := range p.saves.closed {
		src := p.sources.reads(p.at.topic, name)
		if src == nil {
			delete(p.saves.closed, name)
			continue
		}
		var left []sketch.Partial
		for _, partial := range windows {
			open, err := p.opens(ctx, src.view, partial.Window)
			if err != nil {
				return nil, err
			}
			if !open {
				continue
			}
			left = append(left, partial)
			if err := p.profileAgain(ctx, src.view, &partial); err != nil {
				return nil, err
			}
			if partial.Profile != nil {
				all = append(all, partial)
			}
		}
		p.saves.closed[name] = left
	}
	return all, nil
}

// opens reports whether a window is not judged yet.
func (p *partition) opens(ctx context.Context, view *feature.View, w feature.Window) (bool, error) {
	_, err := p.tap.deps.Versions.OpenVersion(ctx, view, w, p.now)
	switch {
	case errors.Is(err, feature.ErrSealed):
		return false, nil
	case err != nil:
		return false, errRegistry(err)
	}
	return true, nil
}

// profileAgain makes the profile of a closed window again; it stays nil if the log no
// longer has its records.
func (p *partition) profileAgain(ctx context.Context, view *feature.View, partial *sketch.Partial) error {
	layout := p.tap.deps.layout(view, partial.Window.Start)
	profile, err := NewReader(p.tap.cfg, p.tap.log, p.tap.deps.HashKey, p.tap.deps.Past).Profile(ctx, view, layout, partial.Window, []feature.Span{partial.Span})
	if errors.Is(err, feature.ErrExpired) {
		p.tap.deps.Logger.Error("the profile of a window that is not judged was lost with the profiles topic, and its records are gone from the log",
			"partition", p.at.String(), "view", view.Name, "window", partial.Window.Start, "rows", partial.Rows, "err", err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("profile %s again: %w: %w", view.Name, errLog, err)
	}
	if partial.Profile, err = profile.MarshalBinary(); err != nil {
		return fmt.Errorf("encode profile of %s: %w", view.Name, err)
	}
	partial.Epoch, partial.Offset, partial.Layout = p.epoch, p.next, profile.Layout().Digest()
	return nil
}
