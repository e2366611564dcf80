package materialize

import (
	"context"
	"reflect"
	"sync"
	"time"

	"sluice/feature"
)

// seat is what the gate keeps of one view between its windows. None of it is
// truth: what is lost with the process is read again.
type seat struct {
	book       *Book
	dataset    string            // key of the data set that was looked after
	tidied     bool              // approvals that a crash cut short were ended
	looked     time.Time         // real time of the last look for approvals of other processes
	unfinished []feature.Version // whose versions were open then
	later      time.Time         // when a decision that could not be taken is tried again
	sweep      sweeping
	look       look
	skewed     map[string]bool          // producers whose clock is off
	readBack   string                   // the row store's data sets that rows are read back from
	whole      map[feature.Version]bool // versions that were, of these
	mended     string                   // data sets for which it is noted that all were

	untold *decision            // of a window, whose commit gave an error and may have taken effect
	unsaid map[string]*decision // of other kinds

	shelf      sync.Mutex // held while a version comes off the shelf
	shelfLater time.Time  // when that is tried again

	serving serving
}

// keep keeps what was decided by a commit that gave an error, to be logged and counted once
// it is known that it took effect.
func (s *seat) keep(kind string, desk *Desk, opinions []Opinion) {
	if s.unsaid == nil {
		s.unsaid = map[string]*decision{}
	}
	s.unsaid[kind] = &decision{desk, opinions}
}

// late logs and counts what was kept if it took effect, and forgets it.
func (g *Gate) late(ctx context.Context, s *seat, kind string, took func(d *Desk) bool) {
	if x := s.unsaid[kind]; x != nil && took(x.desk) {
		g.told(ctx, x.desk, x.opinions)
	}
	delete(s.unsaid, kind)
}

// seat returns the view's seat.
func (g *Gate) seat(view *feature.View) *seat {
	s := g.seats[view.ID]
	if s == nil {
		s = &seat{}
		g.seats[view.ID] = s
	}
	return s
}

// read returns the view's book as of a desk, from the registry if the one in
// memory is older or of another definition.
func (g *Gate) read(ctx context.Context, s *seat, desk *Desk) (*Book, error) {
	if b := s.book; b != nil && b.mark == desk.memory.Book && (b.view == desk.view || reflect.DeepEqual(b.view, desk.view)) {
		b.view = desk.view
		return b, nil
	}
	b, err := readBook(ctx, g.deps.Registry, desk.view, g.deps.HashKey)
	if err != nil {
		return nil, err
	}
	b.mark = desk.memory.Book
	s.book = b
	return b, nil
}
