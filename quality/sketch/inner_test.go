package sketch

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"sluice/feature"
)

// TestInnerSD wants the deviation of the values without the least and the greatest,
// however far out those lie, and no number where there is none.
func TestInnerSD(t *testing.T) {
	view := &feature.View{Name: "v", Features: []feature.Feature{{ID: 1, Name: "x", Type: feature.Float64}}}
	rng := rand.New(rand.NewPCG(4, 5))
	fill := func(layout *Layout, values []float64) *Profile {
		p := NewProfile(view, layout, HashKey{1})
		for i, v := range values {
			p.Add(&feature.Write{View: view, Values: []feature.Value{feature.Float64Value(v)}, Topic: "t", Offset: int64(i)})
		}
		return p
	}
	values := make([]float64, 400)
	for i := range values {
		values[i] = 5 + 3*rng.NormFloat64()
	}
	layout, err := BuildLayout(view, fill(Unbinned(view), values))
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string][]float64{"as they are": values, "one far out": append(slices.Clone(values), 40_000), "both ends far out": append(slices.Clone(values), 40_000, -1e9)} {
		sorted := slices.Clone(v)
		slices.Sort(sorted)
		sorted = sorted[1 : len(sorted)-1]
		mean, squares := 0.0, 0.0
		for _, x := range sorted {
			mean += x / float64(len(sorted))
		}
		for _, x := range sorted {
			squares += (x - mean) * (x - mean)
		}
		want := math.Sqrt(squares / float64(len(sorted)-1))
		if got := fill(layout, v).Columns[0].InnerSD(); math.Abs(got-want) > 1e-4*want {
			t.Errorf("%s: InnerSD = %v, want %v", name, got, want)
		}
	}
	if got := fill(layout, values[:3]).Columns[0].InnerSD(); !math.IsNaN(got) {
		t.Errorf("InnerSD of three values = %v, want none", got)
	}
	if got := fill(layout, []float64{1, 2, 2, 2, 3}).Columns[0].InnerSD(); got != 0 {
		t.Errorf("InnerSD of values that do not vary within = %v, want 0", got)
	}
	if got := fill(Unbinned(view), values).Columns[0].InnerSD(); !math.IsNaN(got) {
		t.Errorf("InnerSD without bins = %v, want none", got)
	}
}
