package storetest

import (
	"testing"
	"time"

	"sluice/feature"
)

// lead makes holder the owner "gate" and returns its epoch, 0 if another has it.
func (r *reg) lead(holder string, ttl time.Duration) uint64 {
	r.t.Helper()
	epoch, err := r.Lead(r.t.Context(), "gate", holder, ttl)
	if err != nil {
		r.t.Fatalf("Lead(%s): %v", holder, err)
	}
	return epoch
}

func testLease(t *testing.T, r *reg) {
	view := r.view(feature.Gated)
	const long = time.Hour
	first := r.lead("a", long)
	if first == 0 {
		t.Fatal("nobody leads, and a does not get it")
	}
	if again := r.lead("a", long); again != first {
		t.Errorf("a renews: epoch %d, want %d", again, first)
	}
	if got := r.lead("b", long); got != 0 {
		t.Errorf("b leads with epoch %d while a does", got)
	}
	if err := r.Resign(t.Context(), "gate", "b"); err != nil {
		t.Errorf("Resign of somebody else: %v", err)
	}
	if got := r.lead("b", long); got != 0 {
		t.Errorf("b leads with epoch %d after it resigned what it did not have", got)
	}
	if err := r.Resign(t.Context(), "gate", "a"); err != nil {
		t.Errorf("Resign: %v", err)
	}
	second := r.lead("b", long)
	if second <= first {
		t.Errorf("b leads with epoch %d after a's %d", second, first)
	}
	r.refused(feature.Commit{View: view.ID, Owner: "gate", Epoch: first, Memory: []byte("a"), Now: day}, feature.ErrFenced)
	r.apply(feature.Commit{View: view.ID, Owner: "gate", Epoch: second, Memory: []byte("b"), Now: day})
	// One that ends later than any that is given now was given before a clock was set back.
	if third := r.lead("c", time.Minute); third <= second {
		t.Errorf("c leads with epoch %d, want the lease of an hour taken over by who asks for a minute", third)
	}
}

func testLeaseEnds(t *testing.T, r *reg) {
	first := r.lead("a", 20*time.Millisecond)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(10 * time.Second)
	second := uint64(0)
	for second == 0 {
		select {
		case <-tick.C:
			second = r.lead("b", time.Hour)
		case <-limit:
			t.Fatal("the lease of 20 ms has not ended after 10 s")
		}
	}
	if second <= first {
		t.Errorf("b leads with epoch %d after a's %d", second, first)
	}
	taken, err := r.Acquire(t.Context(), "gate")
	if err != nil || taken <= second {
		t.Errorf("Acquire = %d, %v, want more than %d", taken, err, second)
	}
	if got := r.lead("b", time.Hour); got <= taken {
		t.Errorf("b leads with epoch %d after Acquire gave %d to another", got, taken)
	}
}
