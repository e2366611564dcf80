package placement_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sluice/feature"
	"sluice/store/embedded"
	"sluice/store/memory"
	"sluice/store/placement"
	"sluice/store/storetest"
)

// TestRows runs the suite over two stores, with every other view in each.
func TestRows(t *testing.T) {
	storetest.Rows(t, func(t testing.TB, dir string) storetest.RowStore {
		return alternating(t, folder(filepath.Join(dir, "a")), folder(filepath.Join(dir, "b")))
	})
}

func folder(path string) placement.OpenFunc {
	return func(context.Context) (placement.Store, error) {
		return embedded.Open(embedded.Options{Path: path, Sync: true})
	}
}

// alternating opens two stores and puts views of odd numbers in the second.
func alternating(t testing.TB, first, second placement.OpenFunc) *placement.Stores {
	t.Helper()
	var s *placement.Stores
	s, err := placement.Open(context.Background(), placement.Options{
		Default: first, Named: map[string]placement.OpenFunc{"critical": second},
		Refresh: func(_ context.Context, view feature.ViewID) error {
			s.Place(map[feature.ViewID]string{view: []string{"", "critical"}[view%2]})
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// store is a store in memory whose calls a test can hold up or fail.
type store struct {
	memory.Store
	mu     sync.Mutex
	fail   error
	calls  []string
	owned  map[string]int64
	lost   bool
	rewind int64
	expiry map[feature.ViewID]time.Duration
}

func (s *store) call(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, name)
	return s.fail
}

func (s *store) made(name string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.calls {
		if c == name {
			n++
		}
	}
	return n
}

func (s *store) fails(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = err
}

func (s *store) Read(ctx context.Context, view feature.ViewID, keys []feature.Key, dst [][]feature.Record) ([][]feature.Record, error) {
	if err := s.call("read"); err != nil {
		return dst, err
	}
	return s.Store.Read(ctx, view, keys, dst)
}

func (s *store) Stage(ctx context.Context, view feature.ViewID, version feature.Version, rows []feature.Row) (uint64, error) {
	if err := s.call("stage"); err != nil {
		return 0, err
	}
	return s.Store.Stage(ctx, view, version, rows)
}

func (s *store) Sync(context.Context) error { return s.call("sync") }

func (s *store) Own(name string, offset int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owned == nil {
		s.owned = map[string]int64{}
	}
	s.owned[name] = offset
}

func (s *store) Disown(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.owned, name)
}

func (s *store) StageMarked(ctx context.Context, view feature.ViewID, version feature.Version, rows []feature.Row, _ string, _ int64) (uint64, error) {
	return s.Stage(ctx, view, version, rows)
}

func (s *store) Lost(_ context.Context, _ string, acknowledged int64) (int64, bool, error) {
	if err := s.call("lost"); err != nil {
		return acknowledged, false, err
	}
	if s.lost {
		return s.rewind, true, nil
	}
	return acknowledged, false, nil
}

func (s *store) SetExpiry(view feature.ViewID, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.expiry == nil {
		s.expiry = map[feature.ViewID]time.Duration{}
	}
	s.expiry[view] = d
}

func is(s *store) placement.OpenFunc {
	return func(context.Context) (placement.Store, error) { return s, nil }
}

const first, critical = feature.ViewID(1), feature.ViewID(2) // of the stores default and critical

// two opens stores default and critical in memory, with a view in each.
func two(t *testing.T, reg prometheus.Registerer) (s *placement.Stores, a, b *store) {
	t.Helper()
	a, b = &store{}, &store{}
	s, err := placement.Open(t.Context(), placement.Options{Default: is(a), Named: map[string]placement.OpenFunc{"critical": is(b)}, Registerer: reg})
	if err != nil {
		t.Fatal(err)
	}
	s.Place(map[feature.ViewID]string{first: "", critical: "critical"})
	return s, a, b
}

func rows(text string) []feature.Row {
	return []feature.Row{{Key: "k", Record: feature.Record{EventTime: 1, Row: []byte(text)}}}
}

func TestViewsAreWhereTheyArePlaced(t *testing.T) {
	s, a, b := two(t, nil)
	for _, view := range []feature.ViewID{first, critical} {
		if _, err := s.Stage(t.Context(), view, 1, rows(fmt.Sprint("of ", view))); err != nil {
			t.Fatal(err)
		}
	}
	for view, want := range map[feature.ViewID][2]int{first: {1, 0}, critical: {0, 1}} {
		for i, in := range []*store{a, b} {
			if n, _, err := in.Stat(t.Context(), view, 1); int(n) != want[i] || err != nil {
				t.Errorf("store %d has %d rows of view %d (%v), want %d", i, n, view, err, want[i])
			}
		}
	}
	if got := []string{s.Where(first), s.Where(critical), s.Where(9)}; !slices.Equal(got, []string{"default", "critical", ""}) {
		t.Errorf("Where = %q", got)
	}
}

// TestNowhere: a view that nothing places, or that is in a store that is not there, is
// an error of its own keys, and reaches no store.
func TestNowhere(t *testing.T) {
	s, a, b := two(t, nil)
	s.Place(map[feature.ViewID]string{3: "archive"})
	for view, want := range map[feature.ViewID]error{3: placement.ErrUnknown, 4: placement.ErrUnplaced} {
		chains, err := s.Read(t.Context(), view, []feature.Key{"a", "b"}, nil)
		var partial interface {
			Missing() []int
			Lagging() []int
		}
		if !errors.Is(err, want) || len(chains) != 2 || !errors.As(err, &partial) || !slices.Equal(partial.Missing(), []int{0, 1}) || partial.Lagging() != nil {
			t.Errorf("Read of view %d = %v, %v, want two empty chains and %v of both", view, chains, err, want)
		}
		if _, err := s.Stage(t.Context(), view, 1, rows("x")); !errors.Is(err, want) {
			t.Errorf("Stage of view %d = %v, want %v", view, err, want)
		}
		if _, err := s.Drop(t.Context(), view, 1); !errors.Is(err, want) {
			t.Errorf("Drop of view %d = %v, want %v", view, err, want)
		}
		if _, err := s.Fold(t.Context(), view, 1, nil, nil); !errors.Is(err, want) {
			t.Errorf("Fold of view %d = %v, want %v", view, err, want)
		}
	}
	if n := a.made("stage") + b.made("stage"); n != 2 { // the claims
		t.Errorf("%d stages, want those of the stores' names alone", n)
	}
	s.Place(map[feature.ViewID]string{3: "critical", 4: ""})
	for _, view := range []feature.ViewID{3, 4} {
		if _, err := s.Stage(t.Context(), view, 1, rows("x")); err != nil {
			t.Errorf("Stage of view %d once it is placed = %v", view, err)
		}
	}
}

// TestSwapped: stores that are opened under each other's names are refused.
func TestSwapped(t *testing.T) {
	_, a, b := two(t, nil)
	_, err := placement.Open(t.Context(), placement.Options{Default: is(b), Named: map[string]placement.OpenFunc{"critical": is(a)}})
	if !errors.Is(err, placement.ErrSwapped) || !strings.Contains(err.Error(), `"critical"`) {
		t.Errorf("Open of swapped stores = %v, want %v", err, placement.ErrSwapped)
	}
	same := &store{}
	_, err = placement.Open(t.Context(), placement.Options{Default: is(same), Named: map[string]placement.OpenFunc{"critical": is(same)}})
	if !errors.Is(err, placement.ErrSwapped) {
		t.Errorf("Open of one store under two names = %v, want %v", err, placement.ErrSwapped)
	}
	if _, err = placement.Open(t.Context(), placement.Options{Default: is(a), Named: map[string]placement.OpenFunc{"critical": is(b)}}); err != nil {
		t.Errorf("Open as before = %v", err)
	}
}

// TestOpenLater: a named store that cannot be opened leaves the default one alone, and
// knows what the others were told once it is there.
func TestOpenLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := &store{}, &store{}
		var there atomic.Bool
		s, err := placement.Open(t.Context(), placement.Options{Default: is(a), Named: map[string]placement.OpenFunc{"critical": func(context.Context) (placement.Store, error) {
			if !there.Load() {
				return nil, errors.New("connection refused")
			}
			return b, nil
		}}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		s.Place(map[feature.ViewID]string{first: "", critical: "critical"})
		s.SetExpiry(critical, time.Hour)
		s.Own("writes/0", 7)
		s.Own("writes/1", 8)
		s.Disown("writes/1")
		if _, err := s.Stage(t.Context(), first, 1, rows("x")); err != nil {
			t.Errorf("Stage in the default store = %v", err)
		}
		if _, err := s.Stage(t.Context(), critical, 1, rows("x")); !errors.Is(err, placement.ErrClosed) || !strings.Contains(err.Error(), "critical") {
			t.Errorf("Stage in a store that is not open = %v, want %v", err, placement.ErrClosed)
		}
		if err := s.Check(t.Context(), "critical"); !errors.Is(err, placement.ErrClosed) {
			t.Errorf("Check = %v, want %v", err, placement.ErrClosed)
		}
		there.Store(true)
		time.Sleep(2 * time.Second) // of the bubble's clock
		synctest.Wait()
		if _, err := s.StageMarked(t.Context(), critical, 1, rows("x"), "writes/0", 7); err != nil {
			t.Errorf("Stage once it is open = %v", err)
		}
		if err := s.Check(t.Context(), "critical"); err != nil {
			t.Errorf("Check once it is open = %v", err)
		}
		if len(b.owned) != 1 || b.owned["writes/0"] != 7 || b.expiry[critical] != time.Hour {
			t.Errorf("the store was told of %v and %v, want writes/0 at 7 and an hour", b.owned, b.expiry)
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

// guarded is a store that is looked after.
type guarded struct {
	store
	guarded atomic.Int32
}

func (g *guarded) Guard(ctx context.Context) {
	g.guarded.Add(1)
	defer g.guarded.Add(-1)
	<-ctx.Done()
}

// TestGuard wants every store looked after that can be, from when it is open until the
// context ends, and no return before that though there are others.
func TestGuard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := &store{}, &guarded{}
		var there atomic.Bool
		s, err := placement.Open(t.Context(), placement.Options{Default: is(a), Named: map[string]placement.OpenFunc{"critical": func(context.Context) (placement.Store, error) {
			if !there.Load() {
				return nil, errors.New("connection refused")
			}
			return b, nil
		}}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		running, looking := make(chan error, 1), make(chan struct{})
		go func() { running <- s.Run(ctx) }()
		go func() { defer close(looking); s.Guard(ctx) }()
		for _, open := range []bool{false, true} {
			there.Store(open)
			time.Sleep(3 * time.Second) // of the bubble's clock
			synctest.Wait()
			if got := b.guarded.Load() == 1; got != open {
				t.Errorf("open is %t, looked after %t", open, got)
			}
			select {
			case <-looking:
				t.Fatal("Guard has returned before its context ended")
			default:
			}
		}
		cancel()
		<-looking
		if err := <-running; err != nil || b.guarded.Load() != 0 {
			t.Errorf("after the end: %v, looked after %d times, want nil and 0", err, b.guarded.Load())
		}
	})
}

// TestSilentStoreRests: a store that gave no answer to a write is not asked again for a
// while, so that those who work for all views get on; reads of it go on, and other
// errors change nothing.
func TestSilentStoreRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewRegistry()
		s, a, b := two(t, reg)
		b.fails(errors.New("no such command"))
		for range 3 {
			if _, err := s.Stage(t.Context(), critical, 1, rows("x")); err == nil || errors.Is(err, placement.ErrResting) {
				t.Fatalf("Stage = %v, want the store's own error", err)
			}
		}
		b.fails(context.DeadlineExceeded)
		asked := b.made("stage")
		for i := range 3 {
			if _, err := s.Stage(t.Context(), critical, 1, rows("x")); errors.Is(err, placement.ErrResting) != (i > 0) || err == nil {
				t.Errorf("Stage %d = %v", i, err)
			}
		}
		if n := b.made("stage") - asked; n != 1 {
			t.Errorf("the silent store was asked %d times, want once", n)
		}
		if _, err := s.Identity(t.Context(), critical); !errors.Is(err, placement.ErrResting) {
			t.Errorf("Identity = %v, want %v", err, placement.ErrResting)
		}
		reads := b.made("read")
		if _, err := s.Read(t.Context(), critical, []feature.Key{"k"}, nil); !errors.Is(err, context.DeadlineExceeded) || b.made("read") != reads+1 {
			t.Errorf("Read = %v, want the store to be asked", err)
		}
		for range 3 {
			if _, err := s.Stage(t.Context(), first, 1, rows("x")); err != nil {
				t.Errorf("Stage in the other store = %v", err)
			}
		}
		if err := s.Sync(t.Context()); err == nil || a.made("sync") != 1 {
			t.Errorf("Sync = %v, %d of the other store, want an error and one", err, a.made("sync"))
		}
		b.fails(nil)
		time.Sleep(6 * time.Second) // of the bubble's clock
		if _, err := s.Stage(t.Context(), critical, 1, rows("x")); err != nil {
			t.Errorf("Stage after the rest = %v", err)
		}
		for _, tc := range []struct {
			text string
			want float64
		}{{"write", 8}, {"read", 1}} {
			if got := errorsOf(t, reg, tc.text); got != tc.want {
				t.Errorf("%s errors = %v, want %v", tc.text, got, tc.want)
			}
		}
	})
}

// errorsOf returns the count of errors of store critical.
func errorsOf(t *testing.T, reg *prometheus.Registry, op string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			if f.GetName() == "sluice_online_store_errors_total" && labels["store"] == "critical" && labels["op"] == op {
				return m.GetCounter().GetValue()
			}
		}
	}
	t.Fatal("no such metric")
	return 0
}

// TestCallersDeadline: a caller that has no time left says nothing of the store.
func TestCallersDeadline(t *testing.T) {
	s, _, b := two(t, nil)
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	b.fails(context.DeadlineExceeded)
	if _, err := s.Stage(ctx, critical, 1, rows("x")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Stage = %v", err)
	}
	b.fails(nil)
	if _, err := s.Stage(t.Context(), critical, 1, rows("x")); err != nil {
		t.Errorf("Stage by another caller = %v", err)
	}
}

// TestSources: a source is bound to the stores that got rows of it, and no others.
func TestSources(t *testing.T) {
	s, a, b := two(t, nil)
	s.Own("writes/0", 0)
	s.Own("writes/1", 0)
	stage := func(view feature.ViewID, source string) {
		t.Helper()
		if _, err := s.StageMarked(t.Context(), view, 1, rows("x"), source, 1); err != nil {
			t.Fatal(err)
		}
	}
	stage(first, "writes/0")
	stage(critical, "writes/1")
	b.fails(errors.New("gone"))
	if err := s.SyncSource(t.Context(), "writes/0"); err != nil || a.made("sync") != 1 || b.made("sync") != 0 {
		t.Errorf("SyncSource = %v, %d and %d syncs, want one of the default store alone", err, a.made("sync"), b.made("sync"))
	}
	if rewind, lost, err := s.Lost(t.Context(), "writes/0", 10); rewind != 10 || lost || err != nil || b.made("lost") != 0 {
		t.Errorf("Lost = %d, %t, %v, %d asked of the other store", rewind, lost, err, b.made("lost"))
	}
	if err := s.SyncSource(t.Context(), "writes/1"); err == nil {
		t.Error("SyncSource of rows in the store that fails = nil")
	}
	if _, _, err := s.Lost(t.Context(), "writes/1", 10); err == nil {
		t.Error("Lost of rows in the store that fails = nil")
	}
	b.fails(nil)
	stage(critical, "writes/0")
	a.lost, a.rewind, b.lost, b.rewind = true, 5, true, 3
	if rewind, lost, err := s.Lost(t.Context(), "writes/0", 10); rewind != 3 || !lost || err != nil {
		t.Errorf("Lost in both = %d, %t, %v, want 3", rewind, lost, err)
	}
	if rewind, lost, err := s.Lost(t.Context(), "writes/1", 10); rewind != 3 || !lost || err != nil {
		t.Errorf("Lost in the other = %d, %t, %v, want 3", rewind, lost, err)
	}
}

// TestStatBeforeARestore: rows of a view that no definition has yet are counted wherever
// they are.
func TestStatBeforeARestore(t *testing.T) {
	s, a, b := two(t, nil)
	for _, in := range []*store{a, b} {
		if _, err := in.Stage(t.Context(), 9, 1, rows("x")); err != nil {
			t.Fatal(err)
		}
	}
	if n, _, err := s.Stat(t.Context(), 9, 1); n != 2 || err != nil {
		t.Errorf("Stat = %d, %v, want 2", n, err)
	}
}

// BenchmarkRead is what finding the store of a view costs a read.
func BenchmarkRead(b *testing.B) {
	plain := &memory.Store{}
	s, err := placement.Open(b.Context(), placement.Options{Default: func(context.Context) (placement.Store, error) { return plain, nil }, Registerer: prometheus.NewRegistry()})
	if err != nil {
		b.Fatal(err)
	}
	s.Place(map[feature.ViewID]string{1: ""})
	keys := []feature.Key{"k"}
	for name, in := range map[string]placement.Store{"placed=no": plain, "placed=yes": s} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var dst [][]feature.Record
			for b.Loop() {
				if dst, err = in.Read(b.Context(), 1, keys, dst); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// syncs is a store whose Sync gives out how it can be ended, and waits for that.
type syncs struct {
	store
	begun chan chan error
}

func (s *syncs) Sync(context.Context) error {
	end := make(chan error)
	s.begun <- end
	return <-end
}

// TestSyncOfOthers stages rows while another's Sync goes on: a Sync that comes behind them
// neither takes that one for its own, nor leaves the rows be once it has failed.
func TestSyncOfOthers(t *testing.T) {
	a := &syncs{begun: make(chan chan error)}
	s, err := placement.Open(t.Context(), placement.Options{Default: func(context.Context) (placement.Store, error) { return a, nil }})
	if err != nil {
		t.Fatal(err)
	}
	s.Place(map[feature.ViewID]string{first: ""})
	stage := func() {
		t.Helper()
		if _, err := s.Stage(t.Context(), first, 1, rows("x")); err != nil {
			t.Fatal(err)
		}
	}
	begin := func() (end func(error) error) {
		done := make(chan error, 1)
		go func() { done <- s.Sync(t.Context()) }()
		asked := <-a.begun // hangs if the store is not asked
		return func(how error) error {
			asked <- how
			return <-done
		}
	}
	full := errors.New("disk full")
	stage()
	other, mine := begin(), begin() // the rows are not durable yet, though one is at it
	stage()
	late := begin()
	if err := errors.Join(other(nil), mine(nil)); err != nil {
		t.Error(err)
	}
	if err := late(full); !errors.Is(err, full) {
		t.Errorf("Sync = %v, want %v", err, full)
	}
	if err := begin()(nil); err != nil { // what was staged last is owed
		t.Error(err)
	}
	if err := s.Sync(t.Context()); err != nil { // hangs if the store is asked though nothing is
		t.Error(err)
	}
}
