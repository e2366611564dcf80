package memory_test

import (
	"slices"
	"testing"
	"time"

	"sluice/feature"
	"sluice/store/memory"
	"sluice/store/storetest"
)

func TestGroupedRows(t *testing.T) {
	stores := map[string]*memory.Grouped{}
	storetest.Rows(t, func(_ testing.TB, dir string) storetest.RowStore {
		if stores[dir] == nil {
			stores[dir] = new(memory.Grouped)
		}
		return stores[dir]
	})
}

// TestGroupedExpiry: the rows of an entity live as long as the view of the group that
// needs them for longest, by that view's last write; what is in no group goes by its own.
func TestGroupedExpiry(t *testing.T) {
	const hour, day, never, apart = feature.ViewID(1), feature.ViewID(2), feature.ViewID(3), feature.ViewID(4)
	for name, tc := range map[string]struct {
		writes []feature.ViewID // one minute apart
		want   time.Duration    // from the last of them; 0: never
	}{
		"one":                            {[]feature.ViewID{hour}, time.Hour},
		"the longer second":              {[]feature.ViewID{hour, day}, 24 * time.Hour},
		"the shorter second":             {[]feature.ViewID{day, hour}, 24*time.Hour - time.Minute},
		"the same one again":             {[]feature.ViewID{hour, hour}, time.Hour},
		"never second":                   {[]feature.ViewID{hour, never}, 0},
		"never first":                    {[]feature.ViewID{never, day, hour}, 0},
		"that of another view, which is": {[]feature.ViewID{apart, hour, apart}, time.Hour - time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
			g := &memory.Grouped{}
			g.SetClock(func() time.Time { return now })
			g.Group(map[feature.ViewID]string{hour: "users", day: "users", never: "users"})
			g.SetExpiry(hour, time.Hour)
			g.SetExpiry(day, 24*time.Hour)
			g.SetExpiry(apart, 10*time.Hour)
			for i, view := range tc.writes {
				now = now.Add(time.Minute)
				row := feature.Row{Key: "a", Record: feature.Record{EventTime: int64(i), Seq: 1, Row: []byte("x")}}
				if _, err := g.Stage(t.Context(), view, feature.Version(i+1), []feature.Row{row}); err != nil {
					t.Fatal(err)
				}
			}
			of := slices.DeleteFunc(slices.Clone(tc.writes), func(v feature.ViewID) bool { return v == apart })
			records := func() (n int) {
				for _, view := range slices.Compact(slices.Sorted(slices.Values(of))) {
					chains, err := g.Read(t.Context(), view, []feature.Key{"a"}, nil)
					if err != nil {
						t.Fatal(err)
					}
					n += len(chains[0])
				}
				return n
			}
			written := now
			for _, at := range []struct {
				after time.Duration
				want  int
			}{{tc.want - time.Second, len(of)}, {tc.want, 0}} {
				if tc.want == 0 {
					at.after, at.want = 1000*time.Hour, len(of)
				}
				if now = written.Add(at.after); records() != at.want {
					t.Errorf("%d records %s after the last write, want %d", records(), at.after, at.want)
				}
			}
		})
	}
}

// TestGroupedEmpty: a hash of which all is dropped leaves nothing of its expiry.
func TestGroupedEmpty(t *testing.T) {
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	g := &memory.Grouped{}
	g.SetClock(func() time.Time { return now })
	g.Group(map[feature.ViewID]string{1: "users", 2: "users"})
	g.SetExpiry(2, time.Hour)
	stage := func(view feature.ViewID) {
		if _, err := g.Stage(t.Context(), view, 1, []feature.Row{{Key: "a", Record: feature.Record{EventTime: 1, Row: []byte("x")}}}); err != nil {
			t.Fatal(err)
		}
	}
	stage(1) // for ever
	if n, err := g.Drop(t.Context(), 1, 1); n != 1 || err != nil {
		t.Fatalf("Drop = %d, %v", n, err)
	}
	stage(2)
	now = now.Add(time.Hour)
	if got, err := g.ReadViews(t.Context(), []feature.ViewID{1, 2}, []feature.Key{"a"}, time.Time{}, nil); err != nil || len(got) != 2 || len(got[0])+len(got[1]) != 0 {
		t.Errorf("ReadViews = %v, %v, want two empty chains", got, err)
	}
	if _, err := g.ReadViews(t.Context(), []feature.ViewID{1, 3}, []feature.Key{"a"}, time.Time{}, nil); err == nil {
		t.Error("ReadViews of a view in no group succeeds")
	}
}
