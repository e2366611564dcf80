package tap

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/feature"
	"sluice/quality/sketch"
)

// saved is what the profiles topic holds of one source partition.
type saved struct {
	progress *progressRecord
	partials map[WindowKey]sketch.Partial
	segments map[int]piece
}

// load reads what is saved of a source partition, up to offset end of the
// profiles partition.
func (l *Log) load(ctx context.Context, at source, end int64) (*saved, error) {
	s := &saved{partials: map[WindowKey]sketch.Partial{}, segments: map[int]piece{}}
	a := newAssembler()
	err := l.readRange(ctx, l.cfg.Topics.Profiles, at.partition, 0, end, func(r *kgo.Record) error {
		k, err := parseKey(r.Key)
		if err != nil {
			l.foreign.note(r, err)
			return nil
		}
		if k.at != at {
			return nil // of another topic's partition
		}
		done, gone, err := a.add(r.Key, r.Value)
		if err != nil {
			return fmt.Errorf("offset %d: %w", r.Offset, err)
		}
		if gone != nil {
			delete(s.partials, *gone)
		}
		if done != nil {
			s.progress = &done.progress
			for _, partial := range done.partials {
				s.partials[KeyOf(&partial)] = partial
			}
			maps.Copy(s.segments, done.segments)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("restore %s: %w", at, err)
	}
	return s, nil
}

// take makes this process the owner of a source partition: it fences the former
// owner first, and only then reads what that one saved. Kept is what this process has of
// the partition still, if it has owned it before; nil if it has nothing.
func (t *Tap) take(ctx context.Context, at source, w *writer, kept *partition) (*partition, error) {
	found, err := t.fence(ctx, at, w)
	if err != nil {
		return nil, err
	}
	if kept.outlives(found) {
		return kept, kept.goOn(found)
	}
	p := &partition{
		tap: t, at: at, topicID: found.topicID, tenure: follows(found.last), views: map[string]*viewState{}, ids: newIDWindow(t.cfg.DedupeIDs), results: t.metrics.results(at),
		letters: letters{log: t.log, room: t.letterRoom, partition: at.partition % max(1, t.letterPartitions.Load())}, saves: saves{home: found.home, whole: found.first},
	}
	if err := p.begin(); err != nil {
		return nil, err
	}
	if found.progress != nil {
		err = p.restore(ctx, found.saved)
	} else {
		err = p.fresh(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("restore %s: %w", at, err)
	}
	p.owned(found.end)
	if err := p.findStart(ctx, found.progress == nil); err != nil {
		return nil, err
	}
	p.define(p.next)
	return p, nil
}

// found is what there is of a source partition once its former owner is fenced.
type found struct {
	*saved
	topicID    string // of the topic of writes
	last       string // owner that was noted before the claim
	home       string // id of the profiles topic
	first, end int64  // of its partition: its first record, and the one after the claim
}

// fence claims a source partition, so that whoever owned it saves nothing any more, and only
// then reads what is saved of it. As whose it was read last is looked up before: an owner
// that is noted after that makes this one's enter fail.
func (t *Tap) fence(ctx context.Context, at source, w *writer) (f found, err error) {
	profiles := t.log.cfg.Topics.Profiles
	if f.last, err = t.lastOwner(ctx, at); err != nil {
		return f, err
	}
	if f.home, err = t.log.identify(ctx, profiles); err != nil {
		return f, fmt.Errorf("identify %s: %w: %w", profiles, errLog, err)
	}
	if f.end, err = w.claim(ctx, profiles, at); err != nil {
		return f, fmt.Errorf("claim %s: %w", at, err)
	}
	if f.first, _, err = t.log.bounds(ctx, profiles, at.partition); err != nil {
		return f, fmt.Errorf("%w: %w", errLog, err)
	}
	if f.saved, err = t.log.load(ctx, at, f.end); err != nil {
		return f, err
	}
	if f.topicID, err = t.log.identify(ctx, at.topic); err != nil {
		return f, fmt.Errorf("identify %s: %w: %w", at, errLog, err)
	}
	return f, nil
}

// outlives reports whether what a process has of a partition, as of its last record, is to
// go on in place of what the profiles topic has: where that topic lost the last checkpoint,
// and nobody else has read the partition since.
func (p *partition) outlives(f found) bool {
	if p == nil || another(p.topicID, f.topicID) || !p.stands(f.last) {
		return false
	}
	return f.progress == nil || another(p.saves.home, f.home) && f.progress.Epoch == p.epoch
}

// goOn has what a process has of a partition follow its last owner.
func (p *partition) goOn(f found) error {
	p.tap.deps.Logger.Error("the profiles topic has lost the partition's progress; it is saved again", "partition", p.at.String(), "offset", p.next, "epoch", p.epoch)
	p.move(f.home, f.first, f.end)
	p.tenure = follows(f.last)
	return p.begin()
}

// restore takes over a saved state.
func (p *partition) restore(ctx context.Context, s *saved) error {
	p.next, p.counts, p.epochs = s.progress.Offset, s.progress.Counts, s.progress.Epochs
	p.source, p.saves.base, p.defined = slices.Clone(s.progress.Source), s.progress.Base, slices.Clone(s.progress.Defined)
	missing, err := p.ids.restore(s.segments, s.progress.IDs)
	if err != nil {
		return err
	}
	if missing > 0 {
		p.tap.deps.Logger.Warn("event ids are not saved; writes older than the rest may be taken twice", "partition", p.at.String(), "ids", missing)
	}
	start, end, err := p.tap.log.bounds(ctx, p.at.topic, p.at.partition)
	if err != nil {
		return fmt.Errorf("%w: %w", errLog, err)
	}
	if another(s.progress.TopicID, p.topicID) {
		p.renew(start)
	}
	var awake []*viewState // of what they read after that, the former owner may have staged rows
	for name, state := range s.progress.Views {
		v := p.views[name]
		if v == nil {
			continue
		}
		v.watermark, v.left, v.sealed = state.Watermark, state.Left, s.progress.Sealed[name]
		if late, saved := s.progress.Late[name]; saved { // by which windows were closed; those in force follow
			v.spec.Lateness = time.Duration(late)
		}
		switch {
		case state.Idle && p.next < end:
			awake = append(awake, v)
		case state.Idle:
			if err := p.rest(ctx, v); err != nil {
				return err
			}
		}
	}
	if err := p.checkWhole(ctx, s); err != nil {
		return err
	}
	for _, partial := range s.partials {
		if err := p.reopen(ctx, &partial); err != nil {
			return err
		}
	}
	for _, v := range p.views {
		p.respecify(v, v.view.Window)
	}
	for _, v := range awake { // so that no window is sealed without those
		if err := p.rise(ctx, v, p.next); err != nil {
			return err
		}
	}
	return nil
}

// another reports whether two ids of a topic, as far as they are known, are of two.
func another(a, b string) bool { return a != "" && b != "" && a != b }

// renew has the partition read from the start of a topic that was deleted and made anew:
// its offsets are of other records than those that were read. What was counted stays so,
// windows that are open go on, and event ids are known still. The rows of the former
// topic cannot be read again, as the spans of their windows say by its id.
func (p *partition) renew(start int64) {
	p.tap.metrics.errors.WithLabelValues(reasonTopic).Inc()
	p.tap.deps.Logger.Error("the topic was deleted and made anew: it is read from its start", "partition", p.at.String(), "read", p.next, "start", start)
	p.next, p.defined = start, nil
}

// rest makes a view idle in this partition. The number of times that it had left
// idleness is asked for anew, in case the last leave was not saved.
func (p *partition) rest(ctx context.Context, v *viewState) error {
	left, err := p.tap.deps.Versions.LeaveIdle(ctx, p.at.topic, p.at.partition, v.view.ID)
	if err != nil {
		return errRegistry(err)
	}
	v.idle, v.left, p.urgent, p.changed = true, left, true, true
	return nil
}

// reopen restores a window from its partial, unless it was closed.
func (p *partition) reopen(ctx context.Context, partial *sketch.Partial) error {
	v := p.views[partial.View]
	if v == nil {
		return nil
	}
	if partial.Window != v.spec.Starting(partial.Window.Start) || v.spec.Closed(partial.Window, v.watermark) { // of another length, or past
		p.saves.remember(*partial)
		return nil
	}
	start := partial.Window.Start
	if _, sealed := slices.BinarySearchFunc(v.sealed, start, time.Time.Compare); sealed {
		p.saves.remember(*partial)
		return nil
	}
	profile, err := p.profile(ctx, v.view, partial)
	if err != nil {
		return fmt.Errorf("view %s, window at %s: %w", partial.View, start.Format(time.RFC3339), err)
	}
	v.windows[start.UnixNano()] = &window{
		Window: partial.Window, version: partial.Version, profile: profile, rows: map[feature.Key]feature.Row{},
		accepted: partial.Rows, bytes: partial.Bytes, span: partial.Span, offline: partial.Offline,
	}
	at, _ := slices.BinarySearchFunc(v.opened, start, time.Time.Compare)
	v.opened = slices.Insert(v.opened, at, start)
	return nil
}

// profile decodes a partial's profile. If the window's layout is another one now,
// its records are read again.
func (p *partition) profile(ctx context.Context, view *feature.View, partial *sketch.Partial) (*sketch.Profile, error) {
	layout := p.tap.deps.layout(view, partial.Window.Start)
	profile, err := sketch.UnmarshalProfile(partial.Profile, layout)
	if errors.Is(err, sketch.ErrLayout) {
		r := NewReader(p.tap.cfg, p.tap.log, p.tap.deps.HashKey, p.tap.deps.Past)
		return r.Profile(ctx, view, layout, partial.Window, []feature.Span{partial.Span})
	}
	if err != nil {
		return nil, err
	}
	return profile, profile.Resume(p.tap.deps.HashKey)
}

// findStart checks the offset to read from against what the log holds.
func (p *partition) findStart(ctx context.Context, fresh bool) error {
	start, end, err := p.tap.log.bounds(ctx, p.at.topic, p.at.partition)
	if err != nil {
		return fmt.Errorf("%w: %w", errLog, err)
	}
	switch {
	case fresh:
		p.next = start
	case p.next < start:
		p.tap.metrics.unread.WithLabelValues(p.at.topic).Add(float64(start - p.next))
		p.tap.deps.Logger.Error("records were deleted from the log before they were read", "partition", p.at.String(), "from", p.next, "to", start)
		p.next = start
	case p.next > end:
		p.tap.deps.Logger.Error("the log ends before what was read of it; it has lost records", "partition", p.at.String(), "read", p.next, "end", end)
		p.next = end
	}
	return nil
}
