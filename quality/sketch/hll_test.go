package sketch

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// The error of an estimate has a standard deviation of HLLError; over 20 keys its
// root mean square stays within half as much again, and its mean near 0.
func TestDistinctError(t *testing.T) {
	for _, n := range []int{1, 10, 100, 1000, 10_000, 100_000} {
		t.Run(fmt.Sprintf("values=%d", n), func(t *testing.T) {
			const keys = 20
			var square, sum float64
			for key := range keys {
				h, r := newHasher(HashKey{byte(key), 1}), new(registers)
				for v := range n {
					r.add(h.number(uint64(v)))
					r.add(h.number(uint64(v)))
				}
				e := r.estimate()/float64(n) - 1
				square += e * e
				sum += e
			}
			rms, mean := math.Sqrt(square/keys), sum/keys
			if rms > 1.5*HLLError || math.Abs(mean) > HLLError {
				t.Errorf("estimate of %d: error %.4f rms, %.4f mean, want rms at most %.4f", n, rms, mean, 1.5*HLLError)
			}
		})
	}
}

func TestDistinctOfTexts(t *testing.T) {
	h, r := newHasher(testKey), new(registers)
	for i := range 5000 {
		r.add(h.text(fmt.Sprintf("tail N%d", i)))
	}
	if got := r.estimate(); math.Abs(got/5000-1) > 4*HLLError {
		t.Errorf("estimate = %.0f, want 5000 within %.0f %%", got, 400*HLLError)
	}
}

func TestRegistersMergeIsMaximum(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	for name, merge := range map[string]func(a, b *registers){
		"of this machine":  (*registers).merge,
		"of every machine": (*registers).mergeWords,
	} {
		t.Run(name, func(t *testing.T) {
			for range 200 {
				var a, b, want registers
				for i := range a {
					a[i], b[i] = uint8(rng.IntN(hllRanks+2)), uint8(rng.IntN(hllRanks+2))
					want[i] = max(a[i], b[i])
				}
				other := b
				if merge(&a, &b); a != want || b != other {
					t.Fatalf("merge = %v, want %v; the other one %v, want it as it was", a, want, b)
				}
			}
		})
	}
}

func TestRegistersRanks(t *testing.T) {
	for name, tc := range map[string]struct {
		hash     uint64
		register int
		rank     uint8
	}{
		"all zeros":      {0, 0, hllRanks + 1},
		"all ones":       {math.MaxUint64, hllRegisters - 1, 1},
		"last bit alone": {1, 0, hllRanks},
	} {
		t.Run(name, func(t *testing.T) {
			var r registers
			r.add(tc.hash)
			if r[tc.register] != tc.rank || r.set() != 1 {
				t.Errorf("add(%#x) set register %d to %d, want %d", tc.hash, tc.register, r[tc.register], tc.rank)
			}
		})
	}
}

func TestEmptyRegistersEstimateZero(t *testing.T) {
	if got := new(registers).estimate(); got != 0 {
		t.Errorf("estimate of nothing = %v, want 0", got)
	}
}
