package backup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"sluice/feature"
	"sluice/store/memory"
)

// records is a log in memory: the rows of each version and partition.
type records map[string][]feature.Row

func (l records) Rows(_ context.Context, _ *feature.View, version feature.Version, _ feature.Window, spans []feature.Span, fn func([]feature.Row) error) error {
	rows, ok := l[fmt.Sprintf("%d/%d", version, spans[0].Partition)]
	if !ok {
		return fmt.Errorf("partition %d: %w", spans[0].Partition, feature.ErrExpired)
	}
	batch := make([]feature.Row, 0, 3) // used again, as the real one is
	for _, r := range rows {
		if batch = append(batch, r); len(batch) == cap(batch) {
			if err := fn(batch); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	return fn(batch)
}

var view = &feature.View{ID: 7, Name: "v", Window: feature.WindowSpec{Size: time.Minute}}

// history is a random life of view: versions 1 to n in two partitions, some dead, the
// last ones above the floor. It returns the log, the versions, the vector, and the store
// as the gate would have left it.
func history(t *testing.T, seed uint64, n int) (records, []feature.VersionInfo, feature.Vector, *memory.Store) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 1))
	log, store := records{}, &memory.Store{}
	var versions []feature.VersionInfo
	vector := feature.Vector{Floor: feature.Version(n - 3)}
	var folded []feature.Version
	for v := feature.Version(1); v <= feature.Version(n); v++ {
		info := feature.VersionInfo{Version: v, Step: feature.StepSwept, State: feature.StateVisible, Window: view.Window.Starting(time.Unix(int64(v)*60, 0))}
		switch {
		case rng.IntN(4) == 0:
			info.State = feature.StateRejected
			if v <= vector.Floor {
				vector.Dead = append(vector.Dead, v)
			}
		case v > vector.Floor:
			info.Step = feature.StepDecided
			vector.Visible = append(vector.Visible, v)
		default:
			folded = append(folded, v)
		}
		for p := range int32(2) {
			var rows []feature.Row
			for range rng.IntN(30) {
				rows = append(rows, feature.Row{Key: feature.Key(fmt.Sprint(p, rng.IntN(12))), Record: feature.Record{
					Version: v, EventTime: int64(v)*60 + rng.Int64N(60), Seq: rng.Uint64N(1000), Deleted: rng.IntN(8) == 0,
				}})
			}
			log[fmt.Sprintf("%d/%d", v, p)] = rows
			info.Rows += uint64(len(rows))
			info.Spans = append(info.Spans, feature.Span{Topic: "t", Partition: p, First: int64(v) * 100, Last: int64(v)*100 + 99})
			if !info.State.Dead() {
				if _, err := store.Stage(t.Context(), view.ID, v, rows); err != nil {
					t.Fatal(err)
				}
			}
		}
		versions = append(versions, info)
	}
	if _, err := store.Fold(t.Context(), view.ID, vector.Floor, vector.Dead, folded); err != nil {
		t.Fatal(err)
	}
	return log, versions, vector, store
}

func chains(t *testing.T, s *memory.Store) map[string][]feature.Record {
	t.Helper()
	out := map[string][]feature.Record{}
	for p := range 2 {
		for k := range 12 {
			key := feature.Key(fmt.Sprint(p, k))
			got, err := s.Read(t.Context(), view.ID, []feature.Key{key}, nil)
			if err != nil {
				t.Fatal(err)
			}
			chain := map[feature.Version]feature.Record{}
			for _, r := range got[0] {
				chain[r.Version] = r
			}
			for v := feature.Version(0); v < 100; v++ {
				if r, ok := chain[v]; ok {
					r.Row = nil
					out[string(key)] = append(out[string(key)], r)
				}
			}
		}
	}
	return out
}

// A store that is filled from the log is the store that was lost.
func TestRestage(t *testing.T) {
	for seed := range uint64(40) {
		log, versions, vector, want := history(t, seed, 5+int(seed)%12)
		got := &memory.Store{}
		parts := Parts(view, versions, nil)
		done, err := Restage(t.Context(), log, got, Plan{Parts: parts, Vectors: map[feature.ViewID]feature.Vector{view.ID: vector}, Parallel: 1 + int(seed)%4})
		if err != nil || len(done.Lost) > 0 || len(done.Differences) > 0 || done.Parts != len(parts) {
			t.Fatalf("seed %d: Restage = %+v, %v, want all %d parts", seed, done, err, len(parts))
		}
		if a, b := chains(t, got), chains(t, want); !reflect.DeepEqual(a, b) {
			t.Fatalf("seed %d: the store holds\n%v\nwant\n%v", seed, a, b)
		}
	}
}

// Rows that rest in the log come to the store after a restore. What was deleted since does
// not show again then, although the deletion is certified.
func TestRestageKeepsWhatHidesTheLog(t *testing.T) {
	row := func(version feature.Version, at int64, deleted bool) []feature.Row {
		return []feature.Row{{Key: "a", Record: feature.Record{Version: version, EventTime: at, Deleted: deleted}}}
	}
	log := records{"1/0": row(1, 10, false), "3/0": row(3, 30, true)}
	span := []feature.Span{{Topic: "t", First: 0, Last: 9}}
	versions := []feature.VersionInfo{
		{Version: 1, Step: feature.StepSwept, State: feature.StateVisible, Spans: span},
		{Version: 2, Step: feature.StepSwept, State: feature.StateExpired, Spans: span}, // on the shelf
		{Version: 3, Step: feature.StepCertified, State: feature.StateVisible, Spans: span},
	}
	vector := feature.Vector{Floor: 3, Dead: []feature.Version{2}}
	plan := Plan{Parts: Parts(view, versions, nil), Vectors: map[feature.ViewID]feature.Vector{view.ID: vector}, Parallel: 2,
		Foldable: func(_ context.Context, of feature.ViewID, floor feature.Version) (feature.Version, error) {
			if of != view.ID || floor != vector.Floor {
				t.Errorf("asked of view %d with the floor %d, want %d and %d", of, floor, view.ID, vector.Floor)
			}
			return 2, nil
		}}
	store := &memory.Store{}
	if _, err := Restage(t.Context(), log, store, plan); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Stage(t.Context(), view.ID, 4, row(4, 20, false)); err != nil { // version 2, published from the log
		t.Fatal(err)
	}
	got, err := store.Read(t.Context(), view.ID, []feature.Key{"a"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	newest := slices.MaxFunc(got[0], func(a, b feature.Record) int { return cmp.Compare(a.EventTime, b.EventTime) })
	if !newest.Deleted {
		t.Errorf("the newest record is %+v, want the deletion: %+v", newest, got[0])
	}
	lost := errors.New("no answer")
	plan.Foldable = func(context.Context, feature.ViewID, feature.Version) (feature.Version, error) { return 0, lost }
	if _, err := Restage(t.Context(), log, store, plan); !errors.Is(err, lost) {
		t.Errorf("Restage = %v, want %v: nobody knows what may be folded", err, lost)
	}
}

func TestRestageNamesWhatIsLost(t *testing.T) {
	log, versions, vector, _ := history(t, 3, 8)
	parts := Parts(view, versions, nil)
	delete(log, fmt.Sprintf("%d/%d", parts[0].Version, parts[0].Span.Partition))
	parts[3].Gone = "the topic was made anew"
	last := len(parts) - 1
	key := fmt.Sprintf("%d/%d", parts[last].Version, parts[last].Span.Partition)
	log[key] = append(log[key], feature.Row{Key: "new", Record: feature.Record{Version: parts[last].Version}})
	done, err := Restage(t.Context(), log, &memory.Store{}, Plan{Parts: parts, Vectors: map[feature.ViewID]feature.Vector{view.ID: vector}, Parallel: 2})
	if err != nil || len(done.Lost) != 2 || done.Parts != len(parts)-2 {
		t.Fatalf("Restage = %+v, %v, want two parts lost", done, err)
	}
	if l := done.Lost[0]; l.Version != parts[0].Version || l.Partition != "t/0" || l.View != "v" || l.Reason == "" {
		t.Errorf("lost = %+v, want version %d of t/0", l, parts[0].Version)
	}
	if l := done.Lost[1]; l.Version != parts[3].Version || l.Reason != parts[3].Gone {
		t.Errorf("lost = %+v, want version %d, since %s", l, parts[3].Version, parts[3].Gone)
	}
	if len(done.Differences) != 1 || done.Differences[0].Version != parts[last].Version || done.Differences[0].Staged != done.Differences[0].Counted+1 {
		t.Errorf("differences = %+v, want a row more in version %d", done.Differences, parts[last].Version)
	}
}

// broken is a store that takes nothing.
type broken struct{ *memory.Store }

var errFull = errors.New("disk full")

func (broken) Stage(context.Context, feature.ViewID, feature.Version, []feature.Row) (uint64, error) {
	return 0, errFull
}

func TestRestageEnds(t *testing.T) {
	log, versions, _, _ := history(t, 4, 8)
	if _, err := Restage(t.Context(), log, broken{&memory.Store{}}, Plan{Parts: Parts(view, versions, nil), Parallel: 3}); !errors.Is(err, errFull) {
		t.Errorf("Restage into a full store = %v, want %v", err, errFull)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Restage(ctx, log, &memory.Store{}, Plan{Parts: Parts(view, versions, nil), Parallel: 3}); !errors.Is(err, context.Canceled) {
		t.Errorf("Restage after the end = %v, want %v", err, context.Canceled)
	}
}

func TestParts(t *testing.T) {
	span := func(p int32, first int64) feature.Span {
		return feature.Span{Topic: "t", Partition: p, First: first, Last: first + 9}
	}
	versions := []feature.VersionInfo{
		{Version: 1, Step: feature.StepSwept, State: feature.StateVisible, Spans: []feature.Span{span(0, 0), span(1, 0)}},
		{Version: 2, Step: feature.StepSwept, State: feature.StateRejected, Spans: []feature.Span{span(0, 10)}},
		{Version: 3, Step: feature.StepDecided, State: feature.StateHeld, Spans: []feature.Span{span(0, 20), span(1, -1)}},
		{Version: 4, Step: feature.StepSealed, State: feature.StateStaged, Spans: []feature.Span{span(0, 30)}},
		{Version: 5, Step: feature.StepOpen, State: feature.StateStaged},
	}
	open := []Open{{View: "v", Version: 4, Span: span(0, 30)}, {View: "v", Version: 5, Span: span(1, 40)}, {View: "v", Version: 6, Span: span(0, 50)}, {View: "other", Version: 5, Span: span(1, 40)}}
	var got []string
	for _, p := range Parts(view, versions, open) {
		got = append(got, fmt.Sprintf("%d/%d", p.Version, p.Span.Partition))
	}
	if want := []string{"1/0", "1/1", "3/0", "4/0", "5/1"}; !reflect.DeepEqual(got, want) {
		t.Errorf("Parts = %v, want %v: all that is not dead, once", got, want)
	}
}
