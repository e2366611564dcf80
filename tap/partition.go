package tap

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/feature"
)

// partition is the state of one source partition. One goroutine owns it, so there
// are no locks. After an error it must be dropped and restored from the log.
type partition struct {
	tap     *Tap
	at      source
	topicID string // of at's topic; empty: not known
	epoch   uint64
	seq     uint64 // of the last checkpoint
	epochs  []epochEnd
	next    int64 // offset of the next record
	counts  feature.Counts
	source  sourceMinutes
	views   map[string]*viewState
	leaving []*viewState // of views that went or have windows of another length now: what is not saved yet
	ids     *idWindow
	results results
	saves   saves
	tenure  tenure

	sources   *sources
	defined   []feature.Defined // which definitions decided, as far back as event ids are known
	now       time.Time         // read once per batch
	clockSet  bool
	refreshed bool       // definitions were read again since the batch came
	caughtUp  bool       // likewise the clock
	midway    bool       // a batch or a save is under way: what is here is no state between two records
	changed   bool       // since the last checkpoint
	noted     bool       // the registry knows that the partition is read
	away      bool       // another owner may have had the partition since it was last saved here
	urgent    bool       // a window closed or idleness changed: checkpoint at once
	closing   int        // windows that closed since then
	staged    bool       // rows were staged since the last sync
	held      int        // bytes, about, of the rows held back
	room      []byte     // for a row while it is made
	marked    MarkedRows // the online store, if it keeps marks
	probe     *probe
	reading   reading
	letters   letters
}

// outcome is what became of one record over all views that read it.
type outcome struct {
	accepted, late, duplicate, backfilled bool
	bad                                   *rejection
}

// begin prepares for a batch: the clock and the definitions as of now.
func (p *partition) begin() error {
	p.now, p.clockSet = p.tap.deps.Clock.Now()
	p.refreshed, p.caughtUp = false, false
	return p.adopt(p.next)
}

// adopt takes over the current definitions for the records from offset from on: views come
// and go, and open windows go on under a changed definition. Those of a view that goes, or
// whose windows have another length from now on, end with what they have, which the next
// checkpoint saves.
func (p *partition) adopt(from int64) error {
	sources, err := p.tap.current()
	if err != nil || sources == p.sources || p.returns(sources) {
		return err
	}
	first := p.sources == nil // what was saved is not restored yet
	p.sources, p.letters.guarded = sources, sources.guarded[p.at.topic]
	for name, v := range p.views {
		src := sources.reads(p.at.topic, name)
		if sameWindows(src, v.viewSource) {
			v.viewSource = src
			p.respecify(v, src.view.Window)
			continue
		}
		p.leave(v)
		if src != nil && src.view.ID == v.view.ID {
			p.addView(src).goOn(v)
		}
	}
	for _, src := range sources.topics[p.at.topic] {
		if p.views[src.view.Name] == nil {
			p.addView(src)
			p.changed, p.urgent = true, true
		}
	}
	if !first {
		p.define(from)
	}
	return nil
}

// returns reports whether a view of which something is left to save would change again: a
// window that went could come back, in the place of what it had. The next checkpoint is first.
func (p *partition) returns(next *sources) bool {
	return slices.ContainsFunc(p.leaving, func(v *viewState) bool {
		return !sameWindows(p.sources.reads(p.at.topic, v.view.Name), next.reads(p.at.topic, v.view.Name))
	})
}

// sameWindows reports whether a view has the same windows by two definitions; nil is one by
// which it is not read.
func sameWindows(a, b *viewSource) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.view.ID == b.view.ID && a.view.Window.Size == b.view.Window.Size
}

// leave ends a view as it is in the partition.
func (p *partition) leave(v *viewState) {
	v.each(func(w *window) { w.closed = true })
	p.leaving = append(p.leaving, v)
	delete(p.views, v.view.Name)
	p.changed, p.urgent = true, true
}

// kept is all that the partition has of views, what is left of those that went as well.
func (p *partition) kept(yield func(*viewState) bool) {
	for _, v := range p.leaving {
		if !yield(v) {
			return
		}
	}
	for _, v := range p.views {
		if !yield(v) {
			return
		}
	}
}

func (p *partition) addView(src *viewSource) *viewState {
	v := newViewState(src)
	v.observed = p.tap.metrics.rows.WithLabelValues(src.view.Name, p.at.topic)
	v.declared = p.tap.metrics.backfilled.WithLabelValues(src.view.Name, p.at.topic)
	v.out = p.tap.metrics.offline.WithLabelValues(src.view.Name)
	if p.clockSet {
		v.seen = p.now
	}
	p.views[src.view.Name] = v
	return v
}

// record takes the next record of the partition.
func (p *partition) record(ctx context.Context, r *kgo.Record) error {
	if r.Offset < p.next {
		return nil
	}
	p.next, p.changed = r.Offset+1, true
	if r.Attrs.IsControl() {
		return nil
	}
	if mark, ok := header(r, HeaderWatermark); ok && len(r.Value) == 0 {
		return p.watermark(ctx, r, mark)
	}
	out, err := p.sort(ctx, r)
	if err != nil {
		return fmt.Errorf("record %s offset %d: %w", p.at, r.Offset, err)
	}
	p.counts.Received++
	p.count(r, &out)
	switch {
	case out.accepted:
		p.counts.Accepted++
		p.results.accepted.Inc()
		if out.late {
			p.counts.Late++
		}
		if out.backfilled {
			p.counts.Backfilled++
		}
		return nil
	case out.duplicate:
		p.counts.Duplicate++
		p.results.duplicate.Inc()
		return nil
	case out.bad.kind == Quarantined:
		p.counts.Quarantined++
		p.results.quarantined.Inc()
	default:
		p.counts.DeadLettered++
		p.results.dead.Inc()
	}
	p.letters.send(ctx, r, out.bad, p.now)
	return nil
}

func header(r *kgo.Record, key string) (string, bool) {
	for i := range r.Headers {
		if r.Headers[i].Key == key {
			return string(r.Headers[i].Value), true
		}
	}
	return "", false
}

// sort gives the record to every view that reads it.
func (p *partition) sort(ctx context.Context, r *kgo.Record) (outcome, error) {
	if bad := oversize(r, p.tap.cfg.MaxRecord); bad != nil {
		return outcome{bad: bad}, nil
	}
	if p.at.topic != p.tap.log.cfg.Topics.Writes {
		return p.sortFlat(ctx, r)
	}
	v, bad := p.decode(r)
	if bad != nil && bad.reason == feature.CodeUnknownView {
		if again, err := p.refresh(ctx); err != nil {
			return outcome{}, err
		} else if again {
			v, bad = p.decode(r)
		}
	}
	var out outcome
	return out, p.give(ctx, r, v, bad, &out)
}

func oversize(r *kgo.Record, most int) *rejection {
	switch n := len(r.Key) + len(r.Value); {
	case n > most:
		return dead(feature.CodeTooLarge, "", "", "record of %d bytes; at most %d are read", n, most)
	case len(r.Value) == 0:
		return dead(feature.CodeDecode, "", "", "record without a value; delete an entity with {\"op\":\"delete\"} and its event time")
	}
	return nil
}

// decode reads a record of the default topic into p.reading: an envelope, or a
// flat record whose header names the view.
func (p *partition) decode(r *kgo.Record) (*viewState, *rejection) {
	name, named := header(r, HeaderView)
	if named {
		v := p.views[name]
		if v == nil {
			return nil, dead(feature.CodeUnknownView, cut(name), "", "not defined on topic %s; apply its definition first, or correct the header %s", p.at.topic, HeaderView)
		}
		return v, p.reading.flat(v.decoder, r.Value, true)
	}
	var v *viewState
	_, bad := p.reading.envelope(r.Value, func(view string) *decoder {
		if v = p.views[view]; v == nil {
			return nil
		}
		return v.decoder
	})
	return v, bad
}

// refresh reads the definitions again, once per batch: what is not defined after
// that was not when the batch's records were written.
func (p *partition) refresh(ctx context.Context) (again bool, err error) {
	if p.refreshed || p.tap.deps.Refresh == nil {
		return false, nil
	}
	p.refreshed = true
	if err := p.tap.deps.Refresh(ctx); err != nil {
		return false, errRegistry(fmt.Errorf("refresh definitions: %w", err))
	}
	before := p.sources
	err = p.adopt(p.next - 1)
	return p.sources != before, err
}

// sortFlat gives a record of a topic of its own to the views that read it.
func (p *partition) sortFlat(ctx context.Context, r *kgo.Record) (outcome, error) {
	if len(p.sources.topics[p.at.topic]) == 0 {
		if _, err := p.refresh(ctx); err != nil {
			return outcome{}, err
		}
	}
	var out outcome
	for _, src := range p.sources.topics[p.at.topic] {
		bad := p.reading.flat(src.decoder, r.Value, false)
		if err := p.give(ctx, r, p.views[src.view.Name], bad, &out); err != nil {
			return out, err
		}
	}
	if out == (outcome{}) {
		out.bad = dead(feature.CodeUnknownView, "", "", "no view reads topic %s", p.at.topic)
	}
	return out, nil
}

// give gives what was read into p.reading to one view, or notes why not.
func (p *partition) give(ctx context.Context, r *kgo.Record, v *viewState, bad *rejection, out *outcome) error {
	if v != nil && p.clockSet {
		v.seen = p.now
	}
	m := &p.reading.write
	var id eventHash
	if bad == nil {
		describe(m, r, p.reading.eventID)
		if m.EventID != "" {
			if id = hashEvent(v.view.Name, m.EventID); p.ids.has(id) {
				out.duplicate = true
				return nil
			}
		}
		future, err := p.future(ctx, m)
		if err != nil {
			return err
		}
		p.clock(v, r, m)
		if future {
			bad = quarantine(feature.CodeFuture, v.view.Name, "", "event time %s is more than %s ahead of the clock, %s; check the producer's clock and unit",
				m.EventTime.Format(time.RFC3339), p.tap.cfg.Ahead, p.now.UTC().Format(time.RFC3339))
			v.noteFuture(r.Offset)
		}
	}
	if bad == nil && !m.Delete {
		if i, reason, ok, by := v.check(m); !ok {
			if bad = quarantine(feature.CodeExpect, v.view.Name, "", "%s", reason); by == nil {
				bad = unexpected(v, m, i, reason)
				bad.card = p.letters.guarded && v.checker.HoldsCard(m)
			}
			bad.poison = by
			if err := p.refuse(ctx, v, m, i); err != nil {
				return err
			}
		}
	}
	if bad != nil {
		p.tap.metrics.invalid.WithLabelValues(p.known(bad.view), string(bad.reason)).Inc()
		out.bad = worse(out.bad, bad)
		p.tell(r, v, bad)
		return nil
	}
	late, err := p.accept(ctx, v, m)
	if err != nil {
		return err
	}
	if m.EventID != "" {
		p.ids.add(id)
	}
	out.accepted, out.late, out.backfilled = true, out.late || late, m.Backfill
	return nil
}

// future reports whether a write lies too far ahead of the clock. A clock that is set by
// hand is asked for first, once per batch: its records were fetched before that, so
// whoever wrote one had set the clock by then.
func (p *partition) future(ctx context.Context, m *feature.Write) (bool, error) {
	ahead := func() bool { return p.clockSet && m.EventTime.After(p.now.Add(p.tap.cfg.Ahead)) }
	if !ahead() || p.caughtUp || p.tap.deps.CatchUp == nil {
		return ahead(), nil
	}
	if err := p.tap.deps.CatchUp(ctx); err != nil {
		return false, errRegistry(err)
	}
	p.caughtUp = true
	p.now, p.clockSet = p.tap.deps.Clock.Now()
	return ahead(), nil
}

// tell counts and logs a record that made the tap panic.
func (p *partition) tell(r *kgo.Record, v *viewState, bad *rejection) {
	if bad.poison == nil {
		return
	}
	view := ""
	if v != nil {
		view = v.view.Name
	}
	p.tap.metrics.panics.Inc()
	p.tap.deps.Logger.Error("a record made the tap panic, and is a dead letter; this is a bug", "topic", p.at.topic, "partition", p.at.partition, "offset", r.Offset,
		"view", view, "panic", bad.poison.what, "stack", string(bad.poison.stack))
}

// known returns a view's name if it is defined, so that data never names a series.
func (p *partition) known(view string) string {
	if p.views[view] == nil {
		return ""
	}
	return view
}

func unexpected(v *viewState, m *feature.Write, i int, reason string) *rejection {
	name, code := "", feature.CodeExpect // of one of the view's own expectations the reason tells
	if i >= 0 && i < len(v.view.Features) {
		name = v.view.Features[i].Name
	}
	if v.checker.NotFinite(m, i) {
		code = feature.CodeNotFinite
	}
	return quarantine(code, v.view.Name, name, "%s", reason)
}
