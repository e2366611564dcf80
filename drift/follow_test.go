package drift

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestFollow wants scales that are a curve of the location explained by it, however far it
// lies, those that rise by themselves not, and no fit where there is nothing to fit.
func TestFollow(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	const sampling = .01
	curve := func(u float64) float64 { return 1 + .3*u + 2*u*u }
	locations, scales, apart, flat := make([]float64, 40), make([]float64, 40), make([]float64, 40), make([]float64, 40)
	for i := range locations {
		locations[i] = .2 * rng.NormFloat64()
		scales[i] = curve(locations[i]) + sampling*rng.NormFloat64()
		apart[i] = 1 + sampling*rng.NormFloat64()
	}
	locations[3] = math.NaN() // of a window without values
	f := newFollow(locations, scales, sampling, follows)
	if f == nil || f.N != 39 {
		t.Fatalf("newFollow = %+v, want a fit of 39 windows", f)
	}
	for name, tc := range map[string]struct {
		location, scale float64
		alarm           bool
	}{"as usual": {.1, curve(.1), false}, "far away": {.8, curve(.8), false}, "wider": {.1, curve(.1) + .1, true}, "wider and far away": {-.6, 3, true}} {
		if got := f.interval(tc.location, tc.scale, 0); (got > 4) != tc.alarm {
			t.Errorf("%s: t = %.2f, want an alarm: %v", name, got, tc.alarm)
		}
	}
	for name, f := range map[string]*Follow{"a location that stands still": newFollow(flat, scales, sampling, follows), "a scale that does": newFollow(locations, flat, sampling, follows),
		"few windows": newFollow(locations[4:12], scales[4:12], sampling, follows), "too many terms": newFollow([]float64{1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2}, scales[:12], sampling, follows)} {
		if f != nil {
			t.Errorf("%s: %+v, want no fit", name, f)
		}
	}
	found := 0
	for range 400 {
		for i := range apart {
			apart[i] = rng.NormFloat64()
		}
		if newFollow(locations, apart, 1, follows) != nil {
			found++
		}
	}
	if share := float64(found) / 400; math.Abs(share-follows) > .1 {
		t.Errorf("%.2f of scales that have nothing to do with the location are fitted to it, want %v", share, follows)
	}
}
