package scenario

import (
	"math/rand/v2"
	"syscall"
	"testing"
)

// TestKill sends SIGKILL to the process at random moments, and in the middle of
// staging, checkpointing and deciding, and starts it again, until it was killed often
// enough. Then everything must add up.
func TestKill(t *testing.T) {
	s := newServer(t)
	s.start()
	s.define()
	rng := rand.New(rand.NewPCG(20, 26))
	b := &battery{site: s.site, pollers: watch(t, s.site), rounds: 20, reads: 200}
	came := map[string]int{}
	b.strike = func(round int, push func()) {
		push()
		m := moments[round%len(moments)]
		if s.await(rng, m) {
			came[m.name]++
		}
		s.stop(syscall.SIGKILL)
		s.start()
	}
	b.run()
	for _, m := range moments {
		if came[m.name] < 2 {
			t.Errorf("killed at the moment %s %d times, want 2 and more", m.name, came[m.name])
		}
	}
	t.Logf("killed at the moments %v", came)
}
