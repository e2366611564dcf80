package tap

import (
	"testing"
	"time"
)

// A partition that was idle, and whose next records its owner may have staged rows of
// before it died, is not idle for its next owner: no window is sealed without those.
func TestRestartWithUnreadRecordsIsNotIdle(t *testing.T) {
	r := newRig(t, 1, delays())
	run := r.start()
	r.clock.set(day)
	at := source{"sluice.writes", 0}
	r.send("sluice.writes", write("UA", day, 1, 1))
	r.drain()
	r.clock.set(day.Add(3 * time.Minute))
	r.wait("the partition is idle", func() bool { return r.seen[at].Views["delays"].Idle })
	r.end(run)
	idle := r.progress()[at]

	r.send("sluice.writes", write("AA", day.Add(time.Second), 1, 1))
	stuck := &fuse{Rows: r.rows, tell: r.tell}
	stuck.arm(1, true) // what the next owner reads is never saved
	deps := r.deps()
	deps.Rows = stuck
	next := r.startWith(deps)
	r.wait("the next owner has saved what it took over", func() bool { return r.seen[at].Epoch > idle.Epoch })
	if state := r.progress()[at].Views["delays"]; state.Idle {
		t.Errorf("with a record unread the next owner says %+v, want that it is not idle", state)
	}
	r.mu.Lock()
	r.seen[at] = idle
	r.mu.Unlock()
	if err := r.seal("delays", day); err == nil {
		t.Error("a window was sealed by the former owner's idleness, want a conflict")
	}
	r.crash(next)

	last := r.start()
	r.drain()
	r.end(last)
	if _, rows := r.merged("delays", day); rows != 2 {
		t.Errorf("the window holds %d rows, want 2", rows)
	}
}
