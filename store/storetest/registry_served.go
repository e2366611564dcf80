package storetest

import (
	"fmt"
	"math"
	"reflect"
	"sync"
	"testing"
	"time"

	"sluice/feature"
)

// testExposure: deltas of any process add up, and nobody is woken by them.
func testExposure(t *testing.T, r *reg) {
	ctx, view, other := t.Context(), r.view(feature.Gated), r.view(feature.Gated)
	number := uint64(0)
	add := func(deltas ...feature.Exposure) {
		t.Helper()
		number++
		for range 2 { // the answer of the first may have been lost
			if err := r.AddExposure(ctx, feature.ExposureReport{Process: "p", Number: number, Reads: deltas}); err != nil {
				t.Fatal(err)
			}
		}
	}
	at := func(second int) time.Time { return day.Add(time.Duration(second) * time.Second) }
	changed := r.Changed()
	add()
	add(feature.Exposure{View: view.ID, Version: 2, Reads: 5, First: at(10), Last: at(20)}, feature.Exposure{View: view.ID, Version: 1, Reads: 1})
	add(feature.Exposure{View: view.ID, Version: 2, Reads: 7, First: at(5), Last: at(15)}, feature.Exposure{View: other.ID, Version: 2, Reads: 100, First: at(0), Last: at(1)})
	add(feature.Exposure{View: view.ID, Version: 2, Reads: 1}, feature.Exposure{View: view.ID, Version: 3, Reads: 4, First: at(30), Last: at(30)})
	want := []feature.VersionReads{{Version: 1, Reads: 1}, {Version: 2, Reads: 13, First: at(5), Last: at(20)}, {Version: 3, Reads: 4, First: at(30), Last: at(30)}}
	for _, span := range []struct {
		first, last feature.Version
		want        []feature.VersionReads
	}{{0, math.MaxUint64, want}, {2, 2, want[1:2]}, {4, 9, nil}} {
		if got, err := r.Exposure(ctx, view.ID, span.first, span.last); err != nil || len(got) != len(span.want) || len(got) > 0 && !reflect.DeepEqual(got, span.want) {
			t.Errorf("Exposure(%d, %d) = %+v, %v, want %+v", span.first, span.last, got, err, span.want)
		}
	}
	// Another process has numbers of its own, and a report that comes after a later one says
	// nothing new.
	for _, report := range []feature.ExposureReport{{Process: "q", Number: 1}, {Process: "p", Number: 1}} {
		report.Reads = []feature.Exposure{{View: view.ID, Version: 1, Reads: 10}}
		if err := r.AddExposure(ctx, report); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := r.Exposure(ctx, view.ID, 1, 1); err != nil || len(got) != 1 || got[0].Reads != 11 {
		t.Errorf("Exposure = %+v, %v, want 11 reads: one of p, ten of q", got, err)
	}
	if err := r.AddExposure(ctx, feature.ExposureReport{Process: "p", Reads: []feature.Exposure{{View: view.ID, Version: 1, Reads: 1}}}); err == nil {
		t.Error("a report without a number is taken")
	}
	select {
	case <-changed:
		t.Error("AddExposure told of a change: every reader would look for one")
	default:
	}
}

// testExposureRace adds from several processes at once, to the same versions in
// different orders.
func testExposureRace(t *testing.T, r *reg) {
	const processes, rounds, versions = 4, 20, 5
	view := r.view(feature.Gated)
	var running sync.WaitGroup
	for p := range processes {
		store := r.second()
		running.Go(func() {
			for round := range rounds {
				var deltas []feature.Exposure
				for v := range versions {
					deltas = append(deltas, feature.Exposure{View: view.ID, Version: feature.Version((v+p)%versions + 1), Reads: 1, First: day, Last: day})
				}
				if err := store.AddExposure(t.Context(), feature.ExposureReport{Process: fmt.Sprint(p), Number: uint64(round + 1), Reads: deltas}); err != nil {
					t.Errorf("AddExposure = %v", err)
				}
			}
		})
	}
	running.Wait()
	got, err := r.Exposure(t.Context(), view.ID, 0, versions)
	if err != nil || len(got) != versions {
		t.Fatalf("Exposure = %+v, %v", got, err)
	}
	for _, v := range got {
		if v.Reads != processes*rounds {
			t.Errorf("version %d was read %d times, want %d", v.Version, v.Reads, processes*rounds)
		}
	}
}

func testServed(t *testing.T, r *reg) {
	ctx, view, other := t.Context(), r.view(feature.Gated), r.view(feature.Gated)
	of := func(v *feature.View, i int, process, profile string) feature.ServedProfile {
		return feature.ServedProfile{View: v.ID, Window: window(i), Process: process, Layout: "l", Rows: uint64(len(profile)), Versions: []feature.Version{3, 4}, Profile: []byte(profile), Settled: []byte(profile[1:])}
	}
	for _, p := range []feature.ServedProfile{of(view, 1, "b", "one b"), of(view, 0, "b", "zero"), of(view, 1, "a", "one a"), of(view, 2, "a", "two"), of(other, 1, "a", "other"), of(view, 2, "a", "two again")} {
		if err := r.PutServed(ctx, p); err != nil {
			t.Fatal(err)
		}
	}
	want := func(from, to time.Time, want ...feature.ServedProfile) {
		t.Helper()
		got, err := r.Served(ctx, view.ID, from, to)
		if err != nil || len(got) != len(want) || len(got) > 0 && !reflect.DeepEqual(got, want) {
			t.Errorf("Served = %+v, %v, want %+v", got, err, want)
		}
	}
	want(time.Time{}, time.Time{}, of(view, 0, "b", "zero"), of(view, 1, "a", "one a"), of(view, 1, "b", "one b"), of(view, 2, "a", "two again"))
	want(window(1).Start, window(2).Start, of(view, 1, "a", "one a"), of(view, 1, "b", "one b"))
	for _, tc := range []struct {
		before time.Time
		want   int
	}{{time.Time{}, 0}, {window(1).End.Add(-1), 1}, {window(1).End, 2}, {window(1).End, 0}} {
		if n, err := r.RetainServed(ctx, view.ID, tc.before); n != tc.want || err != nil {
			t.Errorf("RetainServed(%s) = %d, %v, want %d", tc.before, n, err, tc.want)
		}
	}
	want(time.Time{}, time.Time{}, of(view, 2, "a", "two again"))
	r.reopen()
	want(time.Time{}, time.Time{}, of(view, 2, "a", "two again"))
}
