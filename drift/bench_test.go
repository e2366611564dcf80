package drift

import (
	"fmt"
	"testing"

	"sluice/feature"
	"sluice/quality/sketch"
	"sluice/test/processor"
)

// wide is a learned view of that many features: copies of ten, so that setting it up stays cheap.
func wide(b *testing.B, features, windows int) learned {
	b.Helper()
	s := familyStream(31, 300, (features+len(families)-1)/len(families))
	s.view.Features = s.view.Features[:features]
	s.layout = sketch.Unbinned(s.view)
	return learn(b, s, windows)
}

func BenchmarkBuildReference(b *testing.B) {
	for _, windows := range []int{60, 2016} {
		b.Run(fmt.Sprintf("features=10/windows=%d", windows), func(b *testing.B) {
			l := wide(b, 10, 60)
			history := make([]WindowProfile, windows)
			for i := range history {
				history[i] = WindowProfile{Window: l.view.Window.Starting(epoch.Add(l.view.Window.Size * 1)), Profile: l.history[i%len(l.history)].Profile}
			}
			l.view.Baseline.Season = []string{"hour_of_day", "day_of_week"}
			b.ReportAllocs()
			start, n := processor.Time(), 0
			for b.Loop() {
				n++
				if _, err := BuildReference(l.view, l.layout, history); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64((processor.Time()-start).Nanoseconds())/float64(n), "cpu-ns/op")
		})
	}
}

func BenchmarkScore(b *testing.B) {
	for _, kind := range []struct {
		name     string
		families int
	}{{"numeric", 5}, {"mixed", len(families)}} {
		b.Run(fmt.Sprintf("kind=%s/features=10000/windows=28", kind.name), func(b *testing.B) {
			const distinct, features = 40, 10_000
			var defs []feature.Feature
			for i := range distinct {
				defs = append(defs, feature.Feature{Name: fmt.Sprintf("f%d", i), Type: families[i%kind.families].typ})
			}
			l := learn(b, newStream(32, 1000, defs, func(r *randSource, v []feature.Value) {
				for i := range v {
					v[i] = families[i%kind.families].draw(r)
				}
			}), 28)
			w := l.window(28, nil)
			b.ReportAllocs()
			start, n := processor.Time(), 0
			for b.Loop() {
				for range features / distinct {
					if _, err := l.reference.Score(l.view, l.layout, []WindowProfile{w}, l.baseline, testLevel); err != nil {
						b.Fatal(err)
					}
				}
				n += features
			}
			b.ReportMetric(float64((processor.Time()-start).Nanoseconds())/float64(n)*features, "cpu-ns/op")
		})
	}
}

// BenchmarkScoreWide judges one view of that many features, in which all processors
// share: its wall time is what to look at.
func BenchmarkScoreWide(b *testing.B) {
	for _, features := range []int{200, 2000} {
		b.Run(fmt.Sprintf("features=%d/windows=10", features), func(b *testing.B) {
			l := wide(b, features, 10)
			w := l.window(10, nil)
			start, n := processor.Time(), 0
			for b.Loop() {
				if _, err := l.reference.Score(l.view, l.layout, []WindowProfile{w}, l.baseline, testLevel); err != nil {
					b.Fatal(err)
				}
				n++
			}
			b.ReportMetric(float64((processor.Time()-start).Nanoseconds())/float64(n), "cpu-ns/op")
		})
	}
}

func BenchmarkJoint(b *testing.B) {
	l := learn(b, pairStream(33, 7), 28)
	joint, err := FitJoint(l.view, l.layout, l.history, 1)
	if err != nil {
		b.Fatal(err)
	}
	w := l.window(28, nil)
	b.Run("step=fit/windows=28", func(b *testing.B) {
		for b.Loop() {
			if _, err := FitJoint(l.view, l.layout, l.history, 1); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("step=score/rows=512", func(b *testing.B) {
		for b.Loop() {
			if _, err := joint.Score(l.view, l.layout, []WindowProfile{w}, testLevel); err != nil {
				b.Fatal(err)
			}
		}
	})
}
