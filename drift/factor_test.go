package drift

import (
	"flag"
	"fmt"
	"math"
	"testing"

	"sluice/feature"
)

var (
	factorReferences = flag.Int("factor.references", 12, "references of TestFactors")
	factorSeed       = flag.Uint64("factor.seed", 5_012, "seed of the first; the next have the next")
)

// TestFactors wants no window of amounts to block of which every one differs from the next by a
// factor, whatever the rows, and a wrong unit of all rows or of a tenth to block beside that. Before
// method 7 a rise of the far end blocked that a factor explains which days have.
func TestFactors(t *testing.T) {
	const copies, windows = 10, 30
	wobbles := []float64{.1, .45}
	before := 0
	for _, rows := range []int{300, 1000} {
		for n := range *factorReferences {
			var features []feature.Feature
			for c := range copies {
				features = append(features, feature.Feature{Name: fmt.Sprint("amount_", c), Type: feature.Float64})
			}
			factors := make([]float64, copies)
			s := newStream(*factorSeed+uint64(n), rows, features, func(r *randSource, v []feature.Value) {
				for c := range v {
					v[c] = feature.Float64Value(factors[c] * math.Exp(1.5*r.NormFloat64()))
				}
			})
			s.begin = func(int) {
				for c := range factors {
					factors[c] = math.Exp(wobbles[c%len(wobbles)] * s.rng.NormFloat64())
				}
			}
			l := learn(t, s, 28)
			blocks := func(w WindowProfile) (found []string) {
				for _, s := range l.score(t, testLevel, w) {
					if s.Effect {
						found = append(found, s.Text)
					}
				}
				return found
			}
			for w := range windows {
				window := l.window(28+w, nil)
				if found := blocks(window); len(found) > 0 {
					t.Errorf("%d rows, reference %d: a stable window blocks: %s", rows, n, found)
				}
				l.reference.Method = reaching
				before += len(blocks(window))
				l.reference.Method = hurling
			}
			for name, every := range map[string]int{"all rows": 1, "a tenth of a thousand rows": 10} {
				row := 0
				found := blocks(l.window(100, func(v []feature.Value) {
					if row++; row%every == 0 {
						for c := range v {
							v[c] = feature.Float64Value(100 * v[c].Float())
						}
					}
				}))
				if every == 1 && len(found) < copies || rows >= 1000 && len(found) < copies*8/10 {
					t.Errorf("%d rows, reference %d: %s in another unit block in %d columns of %d", rows, n, name, len(found), copies)
				}
			}
		}
	}
	if before == 0 {
		t.Error("no window blocks by method 6 either: the test shows nothing")
	}
	t.Logf("by method 6 %d of %d stable feature-windows block", before, 2**factorReferences*windows*copies)
}

// TestMultiplied wants a factor to explain an end that lies as much further out as the middle does,
// with room, of features with one sign alone.
func TestMultiplied(t *testing.T) {
	for name, tc := range map[string]struct {
		end         Summary
		than, value float64
		want        float64
	}{
		"up":               {HighEdge, 2, 8, math.Log(4)},
		"up, below zero":   {HighEdge, -8, -2, math.Log(4)},
		"down":             {LowEdge, 8, 2, math.Log(4)},
		"down, below zero": {LowEdge, -2, -8, math.Log(4)},
		"back":             {HighEdge, 8, 2, -math.Log(4)},
	} {
		if got := farther(tc.end, tc.than, tc.value); math.Abs(got-tc.want) > 1e-12 {
			t.Errorf("%s: farther = %v, want %v", name, got, tc.want)
		}
	}
	amounts := oneFeature(7, 1000, feature.Float64, func(r *randSource) feature.Value { return feature.Float64Value(math.Exp(r.NormFloat64())) })
	signed := oneFeature(8, 1000, feature.Float64, normal)
	row := 0
	some := func(every int, factor, others float64) func(float64) float64 {
		return func(v float64) float64 {
			if row++; row%every == 0 {
				return v * factor
			}
			return v * others
		}
	}
	for name, tc := range map[string]struct {
		stream *stream
		change func(v float64) float64
		want   bool
	}{
		"three times":            {amounts, some(1, 3, 3), true},
		"a tenth a hundred-fold": {amounts, some(10, 100, 1), false},
		"one value far out":      {amounts, some(1000, 3e6, 3), false},
		"of both signs":          {signed, some(1, 3, 3), false},
	} {
		l := learn(t, tc.stream, 28)
		w := l.window(28, func(v []feature.Value) { v[0] = feature.Float64Value(tc.change(v[0].Float())) })
		j := &judge{reference: l.reference, view: l.view, layout: l.layout, windows: []WindowProfile{w}, baseline: l.baseline}
		f := j.frame(0, &l.reference.Features[0])
		shift := moved{expected: [summaries]float64{}}
		shift.now, _ = mean(j.reduce(0, &f, j.windows))
		if got := j.multiplied(&f, 0, HighTail, &shift); got != tc.want {
			t.Errorf("%s: multiplied = %v, want %v", name, got, tc.want)
		}
	}
}

// TestBorne wants a distance that the move of location gives to be told from one that it does not.
func TestBorne(t *testing.T) {
	for name, tc := range map[string]struct {
		summary             Summary
		now, expected, move float64
		want                bool
	}{
		"hellinger of a move":           {HellingerDistance, .214, .103, -.4, true},
		"hellinger of little of it":     {HellingerDistance, .214, .103, .2, false},
		"ks of a move":                  {KSDistance, .2, .03, .4, true},
		"ks beside a small one":         {KSDistance, .2, .03, .2, false},
		"total variation without a one": {TVDistance, .2, .1, 0, false},
		"no distance":                   {HighTail, .02, .01, 3, false},
	} {
		var shift moved
		shift.now[tc.summary], shift.expected[tc.summary] = transform(tc.summary, tc.now), transform(tc.summary, tc.expected)
		shift.now[Location] = tc.move
		if got := borne(tc.summary, &shift); got != tc.want {
			t.Errorf("%s: borne = %v, want %v", name, got, tc.want)
		}
	}
}
