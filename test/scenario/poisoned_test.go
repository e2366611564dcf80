package scenario

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A window of a source that carries too many dead letters is held though it passes: no
// door shows it until a person approves it, or a later window finds the source well. Every
// part of that is a process of its own on real parts: the tap counts, the log carries the
// counts, the gate decides, another serves.
func TestPoisonedSource(t *testing.T) {
	s := newServer(t)
	s.start()
	s.site.poisoned()
}

// live is a run of windows around the present: the minutes of a source are those in which
// its records were written, whatever their event times.
type live struct {
	*site
	size time.Duration
	base time.Time // start of the window that we are in
}

// nearEnd is how far the present must be from the ends of its window: longer than a run.
const nearEnd = 3 * time.Minute

// newLive picks the length of windows, so that the present is within one.
func newLive(s *site) *live {
	for minutes := 60; ; minutes++ {
		size, now := time.Duration(minutes)*time.Minute, time.Now().UTC()
		base := time.Unix(0, now.UnixNano()-now.UnixNano()%int64(size)).UTC() // as windows lie; Truncate counts from the year 1
		if now.Sub(base) > nearEnd && base.Add(size).Sub(now) > nearEnd {
			return &live{s, size, base}
		}
	}
}

// start is that of a window; 0 is the one that we are in.
func (l *live) start(n int) time.Time { return l.base.Add(time.Duration(n) * l.size) }

// rows are those of a window, as those of others are, in its time.
func (l *live) rows(n int) []write {
	rows := payments(n+100, 1)
	for i := range rows {
		rows[i].EventTime = l.start(n).Add(time.Duration(i) * l.size / time.Duration(*windowRows))
	}
	return rows
}

// decide pushes a window with so many records that cannot be read, and returns its verdict.
func (l *live) decide(n, dead int) (v verdict) {
	l.t.Helper()
	body := lines(l.rows(n))
	for range dead {
		body = fmt.Appendf(body, `{"view":"payments","key":{"account":"a000"},"event_time":%q,"values":{"amount":"lots","country":"DE"}}`+"\n", l.start(n).Format(time.RFC3339))
	}
	if err := l.post("/api/v1/views/payments/writes", body, nil); err != nil {
		l.fatalf("window %d: %v", n, err)
	}
	if err := l.post("/api/v1/views/payments/watermark", map[string]any{"watermark": l.start(n + 1)}, nil); err != nil {
		l.fatalf("window %d: %v", n, err)
	}
	var list struct{ Items []window }
	if err := l.get("/api/v1/views/payments/windows?start="+l.start(n).Format(time.RFC3339)+"&wait=30s", &list); err != nil || len(list.Items) != 1 || list.Items[0].State != "judged" {
		l.fatalf("window %d: %+v, %v, want it judged", n, list.Items, err)
	}
	if err := l.get("/api/v1/verdicts/"+list.Items[0].Verdict, &v); err != nil {
		l.fatalf("window %d: %v", n, err)
	}
	return v
}

// shown returns an error unless every door shows the row that only a window wrote, or none
// does.
func (l *live) shown(n int, visible bool) error {
	for i, d := range l.doors {
		answer, err := readAt(*d.Load(), only(n+100))
		if err != nil {
			return fmt.Errorf("door %d: %w", i, err)
		}
		if got := answer.Rows[0].Statuses["amount"] == "PRESENT"; got != visible {
			return fmt.Errorf("door %d: row of window %d visible: %v, want %v", i, n, got, visible)
		}
	}
	return nil
}

// state returns the state of a version.
func (l *live) state(number int) string {
	l.t.Helper()
	for _, v := range l.versions() {
		if v.Version == number {
			return v.State
		}
	}
	return ""
}

const cleanWindows = 8

// poisoned pushes clean windows, one of a poisoned source, and one whose source is well. In
// a second round a person approves what is held.
func (s *site) poisoned() {
	l := newLive(s)
	s.defineAs(strings.Replace(definitions, "size: 1h", fmt.Sprintf("size: %dm", l.size/time.Minute), 1))
	for n := -cleanWindows; n < 0; n++ {
		if v := l.decide(n, 0); v.Decision != "publish" {
			s.fatalf("window %d: %s, %s, want it published: %+v", n, v.State, v.Decision, v.Reasons)
		}
	}
	held := l.decide(0, *windowRows)
	if held.State != "pass" || held.Decision != "hold" {
		s.fatalf("window of a poisoned source: %s, %s, want that it passes and is held: %+v", held.State, held.Decision, held.Reasons)
	}
	for began := time.Now(); time.Since(began) < 2*lease; { // nobody shows it, whoever asks for as long as leases last
		if err := l.shown(0, false); err != nil {
			s.fatalf("held: %v", err)
		}
	}
	if got := l.state(held.Version); got != "held" {
		s.fatalf("version %d is %s, want it held", held.Version, got)
	}
	if v := l.decide(1, 0); v.Decision != "publish" {
		s.fatalf("window of a source that is well: %s, %s, want it published: %+v", v.State, v.Decision, v.Reasons)
	}
	s.until("what was held is shown, for its source is well", waitLease, func() error { return errors.Join(l.shown(0, true), l.shown(1, true)) })
	if got := l.state(held.Version); got != "visible" {
		s.errorf("version %d is %s, want it visible", held.Version, got)
	}
}

// A person publishes what is held for its source, whatever the source is like by then.
func TestPoisonedSourceApproved(t *testing.T) {
	s := newServer(t)
	s.start()
	l := newLive(s.site)
	s.defineAs(strings.Replace(definitions, "size: 1h", fmt.Sprintf("size: %dm", l.size/time.Minute), 1))
	for n := -cleanWindows; n < 0; n++ {
		l.decide(n, 0)
	}
	held := l.decide(0, *windowRows)
	if err := l.shown(0, false); held.Decision != "hold" || err != nil {
		t.Fatalf("window of a poisoned source: %s, %s (%v), want it held", held.State, held.Decision, err)
	}
	if out, code := s.sluice("approve", "payments", "--version", strconv.Itoa(held.Version), "--reason", "the dead letters are another producer's"); code != 0 {
		t.Fatalf("approve: exit %d: %s", code, out)
	}
	s.until("what was approved is shown", waitLease, func() error { return l.shown(0, true) })
}
