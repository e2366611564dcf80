package sketch

import (
	"math"
	"math/big"
	"math/bits"
)

const (
	// MomentSteps is the precision of moments: values are rounded to the nearest
	// MomentSteps-th of the layout's scale, counted from its centre.
	MomentSteps = 1 << 16
	// MomentRange is how many scales from the centre a value enters moments; one
	// further out enters as if it lay there, and is counted as clipped.
	MomentRange = 1 << 16

	stepLimit = 1<<32 - 1 // keeps a square within 64 bits; just below MomentSteps * MomentRange
	roundBy   = 3 << 51   // added to a float64, leaves its nearest integer in the low bits
)

// moments are sums of quantised values and of their squares, exact in 128 bits.
type moments struct {
	sum     int128
	squares int128
}

type int128 struct {
	hi int64
	lo uint64
}

// quantise returns v in steps from centre, rounded to the nearest, ties to even,
// and whether it was clipped. perStep is MomentSteps / scale. The conversions to
// float64 forbid fused multiply-add, so that every machine gets the same steps.
func quantise(v, centre, perStep float64) (step int64, clipped bool) {
	x := float64(float64(v-centre) * perStep)
	if math.Abs(x) > stepLimit {
		return clippedStep(x), true
	}
	return int64(math.Float64bits(x+roundBy) - math.Float64bits(roundBy)), false
}

// clippedStep is apart from quantise so that the usual case stays short.
//
//go:noinline
func clippedStep(x float64) int64 {
	return int64(math.Copysign(stepLimit, x))
}

func (m *moments) add(step int64) {
	var carry uint64
	m.sum.lo, carry = bits.Add64(m.sum.lo, uint64(step), 0)
	m.sum.hi += step>>63 + int64(carry)
	m.squares.lo, carry = bits.Add64(m.squares.lo, uint64(step*step), 0)
	m.squares.hi += int64(carry)
}

func (m *moments) merge(o *moments) {
	m.sum.add(o.sum)
	m.squares.add(o.squares)
}

func (a *int128) add(b int128) {
	var carry uint64
	a.lo, carry = bits.Add64(a.lo, b.lo, 0)
	a.hi += b.hi + int64(carry)
}

func (a int128) big() *big.Int {
	n := new(big.Int).Lsh(big.NewInt(a.hi), 64)
	return n.Add(n, new(big.Int).SetUint64(a.lo))
}

// mean returns the mean of n values in steps.
func (m *moments) mean(n uint64) float64 {
	sum, _ := new(big.Float).SetInt(m.sum.big()).Float64()
	return sum / float64(n)
}

// variance returns the sample variance of n >= 2 values in square steps. The
// difference n * sum(q^2) - sum(q)^2 is taken in integers, so nothing cancels.
func (m *moments) variance(n uint64) float64 {
	count, sum := new(big.Int).SetUint64(n), m.sum.big()
	spread := new(big.Int).Mul(count, m.squares.big())
	spread.Sub(spread, sum.Mul(sum, sum))
	s, _ := new(big.Float).SetInt(spread).Float64()
	return max(0, s) / float64(n) / float64(n-1)
}
