package materialize

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"sluice/feature"
	"sluice/quality/sketch"
)

// row is a served row of amount value.
func (r *readers) row(key string, version feature.Version, at time.Time, value float64) feature.ServedRow {
	return feature.ServedRow{View: r.view.ID, Key: feature.Key(key), Version: version, EventTime: day0, At: at,
		Values: feature.AppendRow(nil, r.view, []feature.Value{feature.Float64Value(value)})}
}

func (r *readers) take(s *Sampler, rows ...feature.ServedRow) {
	r.t.Helper()
	if err := s.Take(r.t.Context(), rows); err != nil {
		r.t.Fatal(err)
	}
}

func (r *readers) profiles() []feature.ServedProfile {
	r.t.Helper()
	all, err := r.registry.Served(r.t.Context(), r.view.ID, time.Time{}, time.Time{})
	if err != nil {
		r.t.Fatal(err)
	}
	return all
}

// pinned is a world with a layout.
func pinned(t *testing.T) *readers {
	r := newReaders(t, 3)
	r.hour(0, func(int) bool { return false })
	return r
}

func TestSamplerCountsEntitiesOnce(t *testing.T) {
	r := pinned(t)
	now := r.window(5).Start
	for i := range 20 {
		r.take(r.sampler, r.row("hot", 1, now.Add(time.Duration(i)*time.Second), float64(i)))
	}
	r.take(r.sampler, r.row("cold", 2, now, 7), r.row("hot", 1, now, 100), r.row("next", 3, r.window(6).Start, 1),
		r.row("untimed", 1, time.Time{}, 1), feature.ServedRow{View: 99, Key: "other", At: now}, feature.ServedRow{View: r.view.ID, Key: "damaged", At: now, Values: []byte{1}})
	r.sampler.flush(t.Context(), r.window(5).End)
	all := r.profiles()
	if len(all) != 1 || all[0].Rows != 2 || !slices.Equal(all[0].Versions, []feature.Version{1, 2}) || !all[0].Window.Start.Equal(now) {
		t.Fatalf("stored %+v, want the window that is over with two entities of versions 1 and 2", all)
	}
	p, err := sketch.UnmarshalProfile(all[0].Profile, r.newest())
	if err != nil || p.Column(1).Max != 19 {
		t.Errorf("the profile's greatest value is %v, %v; want that of the row read last", p.Column(1).Max, err)
	}
	r.sampler.flush(t.Context(), time.Time{})
	if all := r.profiles(); len(all) != 2 {
		t.Errorf("%d profiles at the end of the process, want that of the open window as well", len(all))
	}
}

// TestSamplerTakesLateRows: rows that were read at the end of a window are handed over when
// it is stored already: they are added to what was, and do not take its place.
func TestSamplerTakesLateRows(t *testing.T) {
	r := pinned(t)
	for i := range 20 {
		r.take(r.sampler, r.row(fmt.Sprint(i), 1, r.window(5).Start, 1))
	}
	r.sampler.flush(t.Context(), r.window(5).End)
	r.take(r.sampler, r.row("late", 2, r.window(5).End.Add(-time.Millisecond), 1))
	r.sampler.flush(t.Context(), r.window(5).End.Add(time.Second))
	if all := r.profiles(); len(all) != 1 || all[0].Rows != 21 || !slices.Equal(all[0].Versions, []feature.Version{1, 2}) {
		t.Errorf("stored %+v, want one window with 21 entities of versions 1 and 2", all)
	}
}

// TestSamplerIsBounded gives it far more entities than it keeps: those kept are the
// same whatever their order.
func TestSamplerIsBounded(t *testing.T) {
	r := pinned(t)
	other := r.process("b")
	var rows []feature.ServedRow
	for i := range 5 * servedEntities {
		rows = append(rows, r.row(fmt.Sprint(i), 1, r.window(5).Start, float64(i)))
	}
	r.take(r.sampler, rows...)
	slices.Reverse(rows)
	r.take(other, rows...)
	for _, s := range []*Sampler{r.sampler, other} {
		for _, w := range s.windows {
			if len(w.rows) > 2*servedEntities {
				t.Errorf("%d entities in memory", len(w.rows))
			}
		}
		s.flush(t.Context(), r.window(5).End)
	}
	all := r.profiles()
	if len(all) != 2 || all[0].Rows != servedEntities || !slices.Equal(all[0].Profile, all[1].Profile) {
		t.Errorf("stored %d profiles of %d entities, equal: %v; want 2 equal ones of %d", len(all), all[0].Rows, slices.Equal(all[0].Profile, all[1].Profile), servedEntities)
	}
}

// refusing is a store that refuses some times.
type refusing struct {
	SamplerStore
	times int
}

func (s *refusing) PutServed(ctx context.Context, p feature.ServedProfile) error {
	if s.times--; s.times >= 0 {
		return errors.New("the registry is away")
	}
	return s.SamplerStore.PutServed(ctx, p)
}

func TestSamplerTriesAgain(t *testing.T) {
	r := pinned(t)
	r.sampler.deps.Store = &refusing{r.registry, 1}
	r.take(r.sampler, r.row("a", 1, r.window(5).Start, 1))
	for want := range 2 {
		r.sampler.flush(t.Context(), r.window(5).End)
		if got := len(r.profiles()); got != want {
			t.Fatalf("%d profiles after %d looks, want %d", got, want+1, want)
		}
	}
}

func TestSamplerWithoutLayoutOrView(t *testing.T) {
	r := newReaders(t, 4)
	r.take(r.sampler, r.row("a", 1, r.window(5).Start, 1))
	r.sampler.flush(t.Context(), r.window(5).End)
	r.take(r.sampler, r.row("a", 1, r.window(6).Start, 1))
	r.defs.Views = nil
	r.sampler.flush(t.Context(), r.window(6).End)
	if len(r.profiles())+len(r.sampler.windows) != 0 {
		t.Error("rows of a view without layout, or of none, are kept")
	}
}

// TestSamplerStoresAtTheEnd ends Run while a window is open.
func TestSamplerStoresAtTheEnd(t *testing.T) {
	r := pinned(t)
	r.take(r.sampler, r.row("a", 1, r.window(5).Start, 1))
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		r.clock.now = r.window(5).Start
		put := &counted{SamplerStore: r.registry}
		r.sampler.deps.Store = put
		ended := make(chan error, 1)
		go func() { ended <- r.sampler.Run(ctx) }()
		time.Sleep(10 * flushEvery) // of the bubble's clock
		synctest.Wait()
		if put.times != 0 {
			t.Error("an open window was stored")
		}
		cancel()
		if err := <-ended; err != nil || put.times != 1 {
			t.Errorf("Run = %v, %d profiles stored at its end, want 1", err, put.times)
		}
	})
}

// counted counts what is stored, and keeps nothing.
type counted struct {
	SamplerStore
	times int
}

func (s *counted) Vector(context.Context, feature.ViewID) (feature.Vector, error) {
	return feature.Vector{}, nil
}

func (s *counted) PutServed(context.Context, feature.ServedProfile) error {
	s.times++
	return nil
}

func TestServedSpec(t *testing.T) {
	for name, tc := range map[string]struct{ size, want time.Duration }{
		"short": {10 * time.Second, time.Minute}, "as the view's": {5 * time.Minute, 5 * time.Minute}, "long": {24 * time.Hour, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			if got := ServedSpec(&feature.View{Window: feature.WindowSpec{Size: tc.size}}).Size; got != tc.want {
				t.Errorf("windows of %s are read over %s, want %s", tc.size, got, tc.want)
			}
		})
	}
}
