package forest

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestWalkIsCutByCut holds the fast path against the plain one, bit for bit.
func TestWalkIsCutByCut(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	var rows [][]float64
	for range 600 {
		rows = append(rows, []float64{rng.NormFloat64(), float64(rng.IntN(3)), math.Copysign(0, -1), rng.ExpFloat64()})
	}
	f, err := Fit(rows, 9)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if walked, cut := f.pathSum(row), f.cutSum(row); walked != cut {
			t.Fatalf("row %v: walked %v, cut by cut %v", row, walked, cut)
		}
	}
}
