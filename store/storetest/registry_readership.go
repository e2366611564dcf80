package storetest

import (
	"reflect"
	"testing"
	"time"

	"sluice/feature"
)

// testReadership: what a process says of an hour replaces what it said of it before.
func testReadership(t *testing.T, r *reg) {
	ctx, view, other := t.Context(), r.view(feature.Gated), r.view(feature.Gated)
	hour := func(i int) feature.Window {
		start := day.Add(time.Duration(i) * time.Hour)
		return feature.Window{Start: start, End: start.Add(time.Hour)}
	}
	of := func(v *feature.View, i int, process string, rows uint64) feature.Readership {
		return feature.Readership{View: v.ID, Window: hour(i), Process: process, First: hour(i).Start.Add(time.Second),
			Reads: []feature.FeatureReads{{Rows: rows}, {Feature: 3, Rows: rows - 1}, {Service: "fraud", Rows: 1}}}
	}
	put := func(list ...feature.Readership) {
		t.Helper()
		if err := r.PutReadership(ctx, list); err != nil {
			t.Fatal(err)
		}
	}
	changed := r.Changed()
	put()
	put(of(view, 1, "b", 5), of(view, 0, "b", 9), of(other, 1, "b", 7))
	put(of(view, 1, "b", 8), of(view, 1, "a", 2), of(view, 2, "a", 4))
	want := func(from time.Time, want ...feature.Readership) {
		t.Helper()
		got, err := r.Readership(ctx, view.ID, from)
		if err != nil || len(got) != len(want) || len(got) > 0 && !reflect.DeepEqual(got, want) {
			t.Errorf("Readership(%s) = %+v, %v, want %+v", from, got, err, want)
		}
	}
	all := []feature.Readership{of(view, 0, "b", 9), of(view, 1, "a", 2), of(view, 1, "b", 8), of(view, 2, "a", 4)}
	want(time.Time{}, all...)
	want(hour(1).Start, all[1:]...)
	want(hour(1).Start.Add(1), all[3:]...)
	select {
	case <-changed:
		t.Error("PutReadership told of a change: every reader would look for one")
	default:
	}
	for _, tc := range []struct {
		before time.Time
		want   int
	}{{time.Time{}, 0}, {hour(0).End.Add(-1), 0}, {hour(1).End, 3}, {hour(1).End, 0}} {
		if n, err := r.RetainReadership(ctx, view.ID, tc.before); n != tc.want || err != nil {
			t.Errorf("RetainReadership(%s) = %d, %v, want %d", tc.before, n, err, tc.want)
		}
	}
	r.reopen()
	want(time.Time{}, all[3:]...)
	if got, err := r.Readership(ctx, other.ID, time.Time{}); err != nil || len(got) != 1 {
		t.Errorf("Readership of the other view = %+v, %v, want what it had", got, err)
	}
}
