package drift

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestHeavyQuantileInvertsTail(t *testing.T) {
	h := Heavy{From: 0.5, Mean: 0.8, N: 7, Share: 0.25}
	for _, p := range []float64{0.2, 1e-2, 1e-4, 1e-9} {
		if got := h.tail(h.quantile(p)); math.Abs(got/p-1) > 1e-9 {
			t.Errorf("tail(quantile(%v)) = %v", p, got)
		}
	}
	if got := h.quantile(0.3); got != h.From {
		t.Errorf("quantile(0.3) = %v, want From, beyond which a quarter lies", got)
	}
}

// Residuals that are exponential exceed the tail's quantiles as often as they say,
// however few windows it was learned from; those of a normal law have no such tail.
func TestHeavyKeepsItsLevel(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	const windows, level = 28, 0.01
	exceeded, learned := 0, 0
	draw := func(n int, one func() float64) []float64 {
		x := make([]float64, n)
		for i := range x {
			x[i] = one()
		}
		return x
	}
	for range 20_000 {
		x := draw(windows, rng.ExpFloat64)
		if h := newHeavy(x, 1); h != nil {
			learned++
			if rng.ExpFloat64() > h.quantile(level) {
				exceeded++
			}
		}
	}
	if learned < 10_000 {
		t.Errorf("%d of 20000 exponential histories have a tail, want more than half", learned)
	}
	if share := float64(exceeded) / float64(learned); share > 1.3*level {
		t.Errorf("the quantile of %v was exceeded by %v", level, share)
	}
}

func TestHeavyOf(t *testing.T) {
	rising := []float64{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9}
	for name, tc := range map[string]struct {
		residuals []float64
		want      bool
	}{
		"nothing but for one window": {rising, true},
		"all the same":               {make([]float64, 12), false},
		"too few":                    {rising[6:11], false},
		"a fall":                     {[]float64{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -9}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := newHeavy(tc.residuals, 1); (got != nil) != tc.want {
				t.Errorf("newHeavy = %+v, want one: %v", got, tc.want)
			}
		})
	}
}

// A phase whose windows vary more widens the interval of its own windows alone.
func TestWiderPhase(t *testing.T) {
	const days = 70
	x := make([]float64, days)
	of := make([]int, days)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range x {
		of[i] = i % 7
		x[i] = float64(of[i]) + 0.1*rng.NormFloat64()
		if of[i] == 6 {
			x[i] += 2 * rng.NormFloat64()
		}
	}
	s, ok := newSpread(Location, x, phases{seasons: []string{"day_of_week"}, of: [][]int{of}}, MinWindows, 0.001, noise{mean: math.Inf(-1), sd: 1e-9})
	if !ok || len(s.Phases) != 7 {
		t.Fatalf("newSpread = %+v, %v, want seven phases", s, ok)
	}
	for _, g := range s.Phases {
		if wide := g.Wide > 2; wide != (g.Phase == 6) {
			t.Errorf("phase %d: variance %.2f times that of all", g.Phase, g.Wide)
		}
	}
}

// TestLean wants a history of scale that is unlucky to lean on what sampling gives and to keep
// Student's law, the less the further it is, and one that varies far more to have the tail of
// its own residuals.
func TestLean(t *testing.T) {
	const windows, sampling = 28, .02
	rng := rand.New(rand.NewPCG(8, 9))
	x := make([]float64, windows)
	sum, squares := 0.0, 0.0
	for i := range x {
		x[i] = rng.NormFloat64()
		sum += x[i]
	}
	for i := range x {
		x[i] -= sum / windows
		squares += x[i] * x[i]
	}
	unit := math.Sqrt(squares / (windows - 1)) // to standard deviation 1
	last := 0.0
	for _, tc := range []struct {
		ratio float64 // of the variance to that of sampling
		heavy bool
		df    int
	}{{.7, false, 108}, {1, false, 108}, {1.5, false, 0}, {2, false, 0}, {2.3, false, 0}, {3, true, 27}} {
		of := make([]float64, windows)
		for i := range of {
			of[i] = 1 + x[i]/unit*sampling*math.Sqrt(tc.ratio)
		}
		s, ok := newSpread(Scale, of, phases{}, MinWindows, .001, noise{mean: math.Inf(-1), sd: 1e-9, prior: sampling})
		if !ok || (s.Heavy != nil) != tc.heavy || tc.df > 0 && s.DF != tc.df {
			t.Errorf("variance %v times that of sampling: %+v, %v, want a tail of its own: %v, %d degrees of freedom", tc.ratio, s, ok, tc.heavy, tc.df)
		}
		if got := s.SD * s.SD / sampling / sampling; got <= last || got > max(1, tc.ratio)*1.0001 {
			t.Errorf("variance %v times that of sampling is taken for %v, want more than %v", tc.ratio, got, last)
		} else {
			last = got
		}
	}
}
