package court

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"sluice/drift"
	"sluice/feature"
	"sluice/internal/judge"
	"sluice/quality/sketch"
	"sluice/rules"
)

var (
	budgetWeeks  = flag.Int("budget.weeks", 1, "weeks of stable windows that TestBudgetHolds judges")
	budgetWobble = flag.Float64("budget.wobble", 0, "standard deviations of rows by which windows of TestBudgetHolds differ")
)

// stable are windows of ten features in which nothing ever changes, but for the wobble.
type stable struct {
	rng    *rand.Rand
	view   feature.View
	layout *sketch.Layout
	offset int64
}

func newStable(seed uint64) *stable {
	s := &stable{rng: rand.New(rand.NewPCG(seed, 8)), view: feature.View{ID: 1, Project: "bank", Name: "payments", Window: feature.WindowSpec{Size: 5 * time.Minute}}}
	for i := range 10 {
		f := feature.Feature{ID: uint32(i + 1), Name: fmt.Sprint("f", i), Type: feature.Float64}
		if i >= 6 {
			f.Type = feature.String
		}
		s.view.Features = append(s.view.Features, f)
	}
	s.layout = sketch.Unbinned(&s.view)
	return s
}

func (s *stable) window(n int) drift.WindowProfile {
	w := s.view.Window.Starting(time.Unix(0, 0).Add(time.Duration(n) * s.view.Window.Size))
	p := sketch.NewProfile(&s.view, s.layout, sketch.HashKey{7})
	var moves [6]float64
	for i := range moves {
		moves[i] = *budgetWobble * s.rng.NormFloat64()
	}
	values := make([]feature.Value, len(s.view.Features))
	for range 200 + s.rng.IntN(20) {
		for i := range values {
			switch {
			case i < 3:
				values[i] = feature.Float64Value(moves[i] + s.rng.NormFloat64())
			case i < 5:
				values[i] = feature.Float64Value(math.Exp(moves[i] + s.rng.NormFloat64()))
			case i == 5:
				values[i] = feature.Float64Value(float64(s.rng.IntN(12)))
			case i < 9:
				values[i] = feature.StringValue(string(rune('a' + min(s.rng.IntN(6), s.rng.IntN(6)))))
			default:
				values[i] = feature.StringValue(fmt.Sprint(int(math.Pow(1-s.rng.Float64(), -1.2))))
			}
			if i%4 == 1 && s.rng.IntN(100) == 0 {
				values[i] = feature.Null
			}
		}
		s.offset++
		p.Add(&feature.Write{View: &s.view, EventTime: w.Start, Values: values, Topic: "t", Offset: s.offset, EventID: fmt.Sprint(s.offset)})
	}
	return drift.WindowProfile{Window: w, Profile: p}
}

// TestBudgetHolds judges weeks of windows of five minutes in which nothing happens, at
// the level that a budget of one false alarm a week leaves: windows that warn or fail, those in
// a row as one incident, stay within it. Each hour takes the history as it is then.
func TestBudgetHolds(t *testing.T) {
	const kept, hour, week = 288, 12, 2016
	s := newStable(1)
	defs := &feature.Definitions{Project: "bank", AlertsPerWeek: 1, Views: []feature.View{s.view}}
	var samples []*sketch.Profile
	for n := range drift.MinWindows {
		samples = append(samples, s.window(n).Profile)
	}
	var err error
	if s.layout, err = sketch.BuildLayout(&s.view, samples...); err != nil {
		t.Fatal(err)
	}
	builder, history := judge.NewBuilder(), []drift.WindowProfile{}
	for n := range kept {
		history = append(history, s.window(drift.MinWindows+n))
	}
	var c *judge.Case
	incidents, blocks, alarmed := 0, 0, false
	for n := range week * *budgetWeeks {
		if n%hour == 0 {
			merged := sketch.NewProfile(&s.view, s.layout, sketch.HashKey{7})
			for _, w := range history {
				if err := merged.Merge(w.Profile); err != nil {
					t.Fatal(err)
				}
			}
			if c, err = builder.Case(judge.Evidence{Kind: judge.KindWindow, View: &s.view, Layout: s.layout, Current: history[:1], History: history, Baseline: merged,
				Rules: rules.Default(), Level: Level(BudgetLevel(defs, "bank"), len(history))}); err != nil {
				t.Fatal(err)
			}
		}
		w := s.window(drift.MinWindows + kept + n)
		c.Window, c.Current = w.Window, []drift.WindowProfile{w}
		v, err := judge.Judge(c)
		if err != nil {
			t.Fatal(err)
		}
		alarms := v.State != rules.Pass
		if alarms && !alarmed {
			incidents++
			t.Logf("window %d: %s: %s", n, v.State, v.Reasons[0].Text)
		}
		if v.State == rules.Fail {
			blocks++
		}
		if alarmed = alarms; !alarms {
			history = append(history[1:], w)
		}
	}
	t.Logf("%d incidents in %d weeks at level %.2g, %d windows blocked", incidents, *budgetWeeks, c.Level, blocks)
	weeks := float64(*budgetWeeks)
	if most := weeks + 3*math.Sqrt(weeks); float64(incidents) > most || blocks > 0 {
		t.Errorf("%d incidents in %v weeks (%d blocked), want at most %.1f where one a week is allowed", incidents, weeks, blocks, most)
	}
}
