package forest

import "math"

// walkTree is a tree laid out for scoring: a cut's children lie at twice its place and
// one further, as in a heap, the root at 1, and a tree that ends early goes on with cuts
// that lead to the left. Every walk then takes the same number of steps, follows no
// pointer, and has no branch to guess.
type walkTree struct {
	cuts    [walkPlaces]uint32  // key of the highest value that goes left
	columns [walkPlaces]uint8   // of the values that are compared
	path    [walkPlaces]float64 // length of the path that ends below the last cuts
	_       [8]uint64           // keeps equal places of the trees out of one set of the cache
}

const (
	walkPlaces  = 1 << maxDepth
	walkColumns = 256 // columns of a row that is scored by walking; a longer one is scored cut by cut
)

// index lays the trees out for scoring; path[i] is the length of the path that
// ends at node i.
func (f *Forest) index() {
	f.path = make([]float64, len(f.nodes))
	f.walk = nil
	if f.columns <= walkColumns {
		f.walk = make([]walkTree, len(f.starts))
	}
	for i, start := range f.starts {
		f.measure(start, 0)
		if f.walk != nil {
			f.walk[i].lay(f, start, 1, 0)
		}
	}
}

// measure sets the lengths of the paths that end below the node.
func (f *Forest) measure(at int32, depth int) {
	n := &f.nodes[at]
	if n.column < 0 {
		f.path[at] = float64(depth) + pathLengths[n.size]
		return
	}
	f.measure(at+1, depth+1)
	f.measure(n.right, depth+1)
}

// lay puts the subtree of node at that place.
func (t *walkTree) lay(f *Forest, at int32, place, depth int) {
	n := &f.nodes[at]
	switch {
	case depth == maxDepth:
		t.path[place-walkPlaces] = f.path[at]
	case n.column < 0:
		t.cuts[place] = math.MaxUint32
		t.lay(f, at, 2*place, depth+1)
	default:
		t.cuts[place], t.columns[place] = walkKey(n.threshold)-1, uint8(n.column)
		t.lay(f, at+1, 2*place, depth+1)
		t.lay(f, n.right, 2*place+1, depth+1)
	}
}

// walkKey maps a value to an integer of the same order; -0 counts as 0.
func walkKey(v float32) uint32 {
	b := math.Float32bits(v + 0)
	return b ^ (uint32(int32(b)>>31) | 1<<31)
}

// walkKeys are a row's values.
type walkKeys [walkColumns]uint32

// step returns the place below: to the right if the row's value is beyond the cut.
func (t *walkTree) step(at uint64, keys *walkKeys) uint64 {
	at %= walkPlaces
	return 2*at + (uint64(t.cuts[at])-uint64(keys[t.columns[at]]))>>63
}

// pathSum returns the sum of the row's path lengths over all trees, in their order.
func (f *Forest) pathSum(row []float64) float64 {
	var keys walkKeys
	for i, v := range row {
		keys[i] = walkKey(float32(v))
	}
	sum, trees := 0.0, f.walk
	for ; len(trees) >= 5; trees = trees[5:] { // walks side by side hide each other's waits
		t := (*[5]walkTree)(trees)
		a, b, c, d, e := uint64(1), uint64(1), uint64(1), uint64(1), uint64(1)
		for range maxDepth {
			a = t[0].step(a, &keys)
			b = t[1].step(b, &keys)
			c = t[2].step(c, &keys)
			d = t[3].step(d, &keys)
			e = t[4].step(e, &keys)
		}
		sum += t[0].path[a%walkPlaces]
		sum += t[1].path[b%walkPlaces]
		sum += t[2].path[c%walkPlaces]
		sum += t[3].path[d%walkPlaces]
		sum += t[4].path[e%walkPlaces]
	}
	for i := range trees {
		at := uint64(1)
		for range maxDepth {
			at = trees[i].step(at, &keys)
		}
		sum += trees[i].path[at%walkPlaces]
	}
	return sum
}
