package storetest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sluice/feature"
)

// grouping is a store that may keep the chains of the views of a group together.
type grouping interface {
	Group(views map[feature.ViewID]string)
	ReadViews(ctx context.Context, views []feature.ViewID, keys []feature.Key, whole time.Time, dst [][]feature.Record) ([][]feature.Record, error)
}

// group puts views into a group, in a store that has groups. They are even or odd, all of
// them: the suite is run over two stores of which each has one kind.
func (r *rows) group(name string, views ...feature.ViewID) {
	in, ok := r.RowStore.(grouping)
	if !ok {
		return
	}
	of := map[feature.ViewID]string{}
	for _, view := range views {
		of[view] = name
	}
	in.Group(of)
}

// readViews reads views of a group, at once where the store can. The chains are those of
// the first view's keys, then the next one's, in rising order of version.
func (r *rows) readViews(views []feature.ViewID, keys []feature.Key, dst [][]feature.Record) [][]feature.Record {
	r.t.Helper()
	in, ok := r.RowStore.(grouping)
	if !ok {
		var all [][]feature.Record
		for _, view := range views {
			all = append(all, r.read(view, keys...)...)
		}
		return all
	}
	chains, err := in.ReadViews(r.t.Context(), views, keys, time.Time{}, dst)
	if err != nil || len(chains) != len(views)*len(keys) {
		r.t.Fatalf("ReadViews(%d, %q) = %d chains, %v", views, keys, len(chains), err)
	}
	for _, chain := range chains {
		slices.SortFunc(chain, func(a, b feature.Record) int { return int(a.Version) - int(b.Version) })
	}
	return chains
}

// wantViews compares what views of a group have of a key, read at once and one by one,
// with the texts of their records in rising order of version.
func (r *rows) wantViews(views []feature.ViewID, key feature.Key, want ...string) {
	r.t.Helper()
	at := r.readViews(views, []feature.Key{key}, nil)
	for i, view := range views {
		for how, chain := range map[string][]feature.Record{"together": at[i], "alone": r.read(view, key)[0]} {
			text := ""
			for _, x := range chain {
				text += string(x.Row) + " "
			}
			if text != want[i] {
				r.t.Errorf("view %d key %q read %s = %q, want %q", view, string(key), how, text, want[i])
			}
		}
	}
}

var grouped = []feature.ViewID{2, 4, 300}

// testGroup stages the same keys and versions into three views of a group, one beside it
// and one of another group, and reads them in any combination.
func testGroup(t *testing.T, r *rows) {
	const beside, other = feature.ViewID(6), feature.ViewID(8)
	r.group("users", grouped...)
	r.group("users_2", other)
	text := func(view feature.ViewID, version feature.Version, key feature.Key) string {
		return fmt.Sprintf("%d/%d/%s", view, version, key)
	}
	keys := []feature.Key{"a", "b", "", "a\x00"}
	for _, view := range append(slices.Clone(grouped), beside, other) {
		for _, version := range []feature.Version{1, 2, 256, 1 << 40} {
			var batch []feature.Row
			for _, key := range keys[:3] {
				batch = append(batch, row(key, record(version, int64(version), 1, text(view, version, key))))
			}
			r.stage(view, version, batch...)
		}
	}
	chain := func(view feature.ViewID, key feature.Key) (want []feature.Record) {
		for _, version := range []feature.Version{1, 2, 256, 1 << 40} {
			if key != "a\x00" {
				want = append(want, record(version, int64(version), 1, text(view, version, key)))
			}
		}
		return want
	}
	var dst [][]feature.Record
	for _, views := range [][]feature.ViewID{grouped, {300, 2}, {4}, {2, 4, 300}} {
		asked := append(slices.Clone(keys), "b") // one twice
		dst = r.readViews(views, asked, dst)
		for n, view := range views {
			for i, key := range asked {
				if got, want := dst[n*len(asked)+i], chain(view, key); !sameChain(got, want) {
					t.Errorf("view %d of %d key %q = %s, want %s", view, views, string(key), showChain(got), showChain(want))
				}
			}
		}
	}
	for _, view := range append(slices.Clone(grouped), beside, other) {
		for i, got := range r.read(view, keys...) {
			if want := chain(view, keys[i]); !sameChain(got, want) {
				t.Errorf("view %d alone key %q = %s, want %s", view, string(keys[i]), showChain(got), showChain(want))
			}
		}
	}
	r.reopen()
	r.group("users", grouped...)
	r.wantViews(grouped[:1], "b", "2/1/b 2/2/b 2/256/b 2/1099511627776/b ")
}

// testGroupApart drops and folds one view of a group; the others do not notice.
func testGroupApart(t *testing.T, r *rows) {
	r.group("users", grouped...)
	for _, view := range grouped {
		for version := feature.Version(1); version <= 3; version++ {
			for i := range 300 {
				r.stage(view, version, row(feature.Key(fmt.Sprint("k", i)), record(version, int64(version), 1, fmt.Sprint(version))))
			}
		}
	}
	all := "1 2 3 "
	r.wantViews(grouped, "k7", all, all, all)
	drop := func(view feature.ViewID, version feature.Version, want int) {
		t.Helper()
		if n, err := r.Drop(t.Context(), view, version); n != want || err != nil {
			t.Errorf("Drop(view %d, version %d) = %d, %v, want %d", view, version, n, err, want)
		}
	}
	drop(4, 2, 300)
	r.wantViews(grouped, "k7", all, "1 3 ", all)
	if n, err := r.Fold(t.Context(), 2, 2, []feature.Version{1}, []feature.Version{1, 2}); n != 300 || err != nil {
		t.Errorf("Fold = %d, %v, want 300", n, err)
	}
	r.wantViews(grouped, "k7", "2 3 ", "1 3 ", all)
	for view, versions := range map[feature.ViewID][]uint64{2: {0, 300, 300}, 4: {300, 0, 300}, 300: {300, 300, 300}} {
		for i, want := range versions {
			if rows, _, err := r.Stat(t.Context(), view, feature.Version(i+1)); rows != want || err != nil {
				t.Errorf("Stat(view %d, version %d) = %d, %v, want %d", view, i+1, rows, err, want)
			}
		}
	}
	drop(2, 2, 300) // it was folded: its rows are looked for everywhere
	r.wantViews(grouped, "k7", "3 ", "1 3 ", all)
	for version := feature.Version(1); version <= 3; version++ {
		drop(300, version, 300)
	}
	r.wantViews(grouped, "k7", "3 ", "1 3 ", "")
	drop(2, 3, 300)
	drop(4, 1, 300)
	drop(4, 3, 300)
	r.wantViews(grouped, "k7", "", "", "")
}

// testGroupHistories is testHistories of three views of a group at once, over the same
// keys: each has a model of its own, and is looked at after the steps of any.
func testGroupHistories(t *testing.T, r *rows) {
	last, round := feature.ViewID(0), 0
	check := func(t *rapid.T) {
		round++
		views := []feature.ViewID{last + 2, last + 4, last + 6}
		last += 6
		r.group(fmt.Sprint("g", round), views...)
		var all []*history
		for _, view := range views {
			all = append(all, newHistory(t, r, view))
		}
		on := func(step func(*history, *rapid.T)) func(*rapid.T) {
			return func(t *rapid.T) { step(rapid.SampledFrom(all).Draw(t, "of"), t) }
		}
		var dst [][]feature.Record
		t.Repeat(map[string]func(*rapid.T){
			"window":  on((*history).window),
			"write":   on((*history).write),
			"replay":  on((*history).replay),
			"publish": on((*history).publish),
			"block":   on((*history).block),
			"settle":  on((*history).settle),
			"certify": on((*history).certify),
			"lease":   on(func(m *history, _ *rapid.T) { m.lease() }),
			"expire":  on((*history).expire),
			"drop":    on((*history).drop),
			"fold":    on((*history).fold),
			"": func(t *rapid.T) {
				dst = r.readViews(views, historyKeys, dst)
				for n, m := range all {
					m.compare(t, dst[n*len(historyKeys):(n+1)*len(historyKeys)])
				}
			},
		})
	}
	for range historyRounds / 2 {
		rapid.Check(t, check)
	}
}
