package sim

import (
	"errors"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"sluice/feature"
	"sluice/quality/sketch"
)

var hashKey = sketch.HashKey{1, 2, 3}

// entry is one record of the model of the log: a write, or a watermark.
type entry struct {
	mark  bool
	at    time.Time
	write feature.Write
	// Where the tap put it: the same place each time that it reads it.
	placed bool
	start  time.Time
	late   bool
}

// stream is the model of one partition of the log with the tap's owner of it.
type stream struct {
	w         *lane
	partition int32
	mu        sync.Mutex // of log, which the gate reads as well
	log       []*entry

	state  tapState
	saved  tapState // as of the last checkpoint: what a successor begins with
	epoch  uint64
	begun  bool     // the owner has restored what was saved
	zombie []staged // what a predecessor, which was paused, has yet to stage
	late   bool     // one staged after all: versions that were swept may have rows again
}

// tapState is what the owner of a partition holds in memory.
type tapState struct {
	next      int
	watermark time.Time
	open      map[int64]*pane // by window start
	closed    []*pane         // since the last checkpoint
	sealed    map[int64]bool
	idle      bool
	left      uint64
}

// pane is what a partition holds of one window.
type pane struct {
	window  feature.Window
	version feature.Version
	offsets []int // accepted
	held    []int // not staged yet
	offline bool  // some were left out of the row store
	dirty   bool
}

// staged is a batch on its way to the row store.
type staged struct {
	version feature.Version
	rows    []feature.Row
}

func (s *tapState) clone() tapState {
	c := *s
	c.open, c.sealed, c.closed = map[int64]*pane{}, maps.Clone(s.sealed), nil
	for start, p := range s.open {
		q := *p
		q.offsets, q.held = slices.Clone(p.offsets), slices.Clone(p.held)
		c.open[start] = &q
	}
	return c
}

func newStream(w *lane, partition int32) *stream {
	s := &stream{w: w, partition: partition, epoch: 1}
	s.state = tapState{open: map[int64]*pane{}, sealed: map[int64]bool{}}
	s.saved = s.state.clone()
	return s
}

func (s *stream) append(e *entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e.write.Topic, e.write.Partition, e.write.Offset = s.w.topic, s.partition, int64(len(s.log))
	s.log = append(s.log, e)
}

// read takes up to n records. After an error the owner begins again at its last
// checkpoint, as the tap does.
func (s *stream) read(n int) {
	if !s.restore() {
		return
	}
	for ; n > 0 && s.state.next < len(s.log); n-- {
		if err := s.take(s.log[s.state.next]); err != nil {
			s.restart(false)
			return
		}
		s.state.next++
	}
}

// restart loses what the owner holds in memory. With a zombie, what was not staged
// yet is staged later, by a process that has not noticed.
func (s *stream) restart(zombie bool) {
	if zombie {
		for _, p := range s.state.open {
			s.zombie = append(s.zombie, staged{p.version, s.rows(p.version, p.held)})
		}
	}
	s.state = s.saved.clone()
	s.epoch++
	s.begun = false
	for _, p := range s.state.open {
		p.dirty = true // the first checkpoint of an owner writes every open window
	}
}

func (s *stream) take(e *entry) error {
	if e.mark {
		s.advance(e.at)
		return nil
	}
	if err := s.wake(); err != nil {
		return err
	}
	if err := s.place(e); err != nil {
		return err
	}
	s.advance(e.at)
	return nil
}

// restore asks anew how often an idle partition had left, as a new owner does: the
// last leave may not be saved. False means that the registry did not answer.
func (s *stream) restore() bool {
	var err error
	switch {
	case s.begun || !s.state.idle:
	case s.state.next < len(s.log):
		err = s.wake()
	default:
		s.state.left, err = s.w.tap.LeaveIdle(s.w.ctx, s.w.topic, s.partition, s.w.view.ID)
	}
	if err != nil {
		s.restart(false)
		return false
	}
	s.begun = true
	return true
}

// wake ends idleness before anything is staged. Windows that were sealed meanwhile
// take no more writes.
func (s *stream) wake() error {
	if !s.state.idle {
		return nil
	}
	left, err := s.w.tap.LeaveIdle(s.w.ctx, s.w.topic, s.partition, s.w.view.ID)
	if err != nil {
		return err
	}
	s.state.idle, s.state.left = false, left
	for start, p := range s.state.open {
		_, err := s.w.tap.OpenVersion(s.w.ctx, s.w.view, p.window, s.w.now())
		switch {
		case errors.Is(err, feature.ErrSealed):
			s.state.sealed[start] = true
			s.state.closed = append(s.state.closed, p)
			delete(s.state.open, start)
		case err != nil:
			return err
		}
	}
	return nil
}

// place puts a write into its window, or, if that takes no more, into the oldest
// open one.
func (s *stream) place(e *entry) error {
	spec := s.w.view.Window
	own := spec.Of(e.at)
	if !spec.Closed(own, s.state.watermark) {
		if p, err := s.pane(own); p != nil || err != nil {
			return s.put(e, p, false, err)
		}
	}
	if len(s.state.open) > 0 {
		return s.put(e, s.state.open[slices.Min(slices.Collect(maps.Keys(s.state.open)))], true, nil)
	}
	w := own
	if !s.state.watermark.IsZero() {
		w = spec.Of(s.state.watermark)
	}
	for ; ; w = spec.Starting(w.End) {
		if p, err := s.pane(w); p != nil || err != nil {
			return s.put(e, p, true, err)
		}
	}
}

// pane returns an open window; nil if it is sealed.
func (s *stream) pane(w feature.Window) (*pane, error) {
	start := w.Start.UnixNano()
	if p := s.state.open[start]; p != nil || s.state.sealed[start] {
		return p, nil
	}
	info, err := s.w.tap.OpenVersion(s.w.ctx, s.w.view, w, s.w.now())
	if errors.Is(err, feature.ErrSealed) {
		s.state.sealed[start] = true
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	p := &pane{window: w, version: info.Version}
	s.state.open[start] = p
	return p, nil
}

func (s *stream) put(e *entry, p *pane, late bool, err error) error {
	if err != nil {
		return err
	}
	if e.placed && !e.start.Equal(p.window.Start) && s.w.versionAt(e.start).Step != feature.StepOpen {
		s.w.fail("record %d/%d was in window %s, which is sealed, and goes into %s when it is read again", s.partition, e.write.Offset, e.start, p.window.Start)
	}
	s.mu.Lock()
	e.placed, e.start, e.late = true, p.window.Start, late
	s.mu.Unlock()
	p.offsets, p.held, p.dirty = append(p.offsets, int(e.write.Offset)), append(p.held, int(e.write.Offset)), true
	if len(p.held) >= s.w.batch {
		return s.stage(p)
	}
	return nil
}

func (s *stream) advance(at time.Time) {
	if !at.After(s.state.watermark) {
		return
	}
	s.state.watermark = at
	spec := s.w.view.Window
	for start, p := range s.state.open {
		if spec.Closed(p.window, at) {
			s.state.closed = append(s.state.closed, p)
			delete(s.state.open, start)
		}
	}
}

// rows are the stored form of some records.
func (s *stream) rows(version feature.Version, offsets []int) (rows []feature.Row) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, i := range offsets {
		w := &s.log[i].write
		r := feature.Record{Version: version, EventTime: w.EventTime.UnixNano(), Seq: uint64(w.Offset), Deleted: w.Delete}
		if !w.Delete {
			r.Row = feature.AppendRow(nil, w.View, w.Values)
		}
		rows = append(rows, feature.Row{Key: w.Key, Record: r})
	}
	return rows
}

func (s *stream) stage(p *pane) error {
	if len(p.held) == 0 {
		return nil
	}
	if p.offline || s.w.full.Load() {
		p.offline, p.dirty, p.held = true, true, nil
		s.w.lacking[p.version] = true
		return nil
	}
	if _, err := s.w.tap.Stage(s.w.ctx, s.w.view.ID, p.version, s.rows(p.version, p.held)); err != nil {
		return err
	}
	p.held = nil
	return nil
}

// offsets are the records of a window within a span.
func (s *stream) offsets(window feature.Window, first, last int64) (all []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := max(0, first); i <= min(last, int64(len(s.log))-1); i++ {
		if e := s.log[i]; e.placed && e.start.Equal(window.Start) {
			all = append(all, int(i))
		}
	}
	return all
}

func (w *world) now() time.Time {
	now, _ := w.clock.Now()
	return now
}

// records are those of a window over all partitions.
func (w *lane) records(window feature.Window) (n uint64) {
	for _, s := range w.streams {
		n += uint64(len(s.offsets(window, 0, math.MaxInt64)))
	}
	return n
}

// recordsOf are those of all windows that a version has.
func (w *lane) recordsOf(info feature.VersionInfo) (n uint64) {
	for _, part := range info.Parts() {
		n += w.records(part.Window)
	}
	return n
}
