package drift

import (
	"math"
	"math/bits"
)

// walkNode is a node laid out for scoring: keys keep the order of values, and a
// leaf leads to itself, so that every walk takes the same number of steps and no
// branch has to be guessed.
type walkNode struct {
	key    uint32
	column uint32
	next   [2]uint32 // of values at or above the threshold, and below it
}

// walkColumns is how long a row may be to be scored by walking; longer ones are
// scored cut by cut.
const walkColumns = 64

// index lays the trees out for scoring; path[i] is the length of the path that
// ends at node i.
func (f *Forest) index() {
	f.walk = make([]walkNode, len(f.nodes))
	f.path = make([]float64, len(f.nodes))
	for _, start := range f.starts {
		f.lay(start, 0)
	}
}

func (f *Forest) lay(at int32, depth int) {
	n := &f.nodes[at]
	if n.column < 0 {
		f.walk[at] = walkNode{next: [2]uint32{uint32(at), uint32(at)}}
		f.path[at] = float64(depth) + pathLengths[n.size]
		return
	}
	f.walk[at] = walkNode{key: walkKey(n.threshold), column: uint32(n.column), next: [2]uint32{uint32(n.right), uint32(at + 1)}}
	f.lay(at+1, depth+1)
	f.lay(n.right, depth+1)
}

// walkKey maps a value to an integer of the same order; -0 counts as 0.
func walkKey(v float32) uint32 {
	b := math.Float32bits(v + 0)
	return b ^ (uint32(int32(b)>>31) | 1<<31)
}

// pathSum returns the sum of the row's path lengths over all trees, in their order.
func (f *Forest) pathSum(row []float64) float64 {
	var keys [walkColumns]uint32
	for i, v := range row {
		keys[i] = walkKey(float32(v))
	}
	sum, starts := 0.0, f.starts
	for ; len(starts) >= 4; starts = starts[4:] {
		a, b, c, d := uint32(starts[0]), uint32(starts[1]), uint32(starts[2]), uint32(starts[3])
		for range forestDepth { // four walks at once hide each other's waits
			a, b, c, d = f.child(a, &keys), f.child(b, &keys), f.child(c, &keys), f.child(d, &keys)
		}
		sum += f.path[a]
		sum += f.path[b]
		sum += f.path[c]
		sum += f.path[d]
	}
	for _, start := range starts {
		at := uint32(start)
		for range forestDepth {
			at = f.child(at, &keys)
		}
		sum += f.path[at]
	}
	return sum
}

func (f *Forest) child(at uint32, keys *[walkColumns]uint32) uint32 {
	n := &f.walk[at]
	_, below := bits.Sub32(keys[n.column%walkColumns], n.key, 0)
	return n.next[below&1]
}
