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

// moments are sums of quantised values and of their squares, exact in 128 bits. Reads go
// through whole, which leaves them as they are: a profile that nobody adds to can be read
// by many.
type moments struct {
	sum     int128
	squares int128
	near    tally // not yet in the others
}

// tally is moments of steps within nearSteps, in half the instructions.
type tally struct {
	sum     int64 // at most squares in size
	squares uint64
}

func (t *tally) add(step int64) {
	t.sum += step
	t.squares += uint64(step * step)
}

// full reports whether to empty the tally; until then it has room for a block of steps.
func (t *tally) full() bool { return int64(t.squares) < 0 }

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
// cannot exceed 63 bits together.
const nearSteps = 1 << 27

// settle empties near.
//
//go:noinline
func (m *moments) settle() { *m = m.whole() }

// take adds a tally.
func (m *moments) take(t tally) {
	m.sum.add(int128{t.sum >> 63, uint64(t.sum)})
	m.squares.add(int128{0, t.squares})
}

// whole returns m with everything in sum and squares.
func (m moments) whole() moments {
	near := m.near
	m.near = tally{}
	m.take(near)
	return m
}

func (m *moments) merge(o *moments) {
	m.sum.add(o.sum)
	m.squares.add(o.squares)
	m.take(o.near)
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
func (m moments) mean(n uint64) float64 {
	sum, _ := new(big.Float).SetInt(m.whole().sum.big()).Float64()
	return sum / float64(n)
}

// variance returns the sample variance of n >= 2 values in square steps. The
// difference n * sum(q^2) - sum(q)^2 is taken in integers, so nothing cancels.
func (m moments) variance(n uint64) float64 {
	m = m.whole()
	count, sum := new(big.Int).SetUint64(n), m.sum.big()
	spread := new(big.Int).Mul(count, m.squares.big())
	spread.Sub(spread, sum.Mul(sum, sum))
	s, _ := new(big.Float).SetInt(spread).Float64()
	return max(0, s) / float64(n) / float64(n-1)
}
