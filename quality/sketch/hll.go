package sketch

import (
	"encoding/binary"
	"math"
	"math/bits"
)

const (
	hllBits      = 10
	hllRegisters = 1 << hllBits
	hllRanks     = 64 - hllBits // q of the paper: ranks run from 1 to hllRanks+1

	// HLLError is the standard error of Distinct relative to the true count.
	HLLError = 0.0325 // 1.04 / sqrt(1024)
)

// registers is a dense HyperLogLog of 1,024 registers of 6 bits, held a byte
// each and packed in the binary form. Its merge takes maxima, so it is
// commutative and exact.
type registers [hllRegisters]uint8

// add takes in a hash.
func (r *registers) add(hash uint64) {
	rank := uint8(bits.LeadingZeros64(hash<<hllBits|1<<(hllBits-1))) + 1
	if at := &r[hash>>hllRanks]; rank > *at {
		*at = rank
	}
}

// mergeWords is merge for every machine, 32 registers at a time.
func (r *registers) mergeWords(o *registers) {
	for i := 0; i < hllRegisters; i += 32 {
		a, b := (*[32]uint8)(r[i:]), (*[32]uint8)(o[i:])
		larger((*[8]uint8)(a[0:]), (*[8]uint8)(b[0:]))
		larger((*[8]uint8)(a[8:]), (*[8]uint8)(b[8:]))
		larger((*[8]uint8)(a[16:]), (*[8]uint8)(b[16:]))
		larger((*[8]uint8)(a[24:]), (*[8]uint8)(b[24:]))
	}
}

// larger sets eight registers to the larger of a and b. They are below 128, so the
// top bit of each byte is free to hold the comparison.
func larger(a, b *[8]uint8) {
	const top = 0x8080808080808080
	x, y := binary.LittleEndian.Uint64(a[:]), binary.LittleEndian.Uint64(b[:])
	atLeast := ((x | top) - y) & top
	binary.LittleEndian.PutUint64(a[:], y^(x^y)&(atLeast-atLeast>>7))
}

// set returns the number of registers that are not zero.
func (r *registers) set() int {
	n := 0
	for _, rank := range r {
		if rank != 0 {
			n++
		}
	}
	return n
}

// estimate returns the number of distinct hashes taken in. It needs no table of
// corrections and has no bias over the whole range.
//
// Source: O. Ertl, New cardinality estimation algorithms for HyperLogLog
// sketches, arXiv 1702.01284, 2017, algorithm 6.
func (r *registers) estimate() float64 {
	var counts [hllRanks + 2]float64
	for _, rank := range r {
		counts[min(int(rank), hllRanks+1)]++
	}
	const m = float64(hllRegisters)
	z := m * tau(1-counts[hllRanks+1]/m)
	for k := hllRanks; k >= 1; k-- {
		z = 0.5 * (z + counts[k])
	}
	z += m * sigma(counts[0]/m)
	return m * m / (2 * math.Ln2 * z)
}

func sigma(x float64) float64 {
	if x == 1 {
		return math.Inf(1)
	}
	y, z := 1.0, x
	for {
		x *= x
		before := z
		z += x * y
		y += y
		if z == before {
			return z
		}
	}
}

func tau(x float64) float64 {
	if x == 0 || x == 1 {
		return 0
	}
	y, z := 1.0, 1-x
	for {
		x = math.Sqrt(x)
		before := z
		y *= 0.5
		z -= (1 - x) * (1 - x) * y
		if z == before {
			return z / 3
		}
	}
}
