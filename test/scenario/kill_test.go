package scenario

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"
)

// waitLease is how long a change may take to reach every reader, with room for a
// loaded machine.
const waitLease = 10 * time.Second

// expect returns an error unless the row of window i is visible, or is not.
func (s *server) expect(t *testing.T, i int, visible bool) error {
	if got := s.shown(t, i); got != visible {
		return fmt.Errorf("row of window %d visible: %v, want %v", i, got, visible)
	}
	return nil
}

const kills = 20

// TestKill sends SIGKILL to the process at random moments of pushing, staging,
// checkpointing, judging and publishing, and starts it again, until it was killed
// often enough. Then everything must add up.
func TestKill(t *testing.T) {
	s := newServer(t)
	s.start()
	s.define()
	p := watch(t, func() *server { return s })
	rng := rand.New(rand.NewPCG(20, 26))
	poisoned, killed, last := 22, 0, 0
	for i := 0; killed < kills || i <= poisoned+3; i++ {
		factor := 1.0
		if i == poisoned {
			factor = 100
			p.forbid(poisoned)
		}
		if i > 2 && killed < kills {
			s.killDuring(rng, func() error { return s.push(i, payments(i, factor)) })
			killed++
		}
		s.finish(i, factor)
		last = i
	}
	if seen := p.end(); len(seen) > 0 {
		t.Errorf("%d rows of the blocked window were visible, such as %s", len(seen), seen[0])
	}
	s.addUp(t, last, poisoned)
}

// killDuring runs fn and kills the process somewhere between its start and a
// moment after its end, then starts it again.
func (s *server) killDuring(rng *rand.Rand, fn func() error) {
	s.t.Helper()
	timer := time.NewTimer(time.Duration(rng.Int64N(int64(150 * time.Millisecond))))
	done := make(chan struct{})
	go func() {
		defer close(done)
		// The process dies under it: an error is expected, and made good later.
		_ = fn()
	}()
	<-timer.C
	s.stop(syscall.SIGKILL)
	<-done
	s.start()
}

// finish pushes window i, again where it was pushed before, until it is judged.
func (s *server) finish(i int, factor float64) {
	s.t.Helper()
	if err := s.push(i, payments(i, factor)); err != nil {
		s.t.Fatalf("push window %d: %v", i, err)
	}
	v, err := s.judged(i)
	var failed *errStatus
	if errors.As(err, &failed) {
		s.t.Fatalf("window %d is stuck: %v\nserver log, its end:\n%s", i, err, tail(s.log.Bytes(), 6000))
	}
	if err != nil {
		s.t.Fatalf("window %d: %v", i, err)
	}
	if want := map[bool]string{true: "reject", false: "publish"}[factor > 1]; v.Decision != want {
		s.t.Fatalf("window %d: decision %s, want %s: %+v", i, v.Decision, want, v.Reasons)
	}
}

// addUp holds counts, profiles and verdicts against what was pushed.
func (s *server) addUp(t *testing.T, last, poisoned int) {
	t.Helper()
	var accounting struct {
		Items []struct {
			Topic                                            string
			Received, Accepted, Late, Quarantined, Duplicate int
			DeadLettered                                     int `json:"dead_lettered"`
		}
	}
	if err := s.get("/api/v1/accounting", &accounting); err != nil {
		t.Fatal(err)
	}
	accepted := 0
	for _, a := range accounting.Items {
		if a.Accepted+a.Quarantined+a.DeadLettered+a.Duplicate != a.Received {
			t.Errorf("accounting does not balance: %+v", a)
		}
		accepted += a.Accepted
	}
	if want := (last + 1) * windowRows; accepted != want {
		t.Errorf("%d writes accepted, %d were pushed", accepted, want)
	}
	s.exactProfiles(t, last)
	s.oneVerdictEach(t, last)
	for _, v := range s.versions() {
		blocked := v.Window.Start.Equal(windowStart(poisoned))
		if v.Rows != windowRows || blocked != (v.State == "rejected") {
			t.Errorf("version %+v, want %d rows and rejected: %v", v, windowRows, blocked)
		}
	}
}

// exactProfiles compares the profiled counts of every window with its rows.
func (s *server) exactProfiles(t *testing.T, last int) {
	t.Helper()
	var history struct {
		Items []struct {
			Window struct{ Start time.Time }
			N      int
		}
	}
	path := fmt.Sprintf("/api/v1/views/payments/features/amount/history?limit=500&from=%s&to=%s", first.Format(time.RFC3339), windowStart(last+1).Format(time.RFC3339))
	if err := s.get(path, &history); err != nil {
		t.Fatal(err)
	}
	if len(history.Items) != last+1 {
		t.Errorf("history has %d windows, want %d", len(history.Items), last+1)
	}
	for _, h := range history.Items {
		if h.N != windowRows {
			t.Errorf("profile of window %s counts %d values, want %d", h.Window.Start, h.N, windowRows)
		}
	}
}

// oneVerdictEach fails if a window was judged twice, or never.
func (s *server) oneVerdictEach(t *testing.T, last int) {
	t.Helper()
	judged, next := map[time.Time]int{}, ""
	for {
		var list struct {
			Items []verdict
			Next  string
		}
		if err := s.get("/api/v1/views/payments/verdicts?limit=500&after="+next, &list); err != nil {
			t.Fatal(err)
		}
		for _, v := range list.Items {
			if v.Kind == "window" {
				judged[v.Window.Start.UTC()]++
			}
		}
		if next = list.Next; next == "" {
			break
		}
	}
	for i := range last + 1 {
		if n := judged[windowStart(i)]; n != 1 {
			t.Errorf("window %d has %d verdicts, want 1", i, n)
		}
	}
}
