package forest

import "math/rand/v2"

// grower grows trees. What is drawn of a seed is part of the law that the same rows and
// seed give the same forest, also in a later release: verdicts are computed again by it.
type grower struct {
	forest  *Forest
	rng     *rand.Rand
	order   []int32   // positions of all rows, in their order between two trees
	drawn   []int     // what was exchanged to draw a sample
	sample  []float32 // values of the sample, column by column
	rows    []int32   // places in the sample, reordered as the tree grows
	columns []int     // in the order in which a cut tries them
}

func newGrower(f *Forest, rows int, seed uint64) *grower {
	g := &grower{
		forest: f, rng: rand.New(rand.NewPCG(seed, 0x5851f42d4c957f2d)),
		order: make([]int32, rows), drawn: make([]int, f.sample), sample: make([]float32, f.sample*f.columns),
		rows: make([]int32, f.sample), columns: make([]int, f.columns),
	}
	for i := range g.order {
		g.order[i] = int32(i)
	}
	return g
}

// draw takes a sample of rows without replacement, and returns its places.
func (g *grower) draw(rows [][]float64) []int32 {
	n := g.forest.sample
	for i := range n {
		k := i + g.rng.IntN(len(g.order)-i)
		g.order[i], g.order[k] = g.order[k], g.order[i]
		g.drawn[i], g.rows[i] = k, int32(i)
	}
	for i, at := range g.order[:n] {
		for column, v := range rows[at] {
			g.sample[column*n+i] = float32(v)
		}
	}
	for i := n - 1; i >= 0; i-- {
		k := g.drawn[i]
		g.order[i], g.order[k] = g.order[k], g.order[i]
	}
	return g.rows
}

// grow appends the subtree of the sample's rows at those places, which it reorders.
func (g *grower) grow(at []int32, depth int) {
	f := g.forest
	root := len(f.nodes)
	f.nodes = append(f.nodes, node{column: -1, size: int32(len(at))})
	if depth == maxDepth || len(at) <= 1 {
		return
	}
	column, threshold, ok := g.cut(at)
	if !ok {
		return
	}
	left, values := 0, g.values(column)
	for i := range at {
		if values[at[i]] < threshold {
			at[left], at[i] = at[i], at[left]
			left++
		}
	}
	f.nodes[root].column, f.nodes[root].threshold = int32(column), threshold
	g.grow(at[:left], depth+1)
	f.nodes[root].right = int32(len(f.nodes))
	g.grow(at[left:], depth+1)
}

// values returns the sample's values of a column.
func (g *grower) values(column int) []float32 {
	n := g.forest.sample
	return g.sample[column*n : (column+1)*n]
}

// cut draws a column that varies over the rows and a threshold within its range
// that leaves rows on both sides; false if no column varies.
func (g *grower) cut(at []int32) (column int, threshold float32, ok bool) {
	for i := range g.columns {
		g.columns[i] = i
	}
	g.rng.Shuffle(len(g.columns), func(i, j int) { g.columns[i], g.columns[j] = g.columns[j], g.columns[i] })
	for _, column := range g.columns {
		values := g.values(column)
		low, high := values[at[0]], values[at[0]]
		for _, i := range at[1:] {
			v := values[i]
			low, high = min(low, v), max(high, v)
		}
		if low < high {
			threshold = float32(float64(low) + g.rng.Float64()*(float64(high)-float64(low)))
			if !(threshold > low) {
				threshold = high
			}
			return column, min(threshold, high), true
		}
	}
	return 0, 0, false
}
