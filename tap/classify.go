package tap

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/feature"
	"sluice/quality/sketch"
)

// refuse counts a write that broke an expectation in the window of its event
// time, so that a window with nothing but such writes is judged too.
func (p *partition) refuse(ctx context.Context, v *viewState, m *feature.Write, i int) error {
	if err := p.wake(ctx, v); err != nil {
		return err
	}
	start, ok, err := v.blame(m.EventTime)
	if !ok || err != nil {
		return err
	}
	w := v.windows[start.UnixNano()]
	w.touch(m.Offset)
	w.profile.RefuseBy(m, i)
	return nil
}

// accept counts and keeps a write, and moves the watermark.
func (p *partition) accept(ctx context.Context, v *viewState, m *feature.Write) (late bool, err error) {
	if err := p.wake(ctx, v); err != nil {
		return false, err
	}
	start, late, err := v.place(m.EventTime)
	if err != nil {
		return false, err
	}
	w := v.windows[start.UnixNano()]
	w.touch(m.Offset)
	w.accepted++
	w.span.EventIDs = w.span.EventIDs || m.EventID != ""
	count(w.profile, m, late)
	v.observed.Inc()
	if m.Backfill {
		v.declared.Inc()
	}
	if p.tap.deps.Rows != nil {
		p.held += w.hold(m, &p.room)
		if err := p.unload(ctx, v, w); err != nil {
			return late, err
		}
	}
	p.advance(v, m.EventTime)
	return late, nil
}

// count profiles an accepted write in its window.
func count(p *sketch.Profile, m *feature.Write, late bool) {
	switch {
	case m.Backfill:
		p.AddBackfill(m)
	case late:
		p.AddLate(m)
	default:
		p.Add(m)
	}
}

// advance moves a view's watermark and closes windows.
func (p *partition) advance(v *viewState, at time.Time) {
	closed, crossed := v.sorter.advance(at)
	p.urgent = p.urgent || crossed
	p.shut(v, closed)
}

// respecify takes over another specification of a view's windows.
func (p *partition) respecify(v *viewState, spec feature.WindowSpec) {
	p.shut(v, v.sorter.respecify(spec))
}

func (p *partition) shut(v *viewState, closed []time.Time) {
	for _, start := range closed {
		v.windows[start.UnixNano()].closed = true
		p.closing++
	}
}

// watermark takes a watermark record.
func (p *partition) watermark(ctx context.Context, r *kgo.Record, mark string) error {
	at, err := time.Parse(time.RFC3339Nano, mark)
	if err != nil || outside("", at) != nil {
		p.badWatermark(ctx, r, dead(feature.CodeInvalidArgument, "", "", "header %s: %q is no RFC 3339 time between 1970 and 2262", HeaderWatermark, cut(mark)))
		return nil
	}
	name, named := header(r, HeaderView)
	if named && p.views[name] == nil {
		if _, err := p.refresh(ctx); err != nil {
			return err
		}
		if p.views[name] == nil {
			p.badWatermark(ctx, r, dead(feature.CodeUnknownView, cut(name), "", "not defined on topic %s", p.at.topic))
			return nil
		}
	}
	for _, v := range p.views {
		if !named || v.view.Name == name {
			if p.clockSet {
				v.seen = p.now
			}
			if at.After(v.sorter.watermark) {
				p.urgent = true
			}
			p.advance(v, at.UTC())
		}
	}
	return nil
}

func (p *partition) badWatermark(ctx context.Context, r *kgo.Record, bad *rejection) {
	p.counts.Received++
	p.counts.DeadLettered++
	p.results.dead.Inc()
	p.tap.metrics.invalid.WithLabelValues(p.known(bad.view), string(bad.reason)).Inc()
	p.letters.send(ctx, r, bad, p.now)
}

// openWindow opens the window of v that starts at start; false if it is sealed.
func (p *partition) openWindow(ctx context.Context, v *viewState, start time.Time) (bool, error) {
	offset := p.next - 1
	win := v.spec.Starting(start)
	info, err := p.tap.deps.Versions.OpenVersion(ctx, v.view, win, p.now)
	switch {
	case errors.Is(err, feature.ErrSealed):
		v.noteSealed(offset, start)
		return false, nil
	case err != nil:
		return false, errRegistry(err)
	}
	w := &window{
		Window: win, version: info.Version, rows: map[feature.Key]feature.Row{}, dirty: true,
		profile: sketch.NewProfile(v.view, p.tap.deps.layout(v.view, start), p.tap.deps.HashKey),
		span: feature.Span{
			Topic: p.at.topic, Partition: p.at.partition, First: -1, Last: -1, TopicID: p.topicID,
			Origin:  feature.Origin{Offset: offset, Watermark: v.sorter.watermark, Open: append([]time.Time(nil), v.opened...)},
			Defined: slices.Clone(p.defined),
		},
	}
	for _, s := range v.sealed {
		w.span.Sealed = append(w.span.Sealed, feature.Sealed{Offset: offset, Start: s})
	}
	v.windows[start.UnixNano()] = w
	return true, nil
}

// wake ends a view's idleness before anything is staged.
func (p *partition) wake(ctx context.Context, v *viewState) error {
	v.open = func(start time.Time) (bool, error) { return p.openWindow(ctx, v, start) }
	if !v.idle {
		return nil
	}
	return p.rise(ctx, v, p.next-1)
}

// rise ends a view's idleness for the record at offset. Windows that were sealed
// meanwhile, because this partition was counted idle, take no more writes.
func (p *partition) rise(ctx context.Context, v *viewState, offset int64) error {
	left, err := p.tap.deps.Versions.LeaveIdle(ctx, p.at.topic, p.at.partition, v.view.ID)
	if err != nil {
		return errRegistry(err)
	}
	v.idle, v.left, p.urgent = false, left, true
	for _, start := range append([]time.Time(nil), v.opened...) {
		_, err := p.tap.deps.Versions.OpenVersion(ctx, v.view, v.spec.Starting(start), p.now)
		switch {
		case errors.Is(err, feature.ErrSealed):
			v.seal(start)
			v.windows[start.UnixNano()].closed = true
			v.noteSealed(offset, start)
		case err != nil:
			return errRegistry(err)
		}
	}
	return nil
}
