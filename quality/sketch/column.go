package sketch

import (
	"math"

	"sluice/feature"
)

// Column is what a profile holds of one feature.
type Column struct {
	ID    uint32
	Type  feature.Type // of a facet: of the elements, timestamp or json
	Facet Facet

	// Part holds the facet that values of the type have; nil if they have none, and if
	// a part of the profile was written before there were facets. Its N counts, of hours,
	// timestamps; of elements, those in bins; of paths, values, in whose bins a value counts
	// once for each of its paths, as NaN what is no JSON, and as Clipped what is beyond
	// MaxPathDepth or MaxRowPaths.
	Part *Column

	N      uint64 // values counted in bins: neither null nor not-a-number nor infinite
	Nulls  uint64
	NaN    uint64
	PosInf uint64
	NegInf uint64

	Refused uint64 // quarantined writes that broke this feature's expectations; not among the others
	Clipped uint64 // values that entered moments at their limit: see MomentRange

	Min, Max float64 // of the N values of a numeric feature; 0 if N is 0

	kind    kind
	layout  *FeatureLayout // nil without bins
	bins    []uint64
	moments moments
	// low is the least key so far of a value near the centre, and low+width the first beyond
	// the greatest. A value of a key between, as most are, is near too and widens nothing.
	low, width uint64

	hll     *registers // nil before the first value
	buckets *buckets   // of categories; nil while every value has a bin of its own
	// unspread is how many of the N values of a text were counted before there were buckets.
	unspread uint64
	last     int32 // bin of the value added last; -1 if it has none: null, not-a-number or infinite
	walker   *pathWalker
}

func newColumn(id uint32, t feature.Type, layout *Layout) Column {
	c := Column{ID: id, Type: t, kind: kindOf(t)}
	if f := layout.Feature(id); f != nil && f.Type == t && f.Bins() > 0 {
		c.layout, c.bins = f, make([]uint64, f.Bins())
	}
	c.Part = newPart(id, t, layout)
	return c
}

// add counts one value of a row whose window starts at start, in Unix seconds.
func (c *Column) add(v *feature.Value, h *hasher, start int64) {
	t, raw := feature.Peek(v)
	c.last = -1
	if t == 0 {
		c.addMissing(raw)
		return
	}
	switch c.kind {
	case floats:
		c.addFloat(math.Float64frombits(raw), h)
	case ints:
		c.addInt(int64(raw), raw, h)
	case ages:
		c.addInt(age(start, int64(raw)), raw, h)
		if c.Part != nil {
			c.Part.addHour(int64(raw))
		}
	case lengths:
		list := v.List()
		c.addInt(int64(len(list)), uint64(len(list)), h)
		if c.Part != nil {
			for i := range list {
				c.Part.add(&list[i], h, start)
			}
		}
	case texts:
		c.addMark(h.text(feature.PeekText(v)))
	case bools:
		c.addBool(raw&1, h)
	default:
		c.N++
		c.last = 0
		if c.Part != nil {
			c.Part.addPaths(feature.PeekText(v), h)
		}
	}
}

// addMissing counts a null, as what it stands for if it does: see feature.Feature.Admit.
func (c *Column) addMissing(raw uint64) {
	if raw == 0 {
		c.Nulls++
		return
	}
	c.addSpecial(math.Float64frombits(raw))
}

func (c *Column) addFloat(v float64, h *hasher) {
	v += 0 // -0 becomes 0
	b := math.Float64bits(v)
	if b>>52&0x7ff == 0x7ff {
		c.addSpecial(v)
		return
	}
	c.addNumber(v)
	c.distinct().add(h.number(b))
}

// age returns how long before start a time was, both in Unix seconds; the largest or
// smallest number of seconds if it is more than that.
func age(start, at int64) int64 {
	d := start - at
	switch {
	case at < 0 && d < start:
		return math.MaxInt64
	case at > 0 && d > start:
		return math.MinInt64
	}
	return d
}

// addInt counts the number v; id tells the value from others.
func (c *Column) addInt(v int64, id uint64, h *hasher) {
	c.addNumber(float64(v))
	c.distinct().add(h.number(id))
}

func (c *Column) addSpecial(v float64) {
	switch {
	case math.IsInf(v, 1):
		c.PosInf++
	case math.IsInf(v, -1):
		c.NegInf++
	default:
		c.NaN++
	}
}

// addNumber counts a finite v, which is not -0, in bins and moments. The order in it is
// the fastest: moments after the search take a tenth longer.
func (c *Column) addNumber(v float64) {
	f, key := c.layout, keyOf(v)
	if f == nil || key-c.low >= c.width {
		c.addOther(v, key)
		return
	}
	c.N++
	c.moments.near.add(nearest(steps(v, f.Centre, f.perStep)))
	bin := f.keys.find(key)
	c.bins[bin]++
	c.last = int32(bin)
	if c.moments.near.full() {
		c.moments.settle()
	}
}

// addOther is addNumber for any value: without bins, far out, or the least or greatest yet.
//
//go:noinline
func (c *Column) addOther(v float64, key uint64) {
	if key-c.low >= c.width {
		c.widen(v, key)
	}
	c.N++
	f := c.layout
	if f == nil {
		c.last = 0
		return
	}
	bin := f.keys.find(key)
	c.bins[bin]++
	c.last = int32(bin)
	x, clipped := clip(steps(v, f.Centre, f.perStep))
	if clipped {
		c.Clipped++
	}
	c.moments.add(nearest(x))
}

// widen takes v into minimum and maximum, before it is counted.
func (c *Column) widen(v float64, key uint64) {
	if c.N == 0 {
		c.Min, c.Max = v, v
	}
	c.Min, c.Max = min(c.Min, v), max(c.Max, v)
	switch {
	case c.layout != nil && !c.layout.near(v):
	case c.width == 0:
		c.low, c.width = key, 1
	default:
		beyond := max(c.low+c.width, key+1)
		c.low = min(c.low, key)
		c.width = beyond - c.low
	}
}

func (c *Column) addMark(mark uint64) {
	c.N++
	c.distinct().add(mark)
	c.last = 0
	if c.layout != nil {
		bin := c.layout.table.find(mark)
		c.bins[bin]++
		c.last = int32(bin)
		if rarer := c.layout.table.unseen - 1; bin >= rarer {
			c.spread(mark, bin > rarer)
		}
	}
}

func (c *Column) addBool(v uint64, h *hasher) {
	c.N++
	c.distinct().add(h.number(v))
	c.last = 0
	if c.layout != nil {
		c.bins[v]++
		c.last = int32(v)
	}
}

func (c *Column) distinct() *registers {
	if c.hll == nil {
		c.hll = new(registers)
	}
	return c.hll
}

// merge adds o, a column of the same feature and layout.
func (c *Column) merge(o *Column) {
	if o.N > 0 && c.kind.numeric() {
		if c.N == 0 {
			c.Min, c.Max = o.Min, o.Max
		}
		c.Min, c.Max = min(c.Min, o.Min), max(c.Max, o.Max)
	}
	c.N += o.N
	c.Nulls += o.Nulls
	c.NaN += o.NaN
	c.PosInf += o.PosInf
	c.NegInf += o.NegInf
	c.Refused += o.Refused
	c.Clipped += o.Clipped
	bins := c.bins[:len(o.bins)]
	for i, n := range o.bins {
		bins[i] += n
	}
	c.moments.merge(&o.moments)
	c.mergeBuckets(o)
	if o.hll != nil {
		c.distinct().merge(o.hll)
	}
	if c.Part != nil || o.Part != nil {
		c.mergePart(o)
	}
}
