package sketch

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"sluice/feature"
)

// uniqueRows returns n rows of one int64 feature; the value of row i is i % different.
func uniqueRows(view *feature.View, n, different int) []*feature.Write {
	rows := make([]*feature.Write, n)
	for i := range rows {
		rows[i] = &feature.Write{View: view, Topic: "t", Partition: int32(i % 4), Offset: int64(i / 4), EventTime: time.Unix(1e9, 0),
			Values: []feature.Value{feature.Int64Value(int64(i % different))}}
	}
	return rows
}

// What is remembered of many rows is exact as long as there are few values, and else a
// sample of the values, each with the exact number of its rows.
func TestWatchedUnique(t *testing.T) {
	view := testView(feature.Int64)
	view.Features[0].Expect.Unique = true
	key := UniqueKey([]uint32{1}, false)
	for name, tc := range map[string]struct {
		rows, different int
		want            Watched
	}{
		"few":      {100, 60, Watched{Rows: 100, Groups: 60, Looked: 100, Broken: 40, All: true}},
		"at limit": {2 * MaxUnique, MaxUnique, Watched{Rows: 2 * MaxUnique, Groups: MaxUnique, Looked: 2 * MaxUnique, Broken: MaxUnique, All: true}},
		"sample":   {5 * 40_000, 40_000, Watched{Rows: 200_000, Groups: MaxUnique, Looked: 5 * MaxUnique, Broken: 4 * MaxUnique, Sampled: true}},
	} {
		t.Run(name, func(t *testing.T) {
			if got, ok := profileOf(view, Unbinned(view), uniqueRows(view, tc.rows, tc.different)).Watched(key); !ok || got != tc.want {
				t.Errorf("Watched = %+v, %t, want %+v", got, ok, tc.want)
			}
		})
	}
}

// How many duplicates among many rows are found at all, where none is allowed. The
// table is part of docs/expectations.md.
func TestUniquePower(t *testing.T) {
	view := testView(feature.Int64)
	view.Features[0].Expect.Unique = true
	const rows, trials = 50_000, 40
	for _, tc := range []struct {
		share float64 // of the values that come twice
		least int     // of the trials that find one
	}{{.0005, 14}, {.002, 38}, {.01, 40}} {
		found := 0
		for seed := range uint64(trials) {
			p := NewProfile(view, Unbinned(view), HashKey{byte(seed), 1})
			for _, w := range uniqueRows(view, rows, int(float64(rows)*(1-tc.share))) {
				p.Add(w)
			}
			if seen, _ := p.Watched(UniqueKey([]uint32{1}, false)); seen.Broken > 0 {
				found++
			}
		}
		t.Logf("%g %% of %d values twice: found in %d of %d windows", 100*tc.share, rows, found, trials)
		if found < tc.least {
			t.Errorf("found in %d of %d windows, want %d", found, trials, tc.least)
		}
	}
}

// A watch that the definition gained in the midst of a window covers what came after.
func TestWatchAcrossDefinitions(t *testing.T) {
	old, next := testView(feature.Int64), testView(feature.Int64)
	next.Features[0].Expect.Unique = true
	rng := rand.New(rand.NewPCG(3, 3))
	a, b := profileOf(old, Unbinned(old), randomWrites(rng, old, 300)), profileOf(next, Unbinned(next), randomWrites(rng, next, 300))
	c, d := profileOf(old, Unbinned(old), nil), profileOf(next, Unbinned(next), nil)
	for _, merge := range [][2]*Profile{{c, a}, {c, b}, {d, b}, {d, a}} {
		if err := merge[0].Merge(merge[1]); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(encode(t, c), encode(t, d)) {
		t.Error("the order of merging shows")
	}
	if seen, ok := c.Watched(UniqueKey([]uint32{1}, false)); !ok || seen.Rows == 0 || seen.Rows > b.Profiled() {
		t.Errorf("Watched = %+v, %t, want the rows of the second part", seen, ok)
	}
}

// A profile without anything to remember has the bytes that it always had.
func TestPlainProfileKeepsItsForm(t *testing.T) {
	view := testView(feature.Int64)
	if b := encode(t, profileOf(view, Unbinned(view), uniqueRows(view, 10, 10))); b[0]&watching != 0 {
		t.Errorf("form %x, want none of watches", b[0])
	}
	view.Features[0].Expect.Unique = true
	if b := encode(t, profileOf(view, Unbinned(view), uniqueRows(view, 10, 10))); b[0]&watching == 0 {
		t.Errorf("form %x, want that of watches", b[0])
	}
}

// BenchmarkProfileAddWatched measures a row of one int64 with what is remembered of it.
func BenchmarkProfileAddWatched(b *testing.B) {
	for _, expect := range []string{"nothing", "unique", "monotonic"} {
		b.Run("expect="+expect, func(b *testing.B) {
			view := testView(feature.Int64)
			view.Features[0].Expect.Unique, view.Features[0].Expect.Monotonic = expect == "unique", expect == "monotonic"
			rows := uniqueRows(view, 100_000, 100_000)
			for i, w := range rows {
				w.Key = feature.Key(fmt.Sprint("k", i%5000))
			}
			b.ReportAllocs()
			n := 0
			var p *Profile
			for b.Loop() {
				p = NewProfile(view, Unbinned(view), testKey)
				p.AddBatch(rows)
				n += len(rows)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/row")
			b.ReportMetric(float64(len(encode(b, p))), "bytes")
		})
	}
}
