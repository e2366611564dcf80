package tap

import (
	"slices"
	"time"

	"sluice/feature"
)

// maxOpen bounds how many windows refused writes may hold open in a partition.
const maxOpen = 64

// sorter says into which window of a view each write of one partition goes. It is
// the same for the live tap and for a replay: which windows other partitions have
// sealed comes from open alone.
//
// A window takes writes until the watermark reaches its end plus lateness. A
// write whose window takes none any more is late: it rides in the oldest open
// window, or, if none is open, in the one that holds the watermark.
type sorter struct {
	spec      feature.WindowSpec
	watermark time.Time
	opened    []time.Time // starts of open windows, rising
	sealed    []time.Time // starts of windows, rising, that the watermark has not closed and that take no writes
	// open opens the window that starts at start; false if it is sealed.
	open func(start time.Time) (bool, error)
}

// take makes sure that the window starting at start is open.
func (s *sorter) take(start time.Time) (bool, error) {
	at, ok := slices.BinarySearchFunc(s.opened, start, time.Time.Compare)
	if ok {
		return true, nil
	}
	if _, shut := slices.BinarySearchFunc(s.sealed, start, time.Time.Compare); shut {
		return false, nil
	}
	ok, err := s.open(start)
	if err != nil {
		return false, err
	}
	if !ok {
		s.seal(start)
		return false, nil
	}
	s.opened = slices.Insert(s.opened, at, start)
	return true, nil
}

// seal notes that the window takes no more writes.
func (s *sorter) seal(start time.Time) {
	if at, ok := slices.BinarySearchFunc(s.opened, start, time.Time.Compare); ok {
		s.opened = slices.Delete(s.opened, at, at+1)
	}
	if at, ok := slices.BinarySearchFunc(s.sealed, start, time.Time.Compare); !ok {
		s.sealed = slices.Insert(s.sealed, at, start)
	}
}

// place returns the start of the window that an accepted write of event time at
// goes into, and whether it is late there.
func (s *sorter) place(at time.Time) (start time.Time, late bool, err error) {
	w := s.spec.Of(at)
	if !s.spec.Closed(w, s.watermark) {
		if ok, err := s.take(w.Start); ok || err != nil {
			return w.Start, false, err
		}
	}
	if len(s.opened) > 0 {
		return s.opened[0], true, nil
	}
	if !s.watermark.IsZero() {
		w = s.spec.Of(s.watermark)
	}
	for {
		if ok, err := s.take(w.Start); ok || err != nil {
			return w.Start, true, err
		}
		w = s.spec.Starting(w.End)
	}
}

// blame returns the window in which a refused write of event time at counts;
// false if there is none.
func (s *sorter) blame(at time.Time) (start time.Time, ok bool, err error) {
	w := s.spec.Of(at)
	if s.spec.Closed(w, s.watermark) {
		return w.Start, false, nil
	}
	if _, open := slices.BinarySearchFunc(s.opened, w.Start, time.Time.Compare); !open && len(s.opened) >= maxOpen {
		return w.Start, false, nil
	}
	ok, err = s.take(w.Start)
	return w.Start, ok, err
}

// advance moves the watermark to at, if that is later. It returns the starts of
// the windows that this closes, and whether it closes a window for others: one in
// which this partition may have nothing.
func (s *sorter) advance(at time.Time) (closed []time.Time, crossed bool) {
	if !at.After(s.watermark) {
		return nil, false
	}
	crossed = s.watermark.IsZero() || s.spec.Of(at.Add(-s.spec.Lateness)).Start.After(s.spec.Of(s.watermark.Add(-s.spec.Lateness)).Start)
	s.watermark = at
	if !crossed {
		return nil, false
	}
	return s.close(), true
}

// close closes the windows that the watermark has passed, and returns the starts of those
// that were open.
func (s *sorter) close() (closed []time.Time) {
	n := 0
	for n < len(s.opened) && s.spec.Closed(s.spec.Starting(s.opened[n]), s.watermark) {
		n++
	}
	closed = slices.Clone(s.opened[:n])
	s.opened = slices.Delete(s.opened, 0, n)
	n = 0
	for n < len(s.sealed) && s.spec.Closed(s.spec.Starting(s.sealed[n]), s.watermark) {
		n++
	}
	s.sealed = slices.Delete(s.sealed, 0, n)
	return closed
}

// respecify goes over to a specification with windows of the same size. It returns the
// starts of the windows that this closes; those that were closed stay so, as if they were
// sealed, where the lateness has grown.
func (s *sorter) respecify(spec feature.WindowSpec) (closed []time.Time) {
	former := s.spec
	s.spec = spec
	switch {
	case s.watermark.IsZero():
		return nil
	case spec.Lateness < former.Lateness:
		return s.close()
	}
	for w := spec.Of(s.watermark.Add(-spec.Lateness)); former.Closed(w, s.watermark); w = spec.Starting(w.End) {
		s.seal(w.Start)
	}
	return nil
}

func unixNano(n int64) time.Time { return time.Unix(0, n).UTC() }
