package sketch

import (
	"cmp"
	"encoding/binary"
	"slices"
)

const (
	// MaxDimensionValues is the most values of a dimension that have a slot of their own.
	MaxDimensionValues = 8
	// maxCounters bounds what a breakdown counts, over all dimensions, slots and bins.
	maxCounters = 1 << 16
)

// DimensionLayout is how rows are told apart in one dimension: slot i holds those of
// Values[i], most frequent first; then come those of other values of the sample, and of
// values that the sample lacks. Texts are cut to MaxText bytes and are for display.
type DimensionLayout struct {
	Dimension
	Sample int // sampled rows that had a value
	Values []string

	marks  []uint64 // keyed hashes of Values
	others []uint64 // keyed hashes of the sample's other values, rising
	table  *marksTable
}

// Slots returns the number of slots.
func (d *DimensionLayout) Slots() int { return len(d.Values) + 2 }

// Other returns the slot of values of the sample without a slot of their own.
func (d *DimensionLayout) Other() int { return len(d.Values) }

// Unseen returns the slot of values that the sample lacks.
func (d *DimensionLayout) Unseen() int { return len(d.Values) + 1 }

// Slot returns the slot of a sampled row; -1 if it has no value in the dimension.
func (d *DimensionLayout) Slot(row *SampleRow) int {
	t := row.tag(d.Dimension)
	if t == nil {
		return -1
	}
	return int(d.table.find(t.mark))
}

// Dimensions returns the dimensions that profiles over l count by, in their order. The
// caller must not change them.
func (l *Layout) Dimensions() []DimensionLayout { return l.dimensions }

// buildDimensions pins the values of every dimension that the sampled rows have, as many
// as leave the breakdown within maxCounters. Dimensions that do not fit, the last first,
// are left out, and so are all of a view too wide for any.
func (l *Layout) buildDimensions(rows []SampleRow) {
	counts := map[Dimension]marksCount{}
	for i := range rows {
		for _, t := range rows[i].Tags {
			if counts[t.Dimension] == nil {
				counts[t.Dimension] = marksCount{}
			}
			counts[t.Dimension].add(t.mark, t.Text)
		}
	}
	var found []Dimension
	for of := range counts {
		found = append(found, of)
	}
	slices.SortFunc(found, compareDimensions)
	found = found[:min(len(found), maxDimensions)]
	width := l.countersPerSlot()
	values := 0
	for len(found) > 0 {
		if values = min(MaxDimensionValues, maxCounters/(len(found)*width)-2); values > 0 {
			break
		}
		found = found[:len(found)-1]
	}
	for _, of := range found {
		d := DimensionLayout{Dimension: of}
		for n, c := range counts[of].ranked() {
			d.Sample += c.count
			if n < values {
				d.Values, d.marks = append(d.Values, c.text), append(d.marks, c.mark)
			} else if len(d.others) < maxMarks {
				d.others = append(d.others, c.mark)
			}
		}
		slices.Sort(d.others)
		l.dimensions = append(l.dimensions, d)
	}
}

// countersPerSlot returns how many counters a slot of a breakdown over l has, at least 2.
func (l *Layout) countersPerSlot() int {
	n := 2
	for i := range l.Features {
		n += l.Features[i].Bins() + 2
	}
	return n
}

// marksCount counts values by their keyed hash.
type marksCount map[uint64]*markCount

type markCount struct {
	text  string
	mark  uint64
	count int
}

func (m marksCount) add(mark uint64, text string) {
	c := m[mark]
	if c == nil {
		c = &markCount{text: text, mark: mark}
		m[mark] = c
	}
	c.count++
}

// ranked returns the values, most frequent first; of equally frequent ones the smaller
// text comes first.
func (m marksCount) ranked() []*markCount {
	all := make([]*markCount, 0, len(m))
	for _, c := range m {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b *markCount) int {
		return cmp.Or(cmp.Compare(b.count, a.count), cmp.Compare(a.text, b.text), cmp.Compare(a.mark, b.mark))
	})
	return all
}

// appendDimensions appends the dimensions, of which there are some.
func (l *Layout) appendDimensions(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(l.dimensions)))
	for i := range l.dimensions {
		d := &l.dimensions[i]
		b = appendDimension(b, d.Dimension)
		b = binary.AppendUvarint(b, uint64(d.Sample))
		b = appendMarks(b, d.Values, d.marks, d.others)
	}
	return b
}

func appendDimension(b []byte, d Dimension) []byte {
	return appendText(append(b, byte(d.Kind)), d.Name)
}

// readDimension reads a dimension, which comes after last.
func readDimension(r *reader, last Dimension) Dimension {
	d := Dimension{Kind: DimensionKind(r.byte()), Name: r.text()}
	if d.Kind < HeaderDimension || d.Kind > SliceDimension || d.Name == "" || len(d.Name) > MaxText || compareDimensions(last, d) >= 0 {
		r.fail()
	}
	return d
}

func (l *Layout) readDimensions(r *reader) {
	n := r.count(6)
	if n == 0 || n > maxDimensions {
		r.fail()
	}
	var last Dimension
	for range n {
		d := DimensionLayout{Dimension: readDimension(r, last)}
		last = d.Dimension
		sample := r.uvarint()
		if d.Sample = int(sample); sample > maxSample {
			r.fail()
		}
		d.Values, d.marks, d.others = readMarks(r)
		if len(d.Values) == 0 || len(d.Values) > MaxDimensionValues {
			r.fail()
		}
		if r.bad {
			return
		}
		l.dimensions = append(l.dimensions, d)
	}
	counters := 0
	for i := range l.dimensions {
		counters += l.dimensions[i].Slots() * l.countersPerSlot()
	}
	if counters > maxCounters {
		r.fail()
	}
}
