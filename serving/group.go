package serving

import (
	"context"
	"slices"
	"sync"
	"time"

	"sluice/feature"
)

// divide sorts answers by how they are read: each by itself, but those of views of one
// group by the same join keys together, where the store keeps them so.
func (s *Server) divide(answers []*partAnswer) [][]*partAnswer {
	rows, _ := s.deps.Rows.(GroupRows)
	reads := make([][]*partAnswer, 0, len(answers))
	for i, a := range answers {
		at := -1
		if group := a.part.view.Group; group != "" && rows != nil && rows.Together(a.part.view.ID) {
			at = slices.IndexFunc(reads, func(read []*partAnswer) bool {
				first := read[0].part
				return first.view.Group == group && slices.Equal(first.joins, a.part.joins)
			})
		}
		if at < 0 {
			reads = append(reads, answers[i:i+1:i+1])
		} else {
			reads[at] = append(reads[at], a)
		}
	}
	return reads
}

// groupRead is the memory of one read of several views.
type groupRead struct {
	views  []feature.ViewID
	chains [][]feature.Record
}

var groupReads = sync.Pool{New: func() any { return &groupRead{} }}

// fetchRead is fetch of the answers of one read.
func (s *Server) fetchRead(ctx context.Context, answers []*partAnswer) error {
	if len(answers) == 1 {
		return s.fetch(ctx, answers[0])
	}
	g := groupReads.Get().(*groupRead)
	keys, whole := answers[0].keys, answers[0].shown.whole
	for _, a := range answers {
		a.forget() // what is there of the others comes with what is not
		g.views = append(g.views, a.part.view.ID)
		whole = wholeOf(whole, a.shown.whole)
		// The memory of chains stays that of the answers: the store gets it for one call.
		a.chains = slices.Grow(a.chains[:0], len(keys))[:len(keys)]
		g.chains = append(g.chains, a.chains...)
	}
	got, err := s.deps.Rows.(GroupRows).ReadViews(ctx, g.views, keys, whole, g.chains)
	for i, a := range answers {
		a.chains = a.chains[:0]
		if len(got) == len(answers)*len(keys) {
			a.chains = append(a.chains, got[i*len(keys):(i+1)*len(keys)]...)
		}
	}
	clear(g.chains)
	g.views, g.chains = g.views[:0], g.chains[:0]
	groupReads.Put(g)
	var first error
	for _, a := range answers {
		if err := s.took(ctx, a, len(a.chains), err); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// wholeOf returns by when the rows of two views were written; zero if that of one is not
// known.
func wholeOf(a, b time.Time) time.Time {
	if a.IsZero() || b.IsZero() {
		return time.Time{}
	}
	if a.After(b) {
		return a
	}
	return b
}
