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

// steps returns v in steps from centre, not yet rounded. perStep is MomentSteps /
// scale. The conversions to float64 forbid fused multiply-add, so that every machine
// gets the same steps.
func steps(v, centre, perStep float64) float64 {
	return float64(float64(v-centre) * perStep)
}

// clip returns x within stepLimit of 0, and whether it was not.
func clip(x float64) (float64, bool) {
	if math.Abs(x) > stepLimit {
		return math.Copysign(stepLimit, x), true
	}
	return x, false
}

// nearest returns x rounded to the nearest integer, ties to even. It is at most
// stepLimit in size.
func nearest(x float64) int64 {
	return int64(math.Float64bits(x+roundBy) - math.Float64bits(roundBy))
}

func (m *moments) add(step int64) {
	var carry uint64
	m.sum.lo, carry = bits.Add64(m.sum.lo, uint64(step), 0)
	m.sum.hi += step>>63 + int64(carry)
	m.squares.lo, carry = bits.Add64(m.squares.lo, uint64(step*step), 0)
	m.squares.hi += int64(carry)
}

// nearSteps is how far from the centre, in steps, the squares of blockRows values
// cannot exceed 64 bits together.
const nearSteps = 1 << 27

// addNear adds at most blockRows values, all of them within nearSteps of centre,
// summed in registers.
func (m *moments) addNear(values []float64, centre, perStep float64) {
	sum, squares := int64(0), uint64(0)
	for _, v := range values {
		step := nearest(steps(v, centre, perStep))
		sum += step
		squares += uint64(step * step)
	}
	m.sum.add(int128{sum >> 63, uint64(sum)})
	m.squares.add(int128{0, squares})
}

func (m *moments) merge(o *moments) {
	m.sum.add(o.sum)
	m.squares.add(o.squares)
}

// drop takes one value out again.
func (m *moments) drop(step int64) {
	var borrow uint64
	m.sum.lo, borrow = bits.Sub64(m.sum.lo, uint64(step), 0)
	m.sum.hi -= step>>63 + int64(borrow)
	m.squares.lo, borrow = bits.Sub64(m.squares.lo, uint64(step*step), 0)
	m.squares.hi -= int64(borrow)
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

// float returns a, rounded.
func (a int128) float() float64 { return float64(math.Ldexp(float64(a.hi), 64)) + float64(a.lo) }

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
