package sketch

import (
	"math"
	"slices"

	"sluice/feature"
)

// blockRows is how many rows are taken at a time: enough to be worth it, few
// enough to stay in the fastest cache.
const blockRows = 256

// block holds the values of one column of a block of rows.
type block struct {
	rows   []*feature.Write
	starts []int64           // of the rows' windows, if there are timestamps
	keys   [blockRows]uint64 // of numbers: see orderedKey
	ids    [blockRows]uint64 // what the distinct count hashes
}

// AddBatch adds writes as Add does one by one, and gives the same profile. Numbers
// take less time: a block of rows is gone through column by column, so that a feature's
// bins stay in cache and values do not wait for each other. AddBatch retains nothing.
func (p *Profile) AddBatch(writes []*feature.Write) {
	if p.block == nil {
		p.block = &block{rows: make([]*feature.Write, 0, blockRows), starts: make([]int64, 0, blockRows)}
	}
	for rows := range slices.Chunk(writes, blockRows) {
		p.addBlock(rows)
	}
}

func (p *Profile) addBlock(writes []*feature.Write) {
	b := p.block
	b.rows, b.starts = b.rows[:0], b.starts[:0]
	for _, w := range writes {
		if w.Delete || w.View != p.view || len(w.Values) < len(p.Columns) || !p.ready || len(p.layout.dimensions) > 0 {
			p.Add(w)
			continue
		}
		p.Rows++
		start := int64(0)
		if p.aged {
			start = windowStart(w)
		}
		b.rows, b.starts = append(b.rows, w), append(b.starts, start)
		for i := range p.watches {
			p.watches[i].add(w, w.Values, &p.hash)
		}
		if hash := p.hash.row(w); p.wants(hash) {
			p.sample(hash, w, w.Values, start)
		}
	}
	for i := range p.Columns {
		p.Columns[i].addBlock(b, i, &p.hash)
	}
	clear(b.rows)
}

// addBlock counts the values at that place of the block's rows.
func (c *Column) addBlock(b *block, at int, h *hasher) {
	switch c.kind {
	case floats:
		n := c.takeFloats(b, at, h)
		c.addBins(b.keys[:n])
		c.addDistinct(b.ids[:n], h)
	case ints, ages:
		n := c.takeInts(b, at, h)
		c.addBins(b.keys[:n])
		c.addDistinct(b.ids[:n], h)
	default:
		for i, w := range b.rows {
			c.add(&w.Values[at], h, b.starts[i])
		}
	}
}

// takeFloats takes values of the rows into the moments, puts their keys into keys and their
// bits into ids, and returns how many it put. Nulls, and what may widen a range or is far out,
// it adds at once.
func (c *Column) takeFloats(b *block, at int, h *hasher) int {
	n, near := 0, tally{}
	centre, perStep := c.layout.middle()
	for _, w := range b.rows {
		t, raw := feature.Peek(&w.Values[at])
		v := math.Float64frombits(raw) + 0 // -0 becomes 0
		if key := keyOf(v); t != 0 && key-c.low < c.width {
			near.add(nearest(steps(v, centre, perStep)))
			b.keys[n], b.ids[n] = key, math.Float64bits(v)
			n++
		} else {
			c.add(&w.Values[at], h, 0)
		}
	}
	c.moments.take(near)
	return n
}

// takeInts is takeFloats for integers and ages.
func (c *Column) takeInts(b *block, at int, h *hasher) int {
	n, near := 0, tally{}
	centre, perStep := c.layout.middle()
	for i, w := range b.rows {
		t, raw := feature.Peek(&w.Values[at])
		v := int64(raw)
		if c.kind == ages {
			v = age(b.starts[i], v)
		}
		number := float64(v)
		if key := keyOf(number); t != 0 && key-c.low < c.width {
			near.add(nearest(steps(number, centre, perStep)))
			b.keys[n], b.ids[n] = key, raw
			n++
			if c.Part != nil {
				c.Part.addHour(int64(raw))
			}
		} else {
			c.add(&w.Values[at], h, b.starts[i])
		}
	}
	c.moments.take(near)
	return n
}

// addBins counts the numbers of those keys in bins.
func (c *Column) addBins(keys []uint64) {
	c.N += uint64(len(keys))
	if c.layout != nil {
		c.layout.keys.count(c.bins, keys)
	}
}

// addDistinct takes numbers into the distinct count.
func (c *Column) addDistinct(ids []uint64, h *hasher) {
	if len(ids) == 0 {
		return
	}
	hll := c.distinct()
	for _, id := range ids {
		hll.add(h.number(id))
	}
}

// near reports whether v is near the centre; values between two that are, are too.
func (f *FeatureLayout) near(v float64) bool {
	return math.Abs(steps(v, f.Centre, f.perStep)) <= nearSteps
}

// middle returns what steps are counted from and how many there are to 1; without bins
// zeros, by which every value is 0 steps away.
func (f *FeatureLayout) middle() (centre, perStep float64) {
	if f == nil {
		return 0, 0
	}
	return f.Centre, f.perStep
}
