package scenario

import (
	"slices"
	"strconv"
	"testing"
	"time"
)

func TestLoop(t *testing.T) {
	s := newServer(t)
	s.start()
	s.site.loop()
}

// loop takes one view through its life: thirty clean windows, a poisoned one, clean
// ones again; approve, rollback, and a level shift that is accepted.
func (s *site) loop() {
	t := s.t
	s.define()
	p := watch(t, s)
	for i := range 30 {
		s.mustPublish(i, 1)
	}
	p.ban(30, time.Now())
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
		s.mustPublish(i, 1)
	}
	if err := s.expect(30, false); err != nil {
		t.Errorf("after the rejected window: %v", err)
	}
	p.lift(30)
	s.approveAndRollBack(bad.Version)
	p.ban(30, time.Now().Add(lease))
	s.acceptShift()
	p.hold(s, 100)
}

func (s *site) mustPublish(i int, factor float64) {
	s.t.Helper()
	if v := s.decide(i, factor); v.Decision != "publish" {
		s.t.Fatalf("window %d: %s, %s, want it published: %+v", i, v.State, v.Decision, v.Reasons)
	}
}

func (s *site) approveAndRollBack(version int) {
	t := s.t
	t.Helper()
	if out, code := s.sluice("approve", "payments", "--version", strconv.Itoa(version), "--reason", "checked by hand", "--format", "json"); code != 0 {
		t.Fatalf("approve: exit %d: %s", code, out)
	}
	all := s.versions()
	fresh := all[len(all)-1]
	if fresh.Kind != "approved" || fresh.ApprovedOf != version || fresh.State != "visible" || fresh.Rows != *windowRows {
		t.Fatalf("newest version %+v, want an approved one of %d with its rows", fresh, version)
	}
	s.until("the approved row is visible", waitLease, func() error { return s.expect(30, true) })
	if out, code := s.sluice("rollback", "payments", "--version", strconv.Itoa(fresh.Version), "--reason", "not after all", "--format", "json"); code != 0 {
		t.Fatalf("rollback: exit %d: %s", code, out)
	}
	s.until("the approved row is gone", waitLease, func() error { return s.expect(30, false) })
	if err := s.expect(33, true); err != nil {
		t.Errorf("rollback of an older version took newer rows with it: %v", err)
	}
}

// acceptShift pushes a level shift, which blocks until it is accepted.
func (s *site) acceptShift() {
	t := s.t
	t.Helper()
	v := s.decide(34, 4)
	if v.Decision != "reject" {
		t.Fatalf("level shift: %s, %s, want it rejected: %+v", v.State, v.Decision, v.Reasons)
	}
	if out, code := s.sluice("baseline", "accept", "payments", "--version", strconv.Itoa(v.Version), "--reason", "new price list", "--format", "json"); code != 0 {
		t.Fatalf("baseline accept: exit %d: %s", code, out)
	}
	for i := 35; i < 46; i++ {
		s.mustPublish(i, 4)
	}
	if i := slices.IndexFunc(s.versions(), func(x version) bool { return x.Version == v.Version && x.State != "rejected" }); i >= 0 {
		t.Errorf("accepting the baseline changed the rejected version: %+v", s.versions()[i])
	}
	if back := s.decide(46, 0.25); back.Decision == "publish" {
		t.Errorf("a fall to a sixteenth of the accepted level was published: %+v", back)
	}
}
