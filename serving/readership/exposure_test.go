package readership

import (
	"sync"
	"testing"
	"time"

	"sluice/feature"
)

// noon is when the tests read.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// TestExposureBounds reads more versions than are counted apart, and then none for
// long.
func TestExposureBounds(t *testing.T) {
	e := &Exposure{}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for version := feature.Version(1); version <= mostReads+500; version++ {
				e.Add(version, 2)
			}
		})
	}
	group.Wait()
	total := uint64(0)
	for _, r := range e.take(1, noon, noon, nil) {
		total += r.Reads
		if r.Version > 500 && r.Reads != 4*2 {
			t.Errorf("%d reads of version %d, one of the highest, want %d", r.Reads, r.Version, 4*2)
		}
	}
	if total != (mostReads+500)*4*2 {
		t.Errorf("%d reads in all, want %d", total, (mostReads+500)*4*2)
	}
	if n := len(e.counts.Load().by); n != mostReads {
		t.Errorf("%d versions are counted apart, want %d", n, mostReads)
	}
	e.Add(3, 7)
	if got := e.take(1, noon, noon, nil); len(got) != 1 || got[0].Version != 0 || got[0].Reads != 7 {
		t.Errorf("reads of a low version are reported as %v, want 7 of version 0", got)
	}
	const last, other = mostReads + 500, mostReads + 499
	late := e.counts.Load().by[other]
	for i := 0; e.counts.Load().by[other] != nil; i++ {
		if i%100 == 0 {
			e.Add(last, 1)
		}
		e.take(1, noon, noon, nil)
	}
	if by := e.counts.Load().by; len(by) != 1 || by[last] == nil {
		t.Errorf("%d counters are left, want that of the version still read", len(by))
	}
	late.rows.add(3) // by a reader that had it in hand
	if got := e.take(1, noon, noon, nil); len(got) != 1 || got[0].Version != other || got[0].Reads != 3 {
		t.Errorf("the late reads are reported as %v", got)
	}
}
