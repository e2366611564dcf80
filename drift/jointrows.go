package drift

import (
	"math"
	"slices"

	"sluice/drift/binned"
	"sluice/feature"
	"sluice/quality/sketch"
)

const (
	nullScore   = -6.0 // the place of null: beyond every normal score
	pairLeast   = 0.6  // rank correlation from which a pair of features is compared
	maxPairs    = 8
	pairSamples = 4096 // rows that correlations are taken over at most
)

// jointEncoder turns a sampled row into a vector for an Isolation Forest:
//
//   - a numeric value into the normal score of its rank in the baseline's bins,
//     linear within a bin, so that no scale or heavy tail crowds the others out;
//   - a category, ordered by frequency, into the normal score of the middle of its
//     ranks; all values outside the layout's categories share the last place;
//   - null, not-a-number: -6, beyond every score;
//   - for each of up to eight pairs of numeric features whose normal scores
//     correlate by .6 or more in the baseline, the difference (or sum) of the two in its own
//     standard deviations. Trees cut along axes and do not see a pairing that is
//     broken inside two unchanged margins; the difference shows it. Null on a side
//     gives 0. Derived columns have a forest of their own.
type jointEncoder struct {
	layout  string
	columns []jointColumn
	pairs   []jointPair
}

// jointColumn is a feature with the counts of its bins over the baseline.
type jointColumn struct {
	name        string
	id          uint32
	categorical bool
	pooled      []uint64
}

// jointPair is a derived column: (a - sign * b - mean) / sd.
type jointPair struct {
	a, b     int // columns
	sign     float64
	mean, sd float64
}

func newJointEncoder(view *feature.View, layout *sketch.Layout, history []WindowProfile) jointEncoder {
	e := jointEncoder{layout: layout.Digest()}
	for i, def := range view.Features {
		at := layout.Feature(def.ID)
		s := shapeOf(at)
		if s.class == presence || len(e.columns) == jointColumns {
			continue
		}
		if c := clockOf(view, layout, history, i); c != nil && c.Alone { // its ages leave those of history by themselves
			continue
		}
		c := jointColumn{name: def.Name, id: def.ID, categorical: s.class == categorical, pooled: make([]uint64, at.Bins())}
		for _, w := range history {
			for k, n := range countsOf(columnOf(w.Profile, view, i), s, at.Bins()).bins {
				c.pooled[k] += n
			}
		}
		if binned.Total(c.pooled) > 0 {
			e.columns = append(e.columns, c)
		}
	}
	return e
}

// binder is an encoder bound to the bins of its layout.
type binder struct {
	columns []boundColumn
}

type boundColumn struct {
	at    *sketch.FeatureLayout
	id    uint32
	bool  bool
	below []float64 // rank at which each bin begins; one more at the end
	codes map[string]float64
	rest  float64 // of a category without a code
}

// bind looks the columns up in the layout, whose digest the caller has compared.
func (e *jointEncoder) bind(view *feature.View, layout *sketch.Layout) binder {
	var b binder
	for _, c := range e.columns {
		column := boundColumn{at: layout.Feature(c.id), id: c.id}
		if column.at == nil || column.at.Bins() != len(c.pooled) {
			column.at = nil
			b.columns = append(b.columns, column)
			continue
		}
		n, below := binned.Total(c.pooled), 0.0
		for _, k := range c.pooled {
			column.below = append(column.below, below/n)
			below += float64(k)
		}
		column.below = append(column.below, 1)
		if c.categorical {
			column.bool = column.at.Type == feature.Bool
			column.code(c.pooled, n)
		}
		b.columns = append(b.columns, column)
	}
	return b
}

// code places categories by falling frequency.
func (c *boundColumn) code(pooled []uint64, n float64) {
	c.codes = make(map[string]float64, len(c.at.Categories))
	below := 0.0
	for _, bin := range largest(pooled[:len(c.at.Categories)], len(pooled)) {
		k := float64(pooled[bin])
		c.codes[c.at.Categories[bin]] = normalScore((below+k/2)/n, scoreClip)
		below += k
	}
	c.rest = normalScore((below+n)/2/n, scoreClip)
}

// rows encodes a profile's row sample, without derived columns.
func (b *binder) rows(p *sketch.Profile) [][]float64 {
	places := make([]int, len(b.columns))
	for i := range b.columns {
		id := b.columns[i].id
		places[i] = slices.IndexFunc(p.Columns, func(c sketch.Column) bool { return c.ID == id })
	}
	sampled := p.SampledRows()
	out := make([][]float64, len(sampled))
	for r := range sampled {
		row := make([]float64, len(b.columns), len(b.columns)+maxPairs)
		for i := range b.columns {
			row[i] = nullScore
			if places[i] >= 0 && places[i] < len(sampled[r].Values) {
				row[i] = b.columns[i].encode(sampled[r].Values[places[i]])
			}
		}
		out[r] = row
	}
	return out
}

func (c *boundColumn) encode(v feature.Value) float64 {
	if v.IsNull() || c.at == nil {
		return nullScore
	}
	if c.codes != nil {
		text := v.Text()
		if c.bool && v.Int() < int64(len(c.at.Categories)) {
			text = c.at.Categories[v.Int()]
		}
		if code, ok := c.codes[text]; ok {
			return code
		}
		return c.rest
	}
	x := v.Float()
	bin := c.at.Bin(x)
	if bin < 0 {
		return nullScore
	}
	within := 0.5
	if _, atom := c.at.Atom(bin); !atom && bin > 0 && bin < len(c.at.Edges) {
		low, high := c.at.Edges[bin-1], c.at.Edges[bin]
		within = clamp01((x - low) / (high - low))
	}
	return normalScore(c.below[bin]+within*(c.below[bin+1]-c.below[bin]), scoreClip)
}

// pair finds the most correlated pairs of numeric columns in the vectors.
func (e *jointEncoder) pair(windows [][][]float64) {
	var rows [][]float64
	for _, w := range windows {
		rows = append(rows, w...)
	}
	if step := len(rows) / pairSamples; step > 1 {
		kept := rows[:0]
		for i := 0; i < len(rows); i += step {
			kept = append(kept, rows[i])
		}
		rows = kept
	}
	type candidate struct {
		jointPair
		strength float64
	}
	var found []candidate
	for a := range e.columns {
		for b := a + 1; b < len(e.columns); b++ {
			if e.columns[a].categorical || e.columns[b].categorical {
				continue
			}
			if pair, r := correlate(rows, a, b); math.Abs(r) >= pairLeast {
				found = append(found, candidate{pair, math.Abs(r)})
			}
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int {
		if a.strength != b.strength {
			return int(math.Copysign(1, b.strength-a.strength))
		}
		return 0
	})
	for _, c := range found[:min(len(found), maxPairs)] {
		e.pairs = append(e.pairs, c.jointPair)
	}
}

// correlate returns the correlation of two columns over the rows where neither is
// null, and the pair with its moments; 0 if one hardly varies.
func correlate(rows [][]float64, a, b int) (jointPair, float64) {
	var n, sa, sb, saa, sbb, sab float64
	for _, row := range rows {
		x, y := row[a], row[b]
		if x == nullScore || y == nullScore {
			continue
		}
		n, sa, sb, saa, sbb, sab = n+1, sa+x, sb+y, saa+x*x, sbb+y*y, sab+x*y
	}
	pair := jointPair{a: a, b: b, sign: 1}
	if n < fewRows {
		return pair, 0
	}
	va, vb, cov := saa/n-sa/n*sa/n, sbb/n-sb/n*sb/n, sab/n-sa/n*sb/n
	if va < 1e-6 || vb < 1e-6 {
		return pair, 0
	}
	if cov < 0 {
		pair.sign = -1
	}
	pair.mean = sa/n - pair.sign*sb/n
	pair.sd = math.Sqrt(max(1e-4, va+vb-2*pair.sign*cov)) // two equal columns leave rounding only
	return pair, cov / math.Sqrt(va*vb)
}

// derive appends the derived columns of a row.
func (e *jointEncoder) derive(row []float64) []float64 {
	for _, p := range e.pairs {
		x, y := row[p.a], row[p.b]
		if x == nullScore || y == nullScore {
			row = append(row, 0)
			continue
		}
		row = append(row, (x-p.sign*y-p.mean)/p.sd)
	}
	return row
}

// parts returns where in a row the vectors of the forests lie: the features' own
// columns, and the derived ones if there are any.
func (e *jointEncoder) parts() [][2]int {
	n := len(e.columns)
	parts := [][2]int{{0, n}}
	if len(e.pairs) > 0 {
		parts = append(parts, [2]int{n, n + len(e.pairs)})
	}
	return parts
}

// credit adds the contribution of a vector's i-th entry to the features behind it.
func (e *jointEncoder) credit(sum []float64, i int, contribution float64) {
	if i < len(sum) {
		sum[i] += contribution
		return
	}
	p := e.pairs[i-len(sum)]
	sum[p.a] += contribution / 2
	sum[p.b] += contribution / 2
}
