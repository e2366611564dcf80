package readership

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"testing"
	"time"

	"sluice/feature"
)

// roll records who reads what: the last that was said of an hour.
type roll struct {
	said  map[int64]feature.Readership // by the start of the hour
	calls int
	err   error
}

func (r *roll) put(_ context.Context, list []feature.Readership) error {
	r.calls++
	if r.err != nil {
		return r.err
	}
	for _, of := range list {
		r.said[of.Window.Start.Unix()] = of
	}
	return nil
}

// rows returns what was said of the hour of at, by feature.
func (r *roll) rows(at time.Time) map[uint32]uint64 {
	out := map[uint32]uint64{}
	for _, of := range r.said[at.Truncate(time.Hour).Unix()].Reads {
		out[of.Feature] = of.Rows
	}
	return out
}

// TestReadersOwed bounds what is kept of hours that could not be recorded, and passes over
// reads of a time when the clock was not set.
func TestReadersOwed(t *testing.T) {
	lists := newLists()
	now := time.Time{}
	l := &roll{said: map[int64]feature.Readership{}, err: errors.New("no registry")}
	r := readers{counted: lists, tell: l.put, now: func() time.Time { return now }, results: newResults(nil), log: slog.New(slog.DiscardHandler)}
	list := lists.of(readList{view: 2, whole: true, features: []uint32{100}}, 1)[0]
	list.Add(50)
	r.report(t.Context())
	if l.calls != 0 {
		t.Errorf("%d reports while the clock is not set, want none", l.calls)
	}
	for i := range 100 {
		now = noon.Add(time.Duration(i) * time.Hour)
		list.Add(uint64(i))
		r.report(t.Context())
	}
	l.err = nil
	r.report(t.Context())
	if len(l.said) != hoursOwed || len(r.owed()) != 0 {
		t.Errorf("%d hours were recorded and %d are owed, want %d and 0", len(l.said), len(r.owed()), hoursOwed)
	}
	if got := l.rows(now); got[0] != 99 || got[100] != 99 {
		t.Errorf("reads of the last hour: %v, want 99", got)
	}
}

// TestReadershipBounds asks for more lists of features than are counted as such: nothing is
// lost. Those that no plan in force has are let go once nobody reads by them.
func TestReadershipBounds(t *testing.T) {
	r := newLists()
	ask := func(generation uint64, service string, ids ...uint32) []*List {
		r.generation = max(r.generation, generation)
		return r.of(readList{2, service, true, ids}, generation)
	}
	sums := func() map[readKey]uint64 {
		got := map[readKey]uint64{}
		r.take(func(at readKey, rows uint64) { got[at] += rows })
		return got
	}
	const asked = mostLists + 500
	want := map[readKey]uint64{{2, "", 0}: 2 * asked, {2, "", 1}: 2 * asked, {2, "fraud", 0}: 3, {2, "fraud", 7}: 3}
	for i := range uint32(asked) {
		ids := []uint32{1, 10 + i%40, 100 + i/40}
		for _, l := range ask(1, "", ids...) {
			l.Add(2)
		}
		want[readKey{2, "", ids[1]}] += 2
		want[readKey{2, "", ids[2]}] += 2
	}
	for _, l := range ask(1, "fraud", 7) {
		l.Add(3)
	}
	if got := sums(); !maps.Equal(got, want) {
		t.Errorf("%d sums, want %d: %v", len(got), len(want), got)
	}
	if most := mostLists + 1 + 1 + 40 + asked/40 + 2; len(r.counters) > most || r.many != mostLists {
		t.Errorf("%d counters, of them %d lists, want at most %d and %d", len(r.counters), r.many, most, mostLists)
	}
	kept := ask(2, "", 1, 10, 100)[0]
	for range idleLists {
		sums()
	}
	if len(r.counters) != 1 || r.many != 1 || ask(2, "", 1, 10, 100)[0] != kept {
		t.Errorf("%d counters of %d lists are left, want the one of the definitions in force", len(r.counters), r.many)
	}
	if got := ask(2, "", 5, 6); len(got) != 1 {
		t.Errorf("a list is counted by %d counters though there is room", len(got))
	}
}
