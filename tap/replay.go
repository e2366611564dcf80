package tap

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/feature"
	"sluice/quality/sketch"
)

// NotRefused is what a replay tells of an accepted write.
const NotRefused = -2

// Reader reads the records of a window again from the log and sorts them as the
// live tap did. It is safe for concurrent use.
//
// What a window's spans say decides what the clock, other partitions and the
// definitions of the time decided: writes refused because of the clock, windows sealed
// early, and which records were writes of the view that keep its expectations. Duplicates
// are found among the event ids of the view's own writes, starting DedupeIDs
// records before the window.
//
// Spans of earlier releases do not say which definitions decided, nor may the registry have
// those. Then the view that is given does, and what was sent again repeats no record that
// was refused.
type Reader struct {
	cfg  Config
	log  *Log
	key  sketch.HashKey
	past *pastViews
}

// NewReader returns a reader of log. key is the installation's; past may be nil, so that
// the view that is given decides.
func NewReader(cfg Config, log *Log, key sketch.HashKey, past Past) *Reader {
	return &Reader{cfg, log, key, &pastViews{past: past, defaultTopic: log.cfg.Topics.Writes, ready: map[pastView]*viewSource{}}}
}

// Replay calls fn with every write that the live tap counted in a window of view,
// by partition and in the order of the log: refused is NotRefused for an accepted
// write, else what Checker.Check of package quality blamed; late writes ride in the window though their event time is another's.
// The write and its values are valid during the call. The layout does not matter
// to the sorting and may be nil. The error is feature.ErrExpired if the log no
// longer holds all records.
func (t *Reader) Replay(ctx context.Context, view *feature.View, _ *sketch.Layout, window feature.Window, spans []feature.Span,
	fn func(w *feature.Write, late bool, refused int)) error {
	return t.each(ctx, view, window, spans, func(w *feature.Write, late bool, refused int) error {
		fn(w, late, refused)
		return nil
	})
}

// Profile profiles a window's records again, over layout.
func (t *Reader) Profile(ctx context.Context, view *feature.View, layout *sketch.Layout, window feature.Window, spans []feature.Span) (*sketch.Profile, error) {
	p := sketch.NewProfile(view, layout, t.key)
	err := t.each(ctx, view, window, spans, func(w *feature.Write, late bool, refused int) error {
		if refused != NotRefused {
			p.RefuseBy(w, refused)
		} else {
			count(p, w, late)
		}
		return nil
	})
	return p, err
}

const rowsBatch = 1000

// Rows hands over the accepted rows of a window, late ones among them, for the
// given version. A batch and its rows are valid during the call.
func (t *Reader) Rows(ctx context.Context, view *feature.View, version feature.Version, window feature.Window, spans []feature.Span, fn func([]feature.Row) error) error {
	rows := make([]feature.Row, 0, rowsBatch)
	err := t.each(ctx, view, window, spans, func(w *feature.Write, _ bool, refused int) error {
		if refused != NotRefused {
			return nil
		}
		r := feature.Row{Key: w.Key, Record: feature.Record{
			Version: version, EventTime: w.EventTime.UnixNano(), Seq: uint64(w.Offset), Deleted: w.Delete,
		}}
		if !w.Delete {
			r.Record.Row = feature.AppendRow(nil, view, w.Values)
		}
		if rows = append(rows, r); len(rows) < rowsBatch {
			return nil
		}
		err := fn(rows)
		rows = rows[:0]
		return err
	})
	if err == nil && len(rows) > 0 {
		err = fn(rows)
	}
	return err
}

// Forget deletes the partials of a judged window.
func (t *Reader) Forget(ctx context.Context, partials []sketch.Partial) error {
	keys := make([]WindowKey, len(partials))
	for i := range partials {
		keys[i] = KeyOf(&partials[i])
	}
	return t.log.Forget(ctx, keys)
}

// each is Replay with a function that may fail.
func (t *Reader) each(ctx context.Context, view *feature.View, window feature.Window, spans []feature.Span, fn func(*feature.Write, bool, int) error) error {
	given, err := newViewSource(view)
	if err != nil {
		return fmt.Errorf("replay: %w", err)
	}
	for _, span := range spans {
		of, spec := window, view.Window
		if span.Window != (feature.Window{}) {
			of = span.Window
		}
		spec.Size = of.End.Sub(of.Start) // the definition may say otherwise since
		r := &replay{
			cfg: t.cfg, flat: span.Topic != t.log.cfg.Topics.Writes,
			judges: judges{past: t.past, topic: span.Topic, defined: span.Defined, given: given, now: given},
			span:   span, start: of.Start, fn: fn, ids: newBringers(t.cfg.DedupeIDs),
			sorter: sorter{spec: spec, watermark: span.Origin.Watermark, opened: slices.Clone(span.Origin.Open)},
		}
		r.sorter.open = r.open
		if err := r.run(ctx, t.log); err != nil {
			return fmt.Errorf("replay %s, window at %s: %w", view.Name, window.Start.UTC().Format(time.RFC3339), err)
		}
	}
	return nil
}

// replay reads one partition's part of a window again.
type replay struct {
	cfg     Config
	flat    bool
	judges  judges
	span    feature.Span
	start   time.Time
	fn      func(*feature.Write, bool, int) error
	ids     bringers
	sorter  sorter
	begun   bool // a record at the origin or after it was read
	reading reading
	offset  int64
}

func (r *replay) run(ctx context.Context, l *Log) error {
	if r.span.First < 0 {
		return nil
	}
	id, err := l.identify(ctx, r.span.Topic)
	if err != nil {
		return err
	}
	if another(id, r.span.TopicID) {
		return fmt.Errorf("%s was deleted and made anew: %w", r.span.Topic, feature.ErrExpired)
	}
	start, end, err := l.bounds(ctx, r.span.Topic, r.span.Partition)
	if err != nil {
		return err
	}
	from := r.span.Origin.Offset
	if end <= r.span.Last {
		return fmt.Errorf("%s/%d ends at %d, the window at %d: %w", r.span.Topic, r.span.Partition, end, r.span.Last, feature.ErrExpired)
	}
	if start > from {
		return fmt.Errorf("%s/%d begins at %d, the window at %d: %w", r.span.Topic, r.span.Partition, start, from, feature.ErrExpired)
	}
	if r.span.EventIDs {
		from = max(start, from-int64(r.cfg.DedupeIDs))
	}
	return l.readRange(ctx, r.span.Topic, r.span.Partition, from, r.span.Last+1, func(rec *kgo.Record) error { return r.record(ctx, rec) })
}

// open answers as the registry did.
func (r *replay) open(start time.Time) (bool, error) {
	return !slices.ContainsFunc(r.span.Sealed, func(s feature.Sealed) bool {
		return s.Start.Equal(start) && s.Offset <= r.offset
	}), nil
}

func (r *replay) record(ctx context.Context, rec *kgo.Record) error {
	r.offset = rec.Offset
	if err := r.judges.move(ctx, rec.Offset); err != nil {
		return err
	}
	if r.judges.now == nil {
		return nil
	}
	live := rec.Offset >= r.span.Origin.Offset
	r.specify(r.judges.now.view.Window, live)
	if live {
		for _, s := range r.span.Sealed {
			if s.Offset <= rec.Offset {
				r.sorter.seal(s.Start)
			}
		}
	}
	if mark, ok := header(rec, HeaderWatermark); ok && len(rec.Value) == 0 {
		r.watermark(rec, mark, live)
		return nil
	}
	if oversize(rec, r.cfg.MaxRecord) != nil || !r.decode(rec) {
		return nil
	}
	m := &r.reading.write
	describe(m, rec, r.reading.eventID)
	var id eventHash
	if m.EventID != "" {
		if id = hashEvent(r.judges.given.view.Name, m.EventID); r.ids.repeats(rec, id) {
			return nil
		}
	}
	if _, future := slices.BinarySearch(r.span.Future, rec.Offset); future {
		return nil
	}
	if !m.Delete {
		if i, _, ok, _ := r.judges.now.check(m); !ok {
			if !live {
				return nil
			}
			return r.refuse(m, i)
		}
	}
	if m.EventID != "" {
		r.ids.add(id, rec.Offset, r.judges.known)
	}
	if !live {
		return nil
	}
	return r.accept(m)
}

// specify takes over another specification of the view's windows, as the live tap did; what
// came of those before the origin is in the origin.
func (r *replay) specify(spec feature.WindowSpec, live bool) {
	spec.Size = r.sorter.spec.Size // the window's own, whatever the definition says
	if r.begun && spec != r.sorter.spec {
		r.sorter.respecify(spec)
	}
	r.sorter.spec, r.begun = spec, live
}

// decode reads a record; false if it was not an acceptable write of the view.
func (r *replay) decode(rec *kgo.Record) bool {
	src, in := r.judges.now, &r.reading
	name, named := header(rec, HeaderView)
	switch {
	case r.flat:
		return in.flat(src.decoder, rec.Value, false) == nil
	case named:
		return name == src.view.Name && in.flat(src.decoder, rec.Value, true) == nil
	}
	d, bad := in.envelope(rec.Value, func(view string) *decoder {
		if view != src.view.Name {
			return nil
		}
		return src.decoder
	})
	return d != nil && bad == nil
}

// tell calls fn with a write, as one of the view that is given.
func (r *replay) tell(m *feature.Write, late bool, refused int) error {
	if r.judges.now != r.judges.given {
		var ok bool
		if m, ok = r.judges.convert(m); !ok {
			return nil
		}
		if refused != NotRefused {
			refused = r.judges.blamed(refused)
		}
	}
	return r.fn(m, late, refused)
}

func (r *replay) watermark(rec *kgo.Record, mark string, live bool) {
	at, err := time.Parse(time.RFC3339Nano, mark)
	name, named := header(rec, HeaderView)
	if live && err == nil && outside("", at) == nil && (!named || name == r.judges.now.view.Name) {
		r.sorter.advance(at.UTC())
	}
}

func (r *replay) refuse(m *feature.Write, i int) error {
	start, ok, err := r.sorter.blame(m.EventTime)
	if err != nil || !ok || !start.Equal(r.start) {
		return err
	}
	return r.tell(m, false, i)
}

func (r *replay) accept(m *feature.Write) error {
	start, late, err := r.sorter.place(m.EventTime)
	if err != nil {
		return err
	}
	if start.Equal(r.start) {
		if err := r.tell(m, late, NotRefused); err != nil {
			return err
		}
	}
	r.sorter.advance(m.EventTime)
	return nil
}
