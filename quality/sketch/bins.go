package sketch

import (
	"math"
	"math/bits"
)

// MaxEdges is the most edges a numeric feature has.
const MaxEdges = 127

// orderedKey maps the bits of a float64 that is no NaN to an integer of the same
// order. The caller has turned -0 into 0.
func orderedKey(b uint64) uint64 { return b ^ (uint64(int64(b)>>63) | 1<<63) }

// searchKeys holds the ordered keys of up to MaxEdges edges as a perfect binary
// search tree: the root at 1, the children of node i at 2i and 2i+1. Each entry is
// its edge's key less one, and MaxUint64 if there is no such edge. The upper half
// is there so that a byte is always a valid index, and is not read.
type searchKeys [256]uint64

func newSearchKeys(edges []float64) *searchKeys {
	k, next := new(searchKeys), 0
	var fill func(node int)
	fill = func(node int) {
		if node > MaxEdges {
			return
		}
		fill(2 * node)
		k[node] = math.MaxUint64
		if next < len(edges) {
			k[node] = orderedKey(math.Float64bits(edges[next]+0)) - 1
		}
		next++
		fill(2*node + 1)
	}
	fill(1)
	return k
}

// find returns how many edges are at or below key: the number of its bin. It has
// no branch to mispredict, and costs what its instructions cost: while it waits for
// memory, the processor is at the values before and after.
func (k *searchKeys) find(key uint64) uint64 {
	i := k.down(1, key)
	i = k.down(i, key)
	i = k.down(i, key)
	i = k.down(i, key)
	i = k.down(i, key)
	i = k.down(i, key)
	i = k.down(i, key)
	return i & MaxEdges
}

// find4 is find for four keys at a time: while one waits for memory, the others
// move on.
func (k *searchKeys) find4(a, b, c, d uint64) (i, j, m, n uint64) {
	i, j, m, n = k.down(1, a), k.down(1, b), k.down(1, c), k.down(1, d)
	i, j, m, n = k.down(i, a), k.down(j, b), k.down(m, c), k.down(n, d)
	i, j, m, n = k.down(i, a), k.down(j, b), k.down(m, c), k.down(n, d)
	i, j, m, n = k.down(i, a), k.down(j, b), k.down(m, c), k.down(n, d)
	i, j, m, n = k.down(i, a), k.down(j, b), k.down(m, c), k.down(n, d)
	i, j, m, n = k.down(i, a), k.down(j, b), k.down(m, c), k.down(n, d)
	i, j, m, n = k.down(i, a), k.down(j, b), k.down(m, c), k.down(n, d)
	return i & MaxEdges, j & MaxEdges, m & MaxEdges, n & MaxEdges
}

// down returns the left child of node i, or the right one if key is above its edge:
// the borrow of the comparison is the way down.
func (k *searchKeys) down(i, key uint64) uint64 {
	_, borrow := bits.Sub64(k[uint8(i)], key, 0)
	i, _ = bits.Add64(i, i, borrow)
	return i
}

// count adds the values of those keys to their bins.
func (k *searchKeys) count(bins, keys []uint64) {
	i := 0
	for ; i+4 <= len(keys); i += 4 {
		v := (*[4]uint64)(keys[i:])
		a, b, c, d := k.find4(v[0], v[1], v[2], v[3])
		bins[a]++
		bins[b]++
		bins[c]++
		bins[d]++
	}
	for _, key := range keys[i:] {
		bins[k.find(key)]++
	}
}

// keyOf returns the key of v, which is not -0; that of NaN and infinities lies beyond the others'.
func keyOf(v float64) uint64 { return orderedKey(math.Float64bits(v)) }
