package drift

import (
	"math"
	"math/rand/v2"
	"testing"

	"sluice/feature"
)

// TestTranslated wants the normal scores of values that all moved to be those of the pooled
// history moved by the same, and scale to be carried by location only where it is.
func TestTranslated(t *testing.T) {
	for name, tc := range map[string]struct {
		law     int
		carried bool
	}{"uniform, moved": {4, true}, "lognormal, by a factor": {1, false}} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, laws[tc.law], regimes[1], 91, 1_000_000, 1)
			reference, baseline := b.learn(t)
			ref := &reference.Features[0]
			for i := range ref.Spreads {
				if s := &ref.Spreads[i]; s.Summary == Scale && s.Carried != tc.carried {
					t.Errorf("scale is carried by location: %v, want %v", s.Carried, tc.carried)
				}
			}
			if !tc.carried {
				return
			}
			j := &judge{reference: reference, view: b.view, layout: b.layout, baseline: baseline}
			f := j.frame(0, ref)
			for _, by := range []float64{-.05, -.01, 0, .02, .06} {
				location, scale := f.translated(by)
				w := b.window(0, func(below func(float64) float64) func(float64) float64 {
					return func(x float64) float64 { return max(0, min(1, x-by)) }
				})
				j.windows = []WindowProfile{w}
				now, _ := mean(j.reduce(0, &f, j.windows))
				if math.Abs(location-now[Location]) > .02 || math.Abs(scale-now[Scale]) > .02 {
					t.Errorf("moved by %v: location %.4f, scale %.4f, want %.4f, %.4f", by, location, scale, now[Location], now[Scale])
				}
				if got := f.scaleAt(location); math.Abs(got-scale) > .01 {
					t.Errorf("moved by %v: scale at location %.4f = %.4f, want %.4f", by, location, got, scale)
				}
			}
		})
	}
}

// TestSlid wants outliers at one end to block, and a bound that moved not to.
func TestSlid(t *testing.T) {
	b := newBench(t, laws[2], regimes[0], 17, 10_000, 1)
	reference, baseline := b.learn(t)
	ref := &reference.Features[0]
	for name, tc := range map[string]struct {
		spoil change
		want  bool
	}{
		"a bound that moved": {move(-.08), true},
		"outliers": {func(below func(float64) float64) func(float64) float64 {
			return func(x float64) float64 { return .98*below(x) + .02*normalBelow(x+9) }
		}, false},
		"an eighth in another unit": {func(below func(float64) float64) func(float64) float64 {
			return func(x float64) float64 { return .875*below(x) + .125*(1-below(-x/5)) }
		}, false},
	} {
		j := &judge{reference: reference, view: b.view, layout: b.layout, baseline: baseline, windows: []WindowProfile{b.window(40, tc.spoil)}}
		f := j.frame(0, ref)
		shift := moved{}
		shift.now, _ = mean(j.reduce(0, &f, j.windows))
		if got := j.slid(ref, &f, 0, LowTail, &shift); got != tc.want {
			t.Errorf("%s: slid = %v, want %v", name, got, tc.want)
		}
	}
}

// TestDeviation wants outliers seen where values have a hard bound that moves would explain.
func TestDeviation(t *testing.T) {
	caught, n := 0, 0
	for seed := range uint64(4) {
		l := learn(t, oneFeature(300+seed, 1000, feature.Float64, func(r *randSource) feature.Value { return feature.Float64Value(r.Float64()) }), 28)
		rng := rand.New(rand.NewPCG(seed, 1))
		for k := range 10 {
			w := l.window(28+k, func(v []feature.Value) {
				if rng.Float64() < .02 {
					v[0] = feature.Float64Value(.5 + 2.9*rng.NormFloat64())
				}
			})
			if n++; find(t, l.score(t, testLevel, w), "x").Severity > 1 {
				caught++
			}
		}
	}
	if share := float64(caught) / float64(n); share < .8 {
		t.Errorf("%d of %d windows with 2 %% outliers are caught, want four in five", caught, n)
	}
}
