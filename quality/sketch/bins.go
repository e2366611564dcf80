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

// searchKeys holds the ordered keys of up to MaxEdges edges as a search tree: a
// node of three edges, four of three, sixteen of three, and 64 of one. Each entry
// is its edge's key less one, and MaxUint64 if there is no such edge.
type searchKeys struct {
	top  [4]uint64 // the fourth of a node is there for its size
	mid  [4][4]uint64
	low  [16][4]uint64
	last [64]uint64
}

func newSearchKeys(edges []float64) *searchKeys {
	var sorted [MaxEdges]uint64
	for i := range sorted {
		sorted[i] = math.MaxUint64
		if i < len(edges) {
			sorted[i] = orderedKey(math.Float64bits(edges[i]+0)) - 1
		}
	}
	k := new(searchKeys)
	for t := range 3 {
		k.top[t] = sorted[32*t+31]
		for i := range k.mid {
			k.mid[i][t] = sorted[32*i+8*t+7]
		}
		for i := range k.low {
			k.low[i][t] = sorted[8*i+2*t+1]
		}
	}
	for i := range k.last {
		k.last[i] = sorted[2*i]
	}
	return k
}

// find returns how many edges are at or below key: the number of its bin. It has
// no branch to mispredict, and the three comparisons of a node do not wait for
// each other.
func (k *searchKeys) find(key uint64) uint64 {
	b := above(key, k.top[0]) + above(key, k.top[1]) + above(key, k.top[2])
	m := &k.mid[b&3]
	b = b<<2 + above(key, m[0]) + above(key, m[1]) + above(key, m[2])
	l := &k.low[b&15]
	b = b<<2 + above(key, l[0]) + above(key, l[1]) + above(key, l[2])
	return b<<1 + above(key, k.last[b&63])
}

// above returns 1 if key is above edge, else 0: the borrow of their difference.
func above(key, edge uint64) uint64 {
	_, borrow := bits.Sub64(edge, key, 0)
	return borrow
}
