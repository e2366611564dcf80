package scenario

import (
	"slices"
	"strconv"
	"testing"
)

// TestLoop takes one view through its life: thirty clean windows, a poisoned one,
// clean ones again; approve, rollback, and a level shift that is accepted.
func TestLoop(t *testing.T) {
	s := newServer(t)
	s.start()
	s.define()
	p := watch(t, func() *server { return s })

	for i := range 30 {
		if v := s.decide(i, 1); v.Decision != "publish" {
			t.Fatalf("clean window %d: %s, %s: %+v", i, v.State, v.Decision, v.Reasons)
		}
	}
	p.forbid(30)
	bad := s.decide(30, 100)
	if bad.State != "fail" || bad.Decision != "reject" || len(bad.Reasons) == 0 {
		t.Fatalf("poisoned window: %+v, want it rejected", bad)
	}
	if r := bad.Reasons[0]; r.Feature != "amount" || r.Method == "" || r.Statistic == 0 || r.Threshold == 0 || r.Text == "" {
		t.Errorf("reason %+v, want feature amount with method, statistic and threshold", r)
	}
	if out, code := s.sluice("verdict", "verify", bad.ID); code != 0 {
		t.Errorf("verdict verify %s: exit %d: %s", bad.ID, code, out)
	}
	for i := 31; i < 34; i++ {
		if v := s.decide(i, 1); v.Decision != "publish" {
			t.Fatalf("clean window %d after the poisoned one: %s, %s: %+v", i, v.State, v.Decision, v.Reasons)
		}
	}
	if s.shown(t, 30) {
		t.Errorf("a row of the rejected window is visible")
	}
	p.forbid(-1)
	s.approveAndRollBack(t, bad.Version)
	s.acceptShift(t)

	if seen := p.end(); len(seen) > 0 {
		t.Errorf("%d rows of the poisoned window were read before it was approved, such as %s", len(seen), seen[0])
	}
	if p.reads.Load() < 100 {
		t.Errorf("only %d reads: the run is void", p.reads.Load())
	}
}

// shown reports whether the row that only window i wrote is visible.
func (s *server) shown(t *testing.T, i int) bool {
	t.Helper()
	rows, err := s.read(only(i))
	if err != nil {
		t.Fatal(err)
	}
	return rows[0].in() == i
}

func (s *server) approveAndRollBack(t *testing.T, version int) {
	t.Helper()
	if out, code := s.sluice("approve", "payments", "--version", strconv.Itoa(version), "--reason", "checked by hand", "--format", "json"); code != 0 {
		t.Fatalf("approve: exit %d: %s", code, out)
	}
	all := s.versions()
	fresh := all[len(all)-1]
	if fresh.Kind != "approved" || fresh.ApprovedOf != version || fresh.State != "visible" || fresh.Rows != windowRows {
		t.Fatalf("newest version %+v, want an approved one of %d with its rows", fresh, version)
	}
	s.until("the approved row is visible", waitLease, func() error { return s.expect(t, 30, true) })
	if out, code := s.sluice("rollback", "payments", "--version", strconv.Itoa(fresh.Version), "--reason", "not after all", "--format", "json"); code != 0 {
		t.Fatalf("rollback: exit %d: %s", code, out)
	}
	s.until("the approved row is gone", waitLease, func() error { return s.expect(t, 30, false) })
	if !s.shown(t, 33) {
		t.Errorf("rollback of an older version took newer rows with it")
	}
}

// acceptShift pushes a level shift, which blocks until it is accepted.
func (s *server) acceptShift(t *testing.T) {
	t.Helper()
	v := s.decide(34, 4)
	if v.Decision != "reject" {
		t.Fatalf("level shift: %s, %s, want it rejected: %+v", v.State, v.Decision, v.Reasons)
	}
	if out, code := s.sluice("baseline", "accept", "payments", "--version", strconv.Itoa(v.Version), "--reason", "new price list", "--format", "json"); code != 0 {
		t.Fatalf("baseline accept: exit %d: %s", code, out)
	}
	for i := 35; i < 46; i++ {
		if v := s.decide(i, 4); v.Decision != "publish" {
			t.Fatalf("window %d after the shift was accepted: %s, %s: %+v", i, v.State, v.Decision, v.Reasons)
		}
	}
	if i := slices.IndexFunc(s.versions(), func(x version) bool { return x.Version == v.Version && x.State != "rejected" }); i >= 0 {
		t.Errorf("accepting the baseline changed the rejected version: %+v", s.versions()[i])
	}
	if back := s.decide(46, 0.25); back.Decision == "publish" {
		t.Errorf("a fall to a sixteenth of the accepted level was published: %+v", back)
	}
}
