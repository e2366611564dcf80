package reconciliation

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"sluice/feature"
	"sluice/store/memory"
)

// world is a view with versions whose rows are known: the log and the registry of a test.
type world struct {
	t        *testing.T
	view     *feature.View
	store    memory.Store
	rows     map[feature.Version][]feature.Row
	versions []feature.VersionInfo
	vector   feature.Vector
	expired  map[feature.Version]bool
	mu       sync.Mutex
	reads    int
	reading  func(n int) // before the n-th read of the log
	damaged  map[feature.Key]bool
}

var errDamaged = errors.New("damaged")

func (w *world) Vector(context.Context, feature.ViewID) (feature.Vector, error) { return w.vector, nil }

func (w *world) Versions(context.Context, feature.ViewID, feature.Version, int) ([]feature.VersionInfo, error) {
	return slices.Clone(w.versions), nil
}

func (w *world) Rows(_ context.Context, _ *feature.View, version feature.Version, _ feature.Window, _ []feature.Span, fn func([]feature.Row) error) error {
	w.mu.Lock()
	w.reads++
	if w.reading != nil {
		w.reading(w.reads)
	}
	w.mu.Unlock()
	for batch := range slices.Chunk(w.rows[version], 7) {
		if err := fn(batch); err != nil {
			return err
		}
	}
	if w.expired[version] {
		return fmt.Errorf("offsets are gone: %w", feature.ErrExpired)
	}
	return nil
}

// damage is a store of which some entities cannot be read.
type damage struct {
	*memory.Store
	*world
}

func (d damage) Read(ctx context.Context, view feature.ViewID, keys []feature.Key, dst [][]feature.Record) ([][]feature.Record, error) {
	if slices.ContainsFunc(keys, func(key feature.Key) bool { return d.damaged[key] }) {
		return nil, fmt.Errorf("read: %w", errDamaged)
	}
	return d.Store.Read(ctx, view, keys, dst)
}

func (d damage) Correct(ctx context.Context, view feature.ViewID, version feature.Version, put []feature.Row, gone []feature.Key) error {
	for _, r := range put {
		delete(d.damaged, r.Key)
	}
	return d.Store.Correct(ctx, view, version, put, gone)
}

func (w *world) run(opts Options) (Result, error) {
	w.t.Helper()
	if opts.Listed == 0 {
		opts.Listed = 1000
	}
	opts.Now = time.Unix(2_000_000, 0)
	deps := Deps{Log: w, Rows: damage{&w.store, w}, Registry: w, Buckets: 8, Damaged: func(err error) bool { return errors.Is(err, errDamaged) }}
	deps.Bucket = func(key feature.Key) uint8 {
		h := fnv.New32a()
		h.Write([]byte(key))
		return uint8(h.Sum32() % 8)
	}
	return Run(w.t.Context(), deps, w.view, opts)
}

// newWorld draws versions 1 to n of rows of some entities, stages them, and certifies all
// but the last two, of which one is listed and one is not. Some are rejected.
func newWorld(t *testing.T, seed uint64, n int) (*world, *rand.Rand) {
	rng := rand.New(rand.NewPCG(seed, 1))
	view := &feature.View{ID: 7, Name: "v", Entities: []feature.Entity{{Name: "id", Type: feature.Int64}}}
	w := &world{t: t, view: view, rows: map[feature.Version][]feature.Row{}, expired: map[feature.Version]bool{}, damaged: map[feature.Key]bool{}}
	var dead, touched []feature.Version
	for v := feature.Version(1); v <= feature.Version(n); v++ {
		info := feature.VersionInfo{Version: v, Step: feature.StepDecided, State: feature.StateVisible, Window: feature.Window{End: time.Unix(0, 1000)}, Spans: []feature.Span{{Topic: "w", First: 0, Last: 9}}}
		switch {
		case v == feature.Version(n):
			info.State = feature.StateHeld
		case v < feature.Version(n)-1 && rng.IntN(4) == 0:
			info.State = feature.StateRejected
			dead = append(dead, v)
		case v < feature.Version(n)-1:
			touched = append(touched, v)
		}
		w.versions = append(w.versions, info)
		for range 40 {
			key, err := feature.NewKey(view, []feature.Value{feature.Int64Value(rng.Int64N(60))})
			if err != nil {
				t.Fatal(err)
			}
			r := feature.Record{Version: v, EventTime: rng.Int64N(1000), Seq: rng.Uint64N(100), Deleted: rng.IntN(10) == 0}
			if !r.Deleted {
				r.Row = fmt.Appendf(nil, "%d/%d", v, rng.IntN(1000))
			}
			w.rows[v] = append(w.rows[v], feature.Row{Key: key, Record: r})
		}
		w.versions[v-1].Rows = uint64(len(w.rows[v]))
		if _, err := w.store.Stage(t.Context(), view.ID, v, w.rows[v]); err != nil {
			t.Fatal(err)
		}
	}
	floor := feature.Version(n - 2)
	w.vector = feature.Vector{Generation: 5, Floor: floor, Visible: []feature.Version{floor + 1}, Dead: dead}
	if rng.IntN(2) == 0 {
		if _, err := w.store.Fold(t.Context(), view.ID, floor, dead, touched); err != nil {
			t.Fatal(err)
		}
	}
	return w, rng
}

// want returns what a reader gets by all rows there are.
func (w *world) want() map[feature.Key]feature.Record {
	all := map[feature.Key][]feature.Record{}
	for v, rows := range w.rows {
		for _, r := range rows {
			r.Record.Version = v
			all[r.Key] = append(all[r.Key], r.Record)
		}
	}
	want := map[feature.Key]feature.Record{}
	for key, chain := range all {
		if r, ok := w.vector.Resolve(chain); ok {
			want[key] = r
		}
	}
	return want
}

// wrong returns the entities of which a reader gets something else.
func (w *world) wrong() (keys []feature.Key) {
	w.t.Helper()
	want := w.want()
	for n := range int64(60) {
		key, err := feature.NewKey(w.view, []feature.Value{feature.Int64Value(n)})
		if err != nil {
			w.t.Fatal(err)
		}
		chains, err := w.store.Read(w.t.Context(), w.view.ID, []feature.Key{key}, nil)
		if err != nil {
			w.t.Fatal(err)
		}
		got, shown := w.vector.Resolve(chains[0])
		r, there := want[key]
		if shown != there || got.Version != r.Version || got.EventTime != r.EventTime || string(got.Row) != string(r.Row) || w.damaged[key] {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// plant makes readers get something else of one entity, if it can.
func (w *world) plant(rng *rand.Rand, key feature.Key, right feature.Record) {
	w.t.Helper()
	var err error
	other := right
	switch kind := rng.IntN(5); kind {
	case 0: // other bytes
		other.Row = append(slices.Clone(right.Row), 'x')
		err = w.store.Correct(w.t.Context(), w.view.ID, right.Version, []feature.Row{{Key: key, Record: other}}, nil)
	case 1: // gone
		err = w.store.Correct(w.t.Context(), w.view.ID, right.Version, nil, []feature.Key{key})
	case 2, 3: // one that nobody wrote, or a deletion, in a certified version
		if other.EventTime, other.Row = 2000, []byte("nobody's"); kind == 3 {
			other.Row, other.Deleted = nil, true
		}
		version := feature.Version(1)
		for slices.Contains(w.vector.Dead, version) {
			version++
		}
		_, err = w.store.Stage(w.t.Context(), w.view.ID, version, []feature.Row{{Key: key, Record: other}})
	case 4:
		w.damaged[key] = true
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// TestRun holds random histories against random faults: all that is wrong is found, by
// name, and nothing else; after a repair nothing is wrong but what is not certified.
func TestRun(t *testing.T) {
	found := map[Kind]int{}
	for seed := range uint64(200) {
		w, rng := newWorld(t, seed, 12)
		for _, held := range []int{0, 60} {
			r, err := w.run(Options{Held: held, Parallel: 4, Repair: true})
			if err != nil || r.Different != 0 || r.Entities != len(w.want()) || r.Same != r.Entities || r.Looks > 1+12*40/60 {
				t.Fatalf("seed %d: before anything is planted: %+v, %v, want %d entities", seed, r, err, len(w.want()))
			}
		}
		right := w.want()
		keys := slices.Sorted(maps.Keys(right))
		for _, n := range rng.Perm(len(keys))[:10] {
			w.plant(rng, keys[n], right[keys[n]])
		}
		wrong := w.wrong()
		r, err := w.run(Options{Parallel: 4})
		var names []feature.Key
		for _, d := range r.Differences {
			names = append(names, d.Key)
			found[d.Kind]++
		}
		slices.Sort(names)
		if err != nil || !slices.Equal(names, wrong) || r.Different != len(wrong) || r.Repaired != 0 || r.Same+r.Different < r.Entities {
			t.Fatalf("seed %d: found %q, %v, want %q", seed, names, err, wrong)
		}
		asked := 0
		r, err = w.run(Options{Repair: true, Before: func(context.Context, int) error { asked++; return nil }})
		left := w.wrong()
		if err != nil || asked != 1 || r.Different != len(wrong) || r.Different-r.Repaired != len(left) {
			t.Fatalf("seed %d: repair found %d, repaired %d, asked %d times, %v, want %d; %d are left", seed, r.Different, r.Repaired, asked, err, len(wrong), len(left))
		}
		for _, key := range left {
			if right[key].Version <= w.vector.Floor {
				t.Errorf("seed %d: %s is left, of certified version %d", seed, key.Text(w.view), right[key].Version)
			}
		}
		w.vector = w.vector.Raise(w.vector.Floor+1, nil) // and now they are
		w.vector.Generation++
		if r, err = w.run(Options{Repair: true}); err != nil || len(w.wrong()) > 0 || r.Different != r.Repaired {
			t.Fatalf("seed %d: in the end %+v, %v; wrong %q", seed, r, err, w.wrong())
		}
	}
	for _, kind := range []Kind{Missing, Other, Extra, Damaged} {
		if found[kind] < 50 {
			t.Errorf("kind %s was found %d times, want more to have been planted", kind, found[kind])
		}
	}
}

// TestMoving rolls the listed version back, and sweeps it, while the log is read: nothing
// is called different for that, and nothing of it is written again.
func TestMoving(t *testing.T) {
	for seed := range uint64(50) {
		w, _ := newWorld(t, seed, 12)
		listed := w.vector.Visible[0]
		w.reading = func(n int) {
			if n != 3 {
				return
			}
			w.vector, _ = w.vector.Without(listed)
			w.vector.Generation++
			w.versions[listed-1].State = feature.StateRolledBack
			if _, err := w.store.Drop(t.Context(), w.view.ID, listed); err != nil {
				t.Error(err)
			}
		}
		r, err := w.run(Options{Repair: true})
		rows, _, _ := w.store.Stat(t.Context(), w.view.ID, listed)
		if err != nil || r.Different != 0 || r.Same != r.Entities || rows != 0 || len(w.wrong()) > 0 {
			t.Fatalf("seed %d: %+v, %v, %d rows of the dead version", seed, r, err, rows)
		}
	}
}

// TestUncertified leaves a row of a version alone that may still be rolled back: once that is
// swept, what is written would stay, and show.
func TestUncertified(t *testing.T) {
	w, _ := newWorld(t, 2, 12)
	listed := w.vector.Visible[0]
	var key feature.Key
	for k, r := range w.want() {
		if r.Version == listed {
			key = k
		}
	}
	if err := w.store.Correct(t.Context(), w.view.ID, listed, nil, []feature.Key{key}); err != nil {
		t.Fatal(err)
	}
	before, _, _ := w.store.Stat(t.Context(), w.view.ID, listed)
	r, err := w.run(Options{Repair: true})
	after, _, _ := w.store.Stat(t.Context(), w.view.ID, listed)
	if err != nil || r.Different != 1 || r.Repaired != 0 || len(r.Differences) != 1 || r.Differences[0].Key != key || r.Differences[0].Repaired || after != before {
		t.Errorf("%+v, %v, version %d has %d rows, want %d, and one difference that is left", r, err, listed, after, before)
	}
}

// TestAlwaysMoving changes the view in every look.
func TestAlwaysMoving(t *testing.T) {
	w, _ := newWorld(t, 1, 12)
	right := w.want()
	key := slices.Min(slices.Collect(maps.Keys(right)))
	if err := w.store.Correct(t.Context(), w.view.ID, right[key].Version, nil, []feature.Key{key}); err != nil {
		t.Fatal(err)
	}
	w.reading = func(int) { w.vector.Generation++ }
	r, err := w.run(Options{Repair: true})
	if !errors.Is(err, ErrMoving) || r.Different != 1 || r.Repaired != 0 || len(w.wrong()) != 1 {
		t.Errorf("%+v, %v, want one that nothing could be said of", r, err)
	}
}

// TestUnread wants rows of versions that the log no longer holds counted, not called wrong,
// unless a newer row that it holds is missing.
func TestUnread(t *testing.T) {
	w, _ := newWorld(t, 3, 12)
	gone := w.vector.Visible[0]
	of := map[feature.Key]bool{}
	for _, r := range w.rows[gone] {
		of[r.Key] = true
	}
	w.rows[gone], w.expired[gone] = nil, true
	r, err := w.run(Options{})
	if err != nil || r.Different != 0 || r.Unread == 0 || r.Unread > len(of) || len(r.Unreadable) != 1 || r.Unreadable[0].Version != gone {
		t.Errorf("%+v, %v, want up to %d unread of version %d", r, err, len(of), gone)
	}
}

// TestDecidedOtherwise wants rows left as they are of a version of which the log, read by a
// definition that has changed, leaves some out: they were accepted.
func TestDecidedOtherwise(t *testing.T) {
	for _, n := range []int{-1, 1} { // a row less, and one more
		for seed := range uint64(20) {
			w, _ := newWorld(t, seed, 12)
			of := w.vector.Floor
			for slices.Contains(w.vector.Dead, of) {
				of--
			}
			before := w.want()
			if n < 0 {
				w.rows[of] = w.rows[of][1:]
			} else {
				w.rows[of] = append(w.rows[of], feature.Row{Key: w.rows[of][0].Key, Record: feature.Record{EventTime: 5000, Row: []byte("refused then")}})
			}
			r, err := w.run(Options{Repair: true})
			w.rows[of] = nil
			for key := range before {
				chains, readErr := w.store.Read(t.Context(), w.view.ID, []feature.Key{key}, nil)
				if got, ok := w.vector.Resolve(chains[0]); readErr != nil || !ok || got.Version != before[key].Version || string(got.Row) != string(before[key].Row) {
					t.Errorf("seed %d: %s reads %+v, %v, want %+v as before", seed, key.Text(w.view), got, readErr, before[key])
				}
			}
			if err != nil || r.Different != 0 || r.Unread == 0 || len(r.Unreadable) != 1 || r.Unreadable[0].Version != of {
				t.Errorf("seed %d: %+v, %v, want version %d unreadable and nothing different", seed, r, err, of)
			}
		}
	}
}

// TestNotNoted repairs nothing if that cannot be noted.
func TestNotNoted(t *testing.T) {
	w, _ := newWorld(t, 4, 12)
	right := w.want()
	for key, r := range right {
		if r.Version <= w.vector.Floor {
			if err := w.store.Correct(t.Context(), w.view.ID, r.Version, nil, []feature.Key{key}); err != nil {
				t.Fatal(err)
			}
		}
	}
	before, refused := w.wrong(), errors.New("no audit row")
	if r, err := w.run(Options{Repair: true, Before: func(context.Context, int) error { return refused }}); !errors.Is(err, refused) || r.Repaired != 0 || !slices.Equal(w.wrong(), before) {
		t.Errorf("%+v, %v, want nothing repaired", r, err)
	}
}
