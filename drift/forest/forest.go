// Package forest has Isolation Forests over rows of numbers: to grow one from a seed, to
// score rows, to say which columns set a row apart, and a versioned form in bytes.
//
// Everything is pure; a Forest is immutable and safe for concurrent use. The same rows and
// seed give the same forest in every release.
package forest

import (
	"errors"
	"fmt"
	"math"
)

// Errors of this package. Callers test with errors.Is.
var (
	// ErrRows reports too few rows to grow a forest from.
	ErrRows = errors.New("too few rows")
	// ErrColumns reports rows that differ in length, are empty, or hold what is no number.
	ErrColumns = errors.New("rows are not of numbers, or not of as many")
	// ErrCorrupt reports bytes that no encoder of this package wrote.
	ErrCorrupt = errors.New("corrupt encoding")
)

// Shape of every forest, as in the paper.
const (
	trees      = 100
	sampleRows = 256
	maxDepth   = 8 // log2 of sampleRows: deeper, a path is as long as the average
)

// Forest is an Isolation Forest: trees that cut rows apart at random. A row that
// few cuts set apart is an outlier. The trees are flat arrays in preorder: the
// left child of a node follows it.
//
// Source: F. T. Liu, K. M. Ting and Z.-H. Zhou, Isolation Forest, ICDM 2008.
type Forest struct {
	columns int
	sample  int // rows that every tree was grown from
	starts  []int32
	nodes   []node
	walk    []walkTree // the nodes again, laid out for scoring; nil beyond walkColumns
	path    []float64
}

// node is a cut of column at threshold, or a leaf (column -1). Rows below
// the threshold go left.
type node struct {
	threshold float32
	column    int32
	right     int32 // absolute position of the right child
	size      int32 // rows of the sample that reached it
}

// Fit grows a forest of 100 trees of 256 rows each (or of all rows, if
// there are fewer) on rows of equal length. The same rows, order and seed give
// the same forest. Values are used as float32 and must not be not-a-number.
//
// The error is ErrRows for fewer than two rows, and ErrColumns if the rows'
// lengths differ or are 0, or a value is not a number.
func Fit(rows [][]float64, seed uint64) (*Forest, error) {
	if len(rows) < 2 {
		return nil, fmt.Errorf("fit forest on %d rows: %w", len(rows), ErrRows)
	}
	for i, row := range rows {
		if len(row) != len(rows[0]) || len(row) == 0 {
			return nil, fmt.Errorf("fit forest: row %d has %d columns, the first %d: %w", i, len(row), len(rows[0]), ErrColumns)
		}
		for _, v := range row {
			if math.IsNaN(v) {
				return nil, fmt.Errorf("fit forest: row %d is not a number: %w", i, ErrColumns)
			}
		}
	}
	f := &Forest{columns: len(rows[0]), sample: min(sampleRows, len(rows))}
	g := newGrower(f, len(rows), seed)
	for range trees {
		f.starts = append(f.starts, int32(len(f.nodes)))
		g.grow(g.draw(rows), 0)
	}
	f.index()
	return f, nil
}

// Columns returns the length of the rows that the forest scores.
func (f *Forest) Columns() int { return f.columns }

// Score returns the anomaly score of a row in (0, 1): about 0.5 for a usual one,
// towards 1 for one that few cuts set apart. It is not-a-number if the row's
// length is not Columns. Score does not allocate.
func (f *Forest) Score(row []float64) float64 {
	if len(row) != f.columns {
		return math.NaN()
	}
	var sum float64
	if f.walk != nil {
		sum = f.pathSum(row)
	} else {
		sum = f.cutSum(row)
	}
	return math.Exp2(-sum / float64(len(f.starts)) / pathLengths[f.sample])
}

// cutSum is pathSum for rows of any length.
func (f *Forest) cutSum(row []float64) (sum float64) {
	for _, at := range f.starts {
		for f.nodes[at].column >= 0 {
			at = f.step(at, row)
		}
		sum += f.path[at]
	}
	return sum
}

// step returns the child of a cut that row goes to.
func (f *Forest) step(at int32, row []float64) int32 {
	n := &f.nodes[at]
	if float32(row[n.column]) < n.threshold {
		return at + 1
	}
	return n.right
}

// Contributions returns how much each column did to set row apart, in shares that
// sum to 1 (all 0 if nothing did): a cut adds the bits by which it narrowed the
// sample beyond the one bit of an even cut. It returns nil if the row's length is
// not Columns.
func (f *Forest) Contributions(row []float64) []float64 {
	if len(row) != f.columns {
		return nil
	}
	out, sum := make([]float64, f.columns), 0.0
	for _, start := range f.starts {
		for at := start; f.nodes[at].column >= 0; {
			child := f.step(at, row)
			gain := math.Log2(float64(f.nodes[at].size)/float64(f.nodes[child].size)) - 1
			if gain > 0 {
				out[f.nodes[at].column] += gain
				sum += gain
			}
			at = child
		}
	}
	for i := range out {
		if sum > 0 {
			out[i] /= sum
		}
	}
	return out
}

// pathLengths[n] is the average number of cuts that set one of n rows apart.
var pathLengths = func() (c [sampleRows + 1]float64) {
	harmonic := 0.0
	for n := 2; n < len(c); n++ {
		harmonic += 1 / float64(n-1)
		c[n] = 2*harmonic - 2*float64(n-1)/float64(n)
	}
	return c
}()
