package sketch

import "sluice/feature"

// Breakdown is what a profile counts by dimension: for each slot of each dimension of
// the layout its rows and, per feature, the counts of bins, of rows without a value in
// them, and of refused writes. All of it is sums, so that merging stays a law.
//
// A decoded profile keeps its breakdown encoded until something is added to it or read
// of it: history holds thousands that are only merged.
type breakdown struct {
	packed     []byte // encoded; dimensions is nil then
	dimensions []slots
}

// slots is a breakdown by one dimension.
type slots struct {
	rows uint64 // profiled while the dimension was counted, those without a value in it too
	slot []slot
}

// slot is the rows of one value, or of those without a slot of their own. Counters
// holds, per feature of the layout, the rows without a value in the bins, the refused
// writes, and the bins; nil is all zero.
type slot struct {
	rows     uint64
	whole    uint64 // refused writes that no single feature is to blame for
	counters []uint64
}

// Where the counters of a feature begin; the bins follow.
const (
	atMissing = iota
	atRefused
	atBins
)

// empty returns the breakdown of no rows over l.
func (l *Layout) emptyBreakdown() []slots {
	all := make([]slots, len(l.dimensions))
	for i := range all {
		all[i].slot = make([]slot, l.dimensions[i].Slots())
	}
	return all
}

// offsets returns where in a slot's counters each feature begins, and where the last ends.
func (l *Layout) offsetsOf() []int {
	at, n := make([]int, len(l.Features)+1), 0
	for i := range l.Features {
		at[i] = n
		n += atBins + l.Features[i].Bins()
	}
	at[len(l.Features)] = n
	return at
}

func (l *Layout) counters() int { return l.offsets[len(l.Features)] }

// open returns the breakdown for counting.
func (p *Profile) open() []slots {
	b := &p.breakdown
	if b.dimensions == nil {
		b.dimensions = p.layout.emptyBreakdown()
		p.addPacked(b.packed)
		b.packed = nil
	}
	return b.dimensions
}

// trace counts a row, which the columns have just taken, in its slots.
func (p *Profile) trace(w *feature.Write) {
	said := p.hear(w)
	all := p.open()
	for d := range all {
		all[d].rows++
		if s := p.slotOf(d, said); s != nil {
			s.rows++
			p.count(s)
		}
	}
}

// hear returns what w says in all dimensions, in memory that the next call uses again.
func (p *Profile) hear(w *feature.Write) []spoken {
	if p.placed != w.View {
		p.placed, p.slices = w.View, placesOf(w.View)
	}
	p.said = speak(p.said[:0], w, p.slices)
	return p.said
}

// slotOf returns the slot of a row in dimension d; nil if it says nothing there.
func (p *Profile) slotOf(d int, said []spoken) *slot {
	at := &p.layout.dimensions[d]
	for i := range said {
		if said[i].of != at.Dimension {
			continue
		}
		s := &p.breakdown.dimensions[d].slot[at.table.find(p.hash.text(said[i].text))]
		if s.counters == nil {
			s.counters = make([]uint64, p.layout.counters())
		}
		return s
	}
	return nil
}

// count adds the row that the columns took last.
func (p *Profile) count(s *slot) {
	if p.ordered == nil {
		p.ordered = p.inLayout()
	}
	for i, at := range p.ordered {
		counters := s.counters[p.layout.offsets[i]:p.layout.offsets[i+1]]
		switch {
		case at < 0 || p.Columns[at].last < 0 || p.Columns[at].layout == nil && len(counters) > atBins:
			counters[atMissing]++
		case len(counters) > atBins:
			counters[atBins+int(p.Columns[at].last)]++
		}
	}
}

// inLayout returns the column of each feature of the layout; -1 where there is none.
func (p *Profile) inLayout() []int {
	at := make([]int, len(p.layout.Features))
	for i := range at {
		at[i] = -1
	}
	for c := range p.Columns {
		if i, ok := p.layout.at[p.Columns[c].ID]; ok {
			at[i] = c
		}
	}
	return at
}

// RefuseWrite is Refuse for a write that could be read, which counts in its slots as well.
func (p *Profile) RefuseWrite(w *feature.Write, featureIndex int) {
	p.Refuse(featureIndex)
	if len(p.layout.dimensions) == 0 {
		return
	}
	blamed := -1
	if featureIndex >= 0 && featureIndex < len(p.Columns) {
		if i, ok := p.layout.at[p.Columns[featureIndex].ID]; ok {
			blamed = i
		}
	}
	said := p.hear(w)
	for d := range p.open() {
		switch s := p.slotOf(d, said); {
		case s == nil:
		case blamed < 0:
			s.whole++
		default:
			s.counters[p.layout.offsets[blamed]+atRefused]++
		}
	}
}

// mergeBreakdown adds that of o, which is over the same layout and stays as it is.
func (p *Profile) mergeBreakdown(o *Profile) {
	p.ordered = nil // columns may have come
	if len(p.layout.dimensions) == 0 || o.breakdown.packed == nil && o.breakdown.dimensions == nil {
		return
	}
	all := p.open()
	if o.breakdown.packed != nil {
		p.addPacked(o.breakdown.packed)
		return
	}
	for d := range all {
		from := &o.breakdown.dimensions[d]
		all[d].rows += from.rows
		for i := range from.slot {
			all[d].slot[i].merge(&from.slot[i])
		}
	}
}

func (s *slot) merge(o *slot) {
	s.rows += o.rows
	s.whole += o.whole
	if o.counters == nil {
		return
	}
	if s.counters == nil {
		s.counters = make([]uint64, len(o.counters))
	}
	for i, n := range o.counters {
		s.counters[i] += n
	}
}

// Slot is what a breakdown holds of the rows of one slot.
type Slot struct {
	Rows  uint64 // profiled
	Whole uint64 // refused writes that no single feature is to blame for

	layout   *Layout
	counters []uint64
}

// Part is what a slot holds of one feature.
type Part struct {
	Missing uint64   // rows that are null, not-a-number or infinite there
	Refused uint64   // writes that broke its expectations; not among the rows
	Bins    []uint64 // counts of the layout's bins; nil without. Not to be changed.
}

// Counted is a breakdown by one dimension.
type Counted struct {
	Rows  uint64 // told apart by it, those without a value in it too
	Slots []Slot // in the order of the dimension's slots
}

// Breakdown returns what p counts by each of its layout's dimensions. It shares memory
// with p.
func (p *Profile) Breakdown() []Counted {
	from := p.breakdown.dimensions
	if from == nil {
		from = p.layout.emptyBreakdown()
		if packed := p.breakdown.packed; packed != nil {
			p.layout.addSlots(&reader{b: packed}, from)
		}
	}
	all := make([]Counted, len(from))
	for d := range from {
		all[d] = Counted{Rows: from[d].rows, Slots: make([]Slot, len(from[d].slot))}
		for i := range from[d].slot {
			s := &from[d].slot[i]
			all[d].Slots[i] = Slot{Rows: s.rows, Whole: s.whole, layout: p.layout, counters: s.counters}
		}
	}
	return all
}

// Part returns what the slot holds of the feature of that id.
func (s *Slot) Part(id uint32) Part {
	i, ok := s.layout.at[id]
	if !ok || s.counters == nil {
		return Part{}
	}
	c := s.counters[s.layout.offsets[i]:s.layout.offsets[i+1]]
	part := Part{Missing: c[atMissing], Refused: c[atRefused]}
	if len(c) > atBins {
		part.Bins = c[atBins:]
	}
	return part
}
