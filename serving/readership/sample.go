package readership

import (
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// Sampler chooses about limit of the rows that reads of one view return in a
// second, and never more: each row with the same chance, which follows the rate
// of the second before. Rows are numbered from 0 as they are returned; the
// distance from one chosen to the next is random, so that it cannot fall in step
// with the requests.
//
// A read whose rows are not chosen does one addition and one comparison.
type Sampler struct {
	seen   atomic.Uint64 // rows returned
	next   atomic.Uint64 // number of the next row to choose
	gap    atomic.Uint64 // mean distance; 0 is 1
	budget atomic.Int64  // rows that may still be chosen before the next tick

	ticked uint64 // seen at the last tick; of the goroutine that reports
}

// Offer numbers rows that are returned, and calls choose with the position of each
// that is chosen, from 0.
func (s *Sampler) Offer(rows int, choose func(at int)) {
	end := s.seen.Add(uint64(rows))
	from := end - uint64(rows)
	for {
		next := s.next.Load()
		if next >= end {
			return
		}
		at := max(next, from)
		if !s.next.CompareAndSwap(next, at+s.distance()) {
			continue
		}
		if s.budget.Add(-1) < 0 {
			return
		}
		choose(int(at - from))
	}
}

// distance returns how far after a chosen row the next one is.
func (s *Sampler) distance() uint64 {
	gap := s.gap.Load()
	if gap <= 1 {
		return 1
	}
	return 1 + rand.Uint64N(2*gap-1)
}

// tick gives the sampler its rows for the next second; since is the time since
// the last tick.
func (s *Sampler) tick(limit int, since time.Duration) {
	seen := s.seen.Load()
	rate := float64(seen-s.ticked) / max(since.Seconds(), 1e-3)
	s.ticked = seen
	gap := uint64(rate/float64(limit)) + 1
	s.gap.Store(gap)
	s.budget.Store(int64(limit))
	if next := s.next.Load(); next > seen+2*gap {
		s.next.CompareAndSwap(next, seen+gap) // chosen when there were many more reads
	}
}
