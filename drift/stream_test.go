package drift

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"sluice/feature"
	"sluice/quality/sketch"
)

// family is a kind of stable column: every draw is independent of the window.
type family struct {
	name string
	typ  feature.Type
	draw func(r *rand.Rand) feature.Value
}

var families = []family{
	{"normal", feature.Float64, func(r *rand.Rand) feature.Value { return feature.Float64Value(10 + 2*r.NormFloat64()) }},
	{"lognormal", feature.Float64, func(r *rand.Rand) feature.Value { return feature.Float64Value(math.Exp(1.5 * r.NormFloat64())) }},
	{"poisson", feature.Int64, func(r *rand.Rand) feature.Value { return feature.Int64Value(poisson(r, 4)) }},
	{"zero_inflated", feature.Float64, func(r *rand.Rand) feature.Value {
		if r.Float64() < 0.7 {
			return feature.Float64Value(0)
		}
		return feature.Float64Value(r.ExpFloat64())
	}},
	{"few_nulls", feature.Float64, func(r *rand.Rand) feature.Value {
		if r.Float64() < 0.01 {
			return feature.Null
		}
		return feature.Float64Value(r.NormFloat64())
	}},
	{"five_values", feature.String, func(r *rand.Rand) feature.Value {
		return feature.StringValue([]string{"a", "a", "a", "b", "b", "c", "d", "e"}[r.IntN(8)])
	}},
	{"many_values", feature.String, func(r *rand.Rand) feature.Value { return feature.StringValue(zipf(r)) }},
	{"flag", feature.Bool, func(r *rand.Rand) feature.Value { return feature.BoolValue(r.Float64() < 0.1) }},
}

func poisson(r *rand.Rand, mean float64) int64 {
	k, p := int64(0), r.Float64()
	for limit := math.Exp(-mean); p > limit; k++ {
		p *= r.Float64()
	}
	return k
}

// zipf draws one of 2,000 values with share about 1/rank.
func zipf(r *rand.Rand) string {
	rank := int(math.Exp(r.Float64()*math.Log(2001))) - 1
	return fmt.Sprintf("v%d", rank)
}

// randSource shortens the signatures of draws.
type randSource = rand.Rand

var epoch = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

// stream makes windows of a view and profiles them as the tap does.
type stream struct {
	from   int // index of the window that is called the first, counted from midnight
	view   *feature.View
	layout *sketch.Layout
	key    sketch.HashKey
	rng    *rand.Rand
	rows   int
	offset int64
	begin  func(index int) // of a window, if not nil
	draw   func(r *rand.Rand, values []feature.Value)
}

func newStream(seed uint64, rows int, features []feature.Feature, draw func(r *rand.Rand, values []feature.Value)) *stream {
	view := &feature.View{Name: "stream", Features: features, Window: feature.WindowSpec{Size: time.Hour}}
	for i := range view.Features {
		view.Features[i].ID = uint32(i + 1)
	}
	return &stream{view: view, layout: sketch.Unbinned(view), key: sketch.HashKey{1, 2, 3}, rng: rand.New(rand.NewPCG(seed, 9)), rows: rows, draw: draw}
}

// familyStream has copies features of every family.
func familyStream(seed uint64, rows, copies int) *stream {
	var features []feature.Feature
	for c := range copies {
		for _, f := range families {
			features = append(features, feature.Feature{Name: fmt.Sprintf("%s_%d", f.name, c), Type: f.typ})
		}
	}
	return newStream(seed, rows, features, func(r *rand.Rand, values []feature.Value) {
		for i := range values {
			values[i] = families[i%len(families)].draw(r)
		}
	})
}

// window profiles the window at index; change, if not nil, spoils each row.
func (s *stream) window(index int, change func(values []feature.Value)) WindowProfile {
	index += s.from
	w := s.view.Window.Starting(epoch.Add(time.Duration(index) * s.view.Window.Size))
	p := sketch.NewProfile(s.view, s.layout, s.key)
	values := make([]feature.Value, len(s.view.Features))
	if s.begin != nil {
		s.begin(index)
	}
	for range s.rows {
		s.draw(s.rng, values)
		if change != nil {
			change(values)
		}
		s.offset++
		p.Add(&feature.Write{View: s.view, EventTime: w.Start, Values: values, Topic: "t", Offset: s.offset, EventID: fmt.Sprint(s.offset)})
	}
	return WindowProfile{Window: w, Profile: p}
}

// pin builds the layout from windows of their own, as the platform does at its
// second layout.
func (s *stream) pin(t testing.TB, windows int) {
	t.Helper()
	profiles := make([]*sketch.Profile, windows)
	for i := range profiles {
		profiles[i] = s.window(i-windows, nil).Profile
	}
	layout, err := sketch.BuildLayout(s.view, profiles...)
	if err != nil {
		t.Fatal(err)
	}
	s.layout = layout
}

// history profiles n windows from index 0, and their merge.
func (s *stream) history(t testing.TB, n int) ([]WindowProfile, *sketch.Profile) {
	t.Helper()
	windows := make([]WindowProfile, n)
	for i := range windows {
		windows[i] = s.window(i, nil)
	}
	all, err := merge(s.view, s.layout, windows)
	if err != nil {
		t.Fatal(err)
	}
	return windows, all
}

// learned is a stream with its reference.
type learned struct {
	*stream
	reference *Reference
	baseline  *sketch.Profile
	history   []WindowProfile
}

func learn(t testing.TB, s *stream, windows int) learned {
	t.Helper()
	s.pin(t, MinWindows)
	history, baseline := s.history(t, windows)
	reference, err := BuildReference(s.view, s.layout, history)
	if err != nil {
		t.Fatal(err)
	}
	return learned{s, reference, baseline, history}
}

func (l learned) score(t testing.TB, level float64, current ...WindowProfile) []feature.Score {
	t.Helper()
	scores, err := l.reference.Score(l.view, l.layout, current, l.baseline, level)
	if err != nil {
		t.Fatal(err)
	}
	return scores
}
