package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"sluice/feature"
)

func testNewest(t *testing.T, r *rows) {
	old, tied, late, newest := record(3, 10, 1, "old"), record(3, 10, 7, "tied"), record(3, 5, 9, "late"), record(3, 12, 2, "newest")
	for name, tc := range map[string]struct {
		calls [][]feature.Record
		want  feature.Record
	}{
		"later event time":              {[][]feature.Record{{old}, {newest}}, newest},
		"later event time comes first":  {[][]feature.Record{{newest}, {old}}, newest},
		"equal event time, greater seq": {[][]feature.Record{{old}, {tied}}, tied},
		"equal event time, lesser seq":  {[][]feature.Record{{tied}, {old}}, tied},
		"late row with greater seq":     {[][]feature.Record{{old}, {late}}, old},
		"twice in a call":               {[][]feature.Record{{newest, old}}, newest},
		"twice in a call, rising":       {[][]feature.Record{{late, old, tied, newest}}, newest},
		"replay":                        {[][]feature.Record{{old, newest}, {old, newest}, {old}}, newest},
		"deletion wins by event time":   {[][]feature.Record{{old}, {record(3, 11, 2, "")}}, record(3, 11, 2, "")},
		"deletion is older":             {[][]feature.Record{{newest}, {record(3, 11, 2, "")}}, newest},
		"later before 1970":             {[][]feature.Record{{record(3, -5, 1, "later")}, {record(3, -10, 2, "earlier")}}, record(3, -5, 1, "later")},
		"from before 1970 to after":     {[][]feature.Record{{old}, {record(3, -10, 9, "before")}}, old},
		"times that differ by 1 ns":     {[][]feature.Record{{record(3, 1<<62+1, 1, "later")}, {record(3, 1<<62, 2, "earlier")}}, record(3, 1<<62+1, 1, "later")},
		"seqs that differ by 1":         {[][]feature.Record{{record(3, 1, 1<<64-1, "greater")}, {record(3, 1, 1<<64-2, "lesser")}}, record(3, 1, 1<<64-1, "greater")},
		"a long row":                    {[][]feature.Record{{old}, {record(3, 12, 2, strings.Repeat("long ", 1<<18))}}, record(3, 12, 2, strings.Repeat("long ", 1<<18))},
	} {
		t.Run(name, func(t *testing.T) {
			key := feature.Key(name)
			for _, call := range tc.calls {
				var staged []feature.Row
				for _, x := range call {
					x.Version = 99 // the call's version counts
					staged = append(staged, row(key, x))
				}
				r.stage(1, 3, staged...)
			}
			r.want(1, key, tc.want)
		})
	}
}

var hostileKeys = []feature.Key{"", "\x00", "\x00\x00", "a", "a\x00", "ab", "\xff", "\xff\xff\xff\xff\xff\xff\xff\xff\xff",
	"\x01a\x00\x00\x00\x00\x00\x00\x00\x01", feature.Key(strings.Repeat("k", 127)), feature.Key(strings.Repeat("k", 128)), feature.Key(strings.Repeat("k", 20_000)), "{tag}:1"}

func testKeys(t *testing.T, r *rows) {
	for i, key := range hostileKeys {
		r.stage(1, 1, row(key, record(1, int64(i), 1, fmt.Sprint("one ", i))))
		r.stage(1, 1<<40, row(key, record(1<<40, int64(i), 2, fmt.Sprint("two ", i))))
	}
	for i, key := range hostileKeys {
		r.want(1, key, record(1, int64(i), 1, fmt.Sprint("one ", i)), record(1<<40, int64(i), 2, fmt.Sprint("two ", i)))
	}
	if n, err := r.Drop(t.Context(), 1, 1); n != len(hostileKeys) || err != nil {
		t.Errorf("Drop(1) = %d, %v, want %d rows", n, err, len(hostileKeys))
	}
	for i, key := range hostileKeys {
		r.want(1, key, record(1<<40, int64(i), 2, fmt.Sprint("two ", i)))
	}
}

func testViews(t *testing.T, r *rows) {
	last := feature.ViewID(1<<32 - 1)
	for _, view := range []feature.ViewID{1, 2, 256, last} {
		r.stage(view, 1, row("k", record(1, 1, 1, fmt.Sprint("of ", view))))
	}
	if n, err := r.Drop(t.Context(), 2, 1); n != 1 || err != nil {
		t.Errorf("Drop(view 2, version 1) = %d, %v, want 1 row", n, err)
	}
	r.want(2, "k")
	for _, view := range []feature.ViewID{1, 256, last} {
		r.want(view, "k", record(1, 1, 1, fmt.Sprint("of ", view)))
	}
}

func testRead(t *testing.T, r *rows) {
	r.stage(1, 1, row("a", record(1, 1, 1, "a1")), row("b", record(1, 1, 2, "b1")), row("d", record(1, 2, 3, "")))
	r.stage(1, 2, row("a", record(2, 2, 4, "a2")))
	got := r.read(1, "b", "missing", "a", "b", "d", "c", "e")
	for i, want := range [][]feature.Record{
		{record(1, 1, 2, "b1")}, nil, {record(1, 1, 1, "a1"), record(2, 2, 4, "a2")}, {record(1, 1, 2, "b1")}, {record(1, 2, 3, "")}, nil, nil,
	} {
		if !sameChain(got[i], want) {
			t.Errorf("chain %d = %s, want %s", i, showChain(got[i]), showChain(want))
		}
	}
	if got := r.read(1); len(got) != 0 {
		t.Errorf("Read of no keys = %v", got)
	}
}

func testReuse(t *testing.T, r *rows) {
	for i := range 50 {
		text := strings.Repeat("x", i%7*20) + fmt.Sprint("row ", i)
		r.stage(1, feature.Version(1+i%3), row(feature.Key(fmt.Sprint(i)), record(1, int64(i), uint64(i), text)))
	}
	var dst [][]feature.Record
	var err error
	for round := range 40 {
		var keys []feature.Key
		for i := range 1 + round*13%17 {
			keys = append(keys, feature.Key(fmt.Sprint((round*7+i*3)%55)))
		}
		if dst, err = r.Read(t.Context(), 1, keys, dst); err != nil || len(dst) != len(keys) {
			t.Fatalf("Read(%q) = %d chains, %v", keys, len(dst), err)
		}
		for i, want := range r.read(1, keys...) {
			if !sameChain(dst[i], want) {
				t.Fatalf("round %d key %q = %s, want %s", round, keys[i], showChain(dst[i]), showChain(want))
			}
		}
	}
}

func testDrop(t *testing.T, r *rows) {
	for v := feature.Version(1); v <= 3; v++ {
		r.stage(1, v, row("a", record(v, int64(v), 1, fmt.Sprint(v))), row("b", record(v, int64(v), 2, fmt.Sprint(v))))
	}
	for _, want := range []int{2, 0} {
		if n, err := r.Drop(t.Context(), 1, 2); n != want || err != nil {
			t.Errorf("Drop(2) = %d, %v, want %d", n, err, want)
		}
	}
	r.want(1, "a", record(1, 1, 1, "1"), record(3, 3, 1, "3"))
	r.want(1, "b", record(1, 1, 2, "1"), record(3, 3, 2, "3"))
	if n, bytes, err := r.Stat(t.Context(), 1, 2); n != 0 || bytes != 0 || err != nil {
		t.Errorf("Stat of a dropped version = %d, %d, %v, want nothing", n, bytes, err)
	}
}

func testStat(t *testing.T, r *rows) {
	first := r.stage(1, 1, row("a", record(1, 1, 1, "short")), row("bb", record(1, 1, 2, "another")))
	r.wantStat(1, 1, 2, first)
	if again := r.stage(1, 1, row("a", record(1, 1, 1, "short")), row("bb", record(1, 1, 2, "another"))); again != first {
		t.Errorf("Stage of the same rows again = %d bytes, want %d as before", again, first)
	}
	r.wantStat(1, 1, 2, first)
	longer := r.stage(1, 1, row("a", record(1, 2, 3, "much longer")))
	r.wantStat(1, 1, 2, first+uint64(len("much longer")-len("short")))
	r.stage(1, 2, row("a", record(2, 2, 3, "much longer")))
	r.wantStat(1, 2, 1, longer)
	r.wantStat(2, 1, 0, 0)
}

func (r *rows) wantStat(view feature.ViewID, version feature.Version, wantRows, wantBytes uint64) {
	r.t.Helper()
	n, bytes, err := r.Stat(r.t.Context(), view, version)
	if n != wantRows || bytes != wantBytes || err != nil {
		r.t.Errorf("Stat(view %d, version %d) = %d, %d, %v, want %d rows, %d bytes", view, version, n, bytes, err, wantRows, wantBytes)
	}
}

func testFold(t *testing.T, r *rows) {
	v := func(version feature.Version, eventTime int64) feature.Record {
		return record(version, eventTime, uint64(version), "row")
	}
	gone := func(version feature.Version, eventTime int64) feature.Record {
		return record(version, eventTime, uint64(version), "")
	}
	all := []feature.Version{1, 2, 3, 4, 5}
	for name, tc := range map[string]struct {
		chain   []feature.Record
		floor   feature.Version
		dead    []feature.Version
		touched []feature.Version
		want    []feature.Record
	}{
		"newest at or below the floor":      {[]feature.Record{v(1, 1), v(2, 2), v(3, 3), v(4, 4)}, 3, nil, all, []feature.Record{v(3, 3), v(4, 4)}},
		"newest by event time, not version": {[]feature.Record{v(1, 9), v(2, 2), v(3, 3)}, 3, nil, all, []feature.Record{v(1, 9)}},
		"equal event times, by version":     {[]feature.Record{v(1, 5), v(2, 5)}, 2, nil, all, []feature.Record{v(2, 5)}},
		"dead ones go":                      {[]feature.Record{v(1, 1), v(2, 9)}, 3, []feature.Version{2}, all, []feature.Record{v(1, 1)}},
		"only dead ones":                    {[]feature.Record{v(2, 9), v(3, 3)}, 3, []feature.Version{2, 3}, all, nil},
		"dead above the floor stays":        {[]feature.Record{v(1, 1), v(4, 9)}, 3, []feature.Version{4}, all, []feature.Record{v(1, 1), v(4, 9)}},
		"deletion with nothing above":       {[]feature.Record{v(1, 1), gone(2, 2)}, 3, nil, all, nil},
		"deletion with a record above":      {[]feature.Record{v(1, 1), gone(2, 2), v(4, 1)}, 3, nil, all, []feature.Record{gone(2, 2), v(4, 1)}},
		"older deletion":                    {[]feature.Record{gone(1, 1), v(2, 2)}, 3, nil, all, []feature.Record{v(2, 2)}},
		"dead deletion":                     {[]feature.Record{v(1, 1), gone(2, 2)}, 3, []feature.Version{2}, all, []feature.Record{v(1, 1)}},
		"deletion above":                    {[]feature.Record{v(1, 1), gone(4, 2)}, 3, nil, all, []feature.Record{v(1, 1), gone(4, 2)}},
		"event times before 1970":           {[]feature.Record{v(1, -5), v(2, -7), v(3, -9)}, 3, nil, all, []feature.Record{v(1, -5)}},
		"event times on both sides of 1970": {[]feature.Record{v(1, 1), v(2, -1)}, 2, nil, all, []feature.Record{v(1, 1)}},
		"event times that differ by 1 ns":   {[]feature.Record{v(1, 1<<62+1), v(2, 1<<62)}, 2, nil, all, []feature.Record{v(1, 1<<62+1)}},
		"floor 0":                           {[]feature.Record{v(1, 1), v(2, 2)}, 0, nil, all, []feature.Record{v(1, 1), v(2, 2)}},
		"touched by another version alone":  {[]feature.Record{v(1, 1), v(2, 2)}, 3, nil, []feature.Version{3}, []feature.Record{v(1, 1), v(2, 2)}},
		"touched from above the floor":      {[]feature.Record{v(1, 1), v(2, 2), v(4, 4)}, 3, nil, []feature.Version{4}, []feature.Record{v(2, 2), v(4, 4)}},
	} {
		t.Run(name, func(t *testing.T) {
			view := feature.ViewID(len(name)*1000 + int(name[0]) + int(name[len(name)-1]))
			for _, x := range tc.chain {
				r.stage(view, x.Version, row("k", x))
			}
			for _, want := range []int{len(tc.chain) - len(tc.want), 0} {
				if n, err := r.Fold(t.Context(), view, tc.floor, tc.dead, tc.touched); n != want || err != nil {
					t.Errorf("Fold(floor %d, dead %v, touched %v) = %d, %v, want %d removed", tc.floor, tc.dead, tc.touched, n, err, want)
				}
			}
			r.want(view, "k", tc.want...)
			for v := feature.Version(1); v <= 5; v++ {
				has := slices.ContainsFunc(tc.want, func(x feature.Record) bool { return x.Version == v })
				if n, _, err := r.Stat(t.Context(), view, v); n > 0 != has || err != nil {
					t.Errorf("Stat(%d) = %d rows, %v, want any: %t", v, n, err, has)
				}
			}
		})
	}
}

func testFoldTouched(t *testing.T, r *rows) {
	for v := feature.Version(1); v <= 3; v++ {
		r.stage(1, v, row("all", record(v, int64(v), 1, "x")))
	}
	r.stage(1, 1, row("early", record(1, 1, 1, "x")))
	r.stage(1, 2, row("early", record(2, 2, 1, "x")))
	if n, err := r.Fold(t.Context(), 1, 3, nil, []feature.Version{3}); n != 2 || err != nil {
		t.Errorf("Fold = %d, %v, want 2 removed", n, err)
	}
	r.want(1, "all", record(3, 3, 1, "x"))
	r.want(1, "early", record(1, 1, 1, "x"), record(2, 2, 1, "x"))
}

// testConcurrentStage: in every round several writers stage the same new keys at
// once, each with other sequence numbers; the greatest must stay.
func testConcurrentStage(t *testing.T, r *rows) {
	const writers, keys, rounds = 4, 20, 100
	for round := range rounds {
		group, ctx := errgroup.WithContext(t.Context())
		for w := range writers {
			var staged []feature.Row
			for k := range keys {
				seq := uint64((w + k) % writers)
				staged = append(staged, row(feature.Key(fmt.Sprint(round, k)), record(1, 5, seq, fmt.Sprint(seq))))
			}
			group.Go(func() error {
				_, err := r.Stage(ctx, 1, 1, staged)
				return err
			})
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
		for k := range keys {
			r.want(1, feature.Key(fmt.Sprint(round, k)), record(1, 5, writers-1, fmt.Sprint(writers-1)))
		}
	}
	if n, _, err := r.Stat(t.Context(), 1, 1); n != rounds*keys || err != nil {
		t.Errorf("Stat = %d rows, %v, want %d", n, err, rounds*keys)
	}
}

// testConcurrentRead checks that a reader of a visible version always finds its
// rows, whatever is staged, dropped and folded meanwhile.
func testConcurrentRead(t *testing.T, r *rows) {
	const keys = 30
	var all []feature.Key
	var base []feature.Row
	for k := range keys {
		all = append(all, feature.Key(fmt.Sprint(k)))
		base = append(base, row(all[k], record(1, 1, uint64(k), fmt.Sprint("base ", k))))
	}
	r.stage(1, 1, base...)
	vector := feature.Vector{Floor: 1}
	done := make(chan struct{})
	group, ctx := errgroup.WithContext(t.Context())
	group.Go(func() error {
		defer close(done)
		for v := feature.Version(2); v < 40; v++ {
			if _, err := r.Stage(ctx, 1, v, base); err != nil {
				return err
			}
			if _, err := r.Drop(ctx, 1, v); err != nil {
				return err
			}
			if _, err := r.Fold(ctx, 1, 1, nil, []feature.Version{1, v}); err != nil {
				return err
			}
		}
		return nil
	})
	for range 2 {
		group.Go(func() error {
			var dst [][]feature.Record
			var err error
			for ended := false; !ended; {
				select {
				case <-done:
					ended = true
				default:
				}
				if dst, err = r.Read(ctx, 1, all, dst); err != nil {
					return err
				}
				for k := range all {
					if x, ok := vector.Resolve(dst[k]); !ok || string(x.Row) != fmt.Sprint("base ", k) {
						return fmt.Errorf("key %d read %s", k, showChain(dst[k]))
					}
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
}

// testMany goes beyond one batch of whatever a store writes at once.
func testMany(t *testing.T, r *rows) {
	const n = 12_000
	staged := make([]feature.Row, n)
	for v := feature.Version(1); v <= 2; v++ {
		for i := range staged {
			staged[i] = row(feature.Key(fmt.Sprintf("entity-%06d", i)), record(v, int64(v), uint64(i), strings.Repeat("v", 40)))
		}
		r.stage(1, v, staged...)
	}
	if removed, err := r.Fold(t.Context(), 1, 2, nil, []feature.Version{2}); removed != n || err != nil {
		t.Errorf("Fold = %d, %v, want %d removed", removed, err, n)
	}
	if got, _, err := r.Stat(t.Context(), 1, 1); got != 0 || err != nil {
		t.Errorf("Stat(1) = %d rows, %v, want none", got, err)
	}
	if dropped, err := r.Drop(t.Context(), 1, 2); dropped != n || err != nil {
		t.Errorf("Drop(2) = %d, %v, want %d", dropped, err, n)
	}
	r.want(1, "entity-000000")
}

func testRowsRestart(t *testing.T, r *rows) {
	r.stage(7, 1, row("a", record(1, 1, 1, "first")), row("b", record(1, 1, 2, "")))
	r.stage(7, 2, row("a", record(2, 2, 3, "second")))
	if err := r.Sync(t.Context()); err != nil {
		t.Fatalf("Sync() = %v", err)
	}
	r.reopen()
	r.want(7, "a", record(1, 1, 1, "first"), record(2, 2, 3, "second"))
	r.want(7, "b", record(1, 1, 2, ""))
	r.stage(7, 1, row("a", record(1, 0, 9, "late"))) // older than what is stored
	if n, err := r.Drop(t.Context(), 7, 2); n != 1 || err != nil {
		t.Errorf("Drop(2) = %d, %v, want 1", n, err)
	}
	r.reopen()
	r.want(7, "a", record(1, 1, 1, "first"))
}

func testRowsContext(t *testing.T, r *rows) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Stage(ctx, 1, 1, []feature.Row{row("a", record(1, 1, 1, "x"))}); !errors.Is(err, context.Canceled) {
		t.Errorf("Stage with an ended context = %v, want %v", err, context.Canceled)
	}
	if _, err := r.Read(ctx, 1, []feature.Key{"a"}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Read with an ended context = %v, want %v", err, context.Canceled)
	}
	r.want(1, "a")
}
