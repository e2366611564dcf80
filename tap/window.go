package tap

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sluice/feature"
	"sluice/quality/sketch"
)

// window is what one partition holds of one window of a view.
type window struct {
	feature.Window
	version  feature.Version
	profile  *sketch.Profile
	rows     map[feature.Key]feature.Row // not yet staged; the newest of each key
	from     int64                       // offset of the first write that gave one of them
	accepted uint64
	bytes    uint64
	span     feature.Span
	offline  bool // some of its rows were left out of the online store
	dirty    bool // differs from its last partial
	closed   bool // takes no more writes; forgotten after the next checkpoint
}

// touch notes that the record at offset counts in the window.
func (w *window) touch(offset int64) {
	if w.span.First < 0 {
		w.span.First = offset
	}
	w.span.Last = offset
	w.dirty = true
}

// heldRow is about what a held row takes besides its key and values, in bytes.
const heldRow = 160

// hold keeps a write's row until it is staged, unless a newer one of its key is
// held. It returns by how many bytes, about, what is held has grown. Room is memory to work
// in.
func (w *window) hold(m *feature.Write, room *[]byte) (grown int) {
	r := feature.Record{Version: w.version, EventTime: m.EventTime.UnixNano(), Seq: uint64(m.Offset), Deleted: m.Delete}
	if len(w.rows) == 0 {
		w.from = m.Offset
	}
	held, ok := w.rows[m.Key]
	if ok && !r.Newer(held.Record) {
		return 0
	}
	if !m.Delete {
		*room = feature.AppendRow((*room)[:0], m.View, m.Values)
		r.Row = append(make([]byte, 0, len(*room)), *room...) // not what it grew to on the way
	}
	w.rows[m.Key] = feature.Row{Key: m.Key, Record: r}
	if !ok {
		grown = heldRow + len(m.Key)
	}
	return grown + cap(r.Row) - cap(held.Record.Row)
}

// partial returns the window's state as of a checkpoint.
func (w *window) partial(view string, at source, epoch uint64, offset int64) (sketch.Partial, error) {
	profile, err := w.profile.MarshalBinary()
	return sketch.Partial{
		View: view, Window: w.Window, Version: w.version, Topic: at.topic, Partition: at.partition,
		Epoch: epoch, Offset: offset, Layout: w.profile.Layout().Digest(), Profile: profile,
		Rows: w.accepted, Bytes: w.bytes, Span: w.span, Offline: w.offline,
	}, err
}

// viewState is what one partition holds of one view.
type viewState struct {
	*viewSource
	sorter
	observed prometheus.Counter
	declared prometheus.Counter // of those observed, the backfilled ones
	windows  map[int64]*window  // open ones, and closed ones until the next checkpoint; by start
	idle     bool
	left     uint64
	clocks   clocks
	out      prometheus.Counter // rows that were left out of the online store
	seen     time.Time          // clock's time of the last record, or from when silence counts; zero while the clock is not set
}

func newViewState(src *viewSource) *viewState {
	return &viewState{viewSource: src, sorter: sorter{spec: src.view.Window}, windows: map[int64]*window{}}
}

// goOn makes v, which is new, go on where a state of the same view ended.
func (v *viewState) goOn(former *viewState) {
	v.watermark, v.idle, v.left, v.seen, v.clocks = former.watermark, former.idle, former.left, former.seen, former.clocks
}

// each calls fn with every open window.
func (v *viewState) each(fn func(w *window)) {
	for _, start := range v.opened {
		fn(v.windows[start.UnixNano()])
	}
}

// noteSealed writes into the spans of open windows that the window starting at
// start takes no more writes from offset on.
func (v *viewState) noteSealed(offset int64, start time.Time) {
	v.each(func(w *window) {
		w.span.Sealed = append(w.span.Sealed, feature.Sealed{Offset: offset, Start: start})
		w.dirty = true
	})
}

// maxFuture bounds how many refused offsets a window's span keeps.
const maxFuture = 1024

// noteFuture writes into the spans of open windows that the record at offset was
// refused because of the clock.
func (v *viewState) noteFuture(offset int64) {
	v.each(func(w *window) {
		if len(w.span.Future) < maxFuture {
			w.span.Future = append(w.span.Future, offset)
			w.dirty = true
		}
	})
}
