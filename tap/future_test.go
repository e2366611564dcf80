package tap

import (
	"context"
	"testing"
	"time"
)

// A write that was made after a clock set by hand had moved is not of the future, though
// the tap has not heard of it yet.
func TestFutureByAClockThatIsBehind(t *testing.T) {
	r := newRig(t, 1, delays())
	r.clock.set(day)
	deps := r.deps()
	deps.ClockByHand = true
	deps.CatchUp = func(context.Context) error {
		r.clock.set(day.Add(time.Hour))
		return nil
	}
	r.send("sluice.writes", write("UA", day, 1, 1), write("UA", day.Add(time.Hour), 1, 1), write("UA", day.Add(2*time.Hour), 1, 1), write("UA", day.Add(3*time.Hour), 1, 1))
	r.startWith(deps)
	if counts := r.drain(); counts.Accepted != 2 || counts.Quarantined != 2 {
		t.Errorf("counts = %+v, want 2 accepted and the 2 that are beyond the clock quarantined", counts)
	}
}
