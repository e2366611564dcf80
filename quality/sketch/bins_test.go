package sketch

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// The search gives the bin that counting edges gives, for any number of edges and
// at, beside and between them.
func TestFindIsExact(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for n := range MaxEdges + 1 {
		edges := make([]float64, n)
		for i := range edges {
			edges[i] = math.Round(rng.NormFloat64() * 1000)
		}
		edges = append(edges, -math.MaxFloat64, -5e-324, 0, 5e-324)
		slices.Sort(edges)
		edges = slices.Compact(edges)
		edges = edges[:min(len(edges), MaxEdges)]
		keys := newSearchKeys(edges)
		for _, v := range probes(rng, edges) {
			want := 0
			for _, e := range edges {
				if v >= e {
					want++
				}
			}
			if got := keys.find(orderedKey(math.Float64bits(v))); int(got) != want {
				t.Fatalf("%d edges: find(%v) = %d, want %d", len(edges), v, got, want)
			}
		}
	}
}

func probes(rng *rand.Rand, edges []float64) []float64 {
	values := []float64{0, 5e-324, -5e-324, math.MaxFloat64, -math.MaxFloat64}
	for _, e := range edges {
		values = append(values, e, math.Nextafter(e, math.Inf(1))+0, math.Nextafter(e, 0)+0, e+rng.Float64())
	}
	return values
}

func TestOrderedKeyKeepsOrder(t *testing.T) {
	values := []float64{-math.MaxFloat64, -1, -5e-324, 0, 5e-324, 1e-310, 1, math.MaxFloat64}
	for i := 1; i < len(values); i++ {
		a, b := orderedKey(math.Float64bits(values[i-1])), orderedKey(math.Float64bits(values[i]))
		if a >= b {
			t.Errorf("key(%v) = %#x is not below key(%v) = %#x", values[i-1], a, values[i], b)
		}
	}
}

// Keys that are searched four at a time go where single ones go.
func TestCountIsFind(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for n := range 70 {
		var edges []float64
		var values []uint64
		for range n {
			edges = append(edges, rng.NormFloat64())
			values = append(values, keyOf(edges[len(edges)-1]))
		}
		slices.Sort(edges)
		for range rng.IntN(300) {
			values = append(values, keyOf(rng.NormFloat64()))
		}
		keys := newSearchKeys(edges)
		got, want := make([]uint64, n+1), make([]uint64, n+1)
		for _, v := range values {
			want[keys.find(v)]++
		}
		if keys.count(got, values); !slices.Equal(got, want) {
			t.Fatalf("%d edges: count = %v, want %v", n, got, want)
		}
	}
}
