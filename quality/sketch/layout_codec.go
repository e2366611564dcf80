package sketch

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"sluice/feature"
)

const (
	layoutFormat = 1
	maxColumns   = 1 << 14 // of a layout or profile
	maxMarks     = 1 << 13 // hashes of known values of a feature or dimension
	maxSample    = math.MaxInt32
)

// MarshalBinary returns the layout's binary form, without From. It returns no
// error. An unbinned layout has one too.
func (l *Layout) MarshalBinary() ([]byte, error) { return l.append(nil), nil }

func (l *Layout) append(b []byte) []byte {
	format, binned := byte(layoutFormat), byte(0)
	if l.faceted() {
		format |= withFacets
	}
	if len(l.dimensions) > 0 {
		format |= broken
	}
	if l.binned {
		binned = 1
	}
	b = append(b, format, binned)
	b = binary.AppendUvarint(b, uint64(len(l.Features)))
	for i := range l.Features {
		b = l.Features[i].append(b)
	}
	if l.faceted() {
		b = l.appendFacets(b)
	}
	if len(l.dimensions) > 0 {
		b = l.appendDimensions(b)
	}
	return b
}

func (f *FeatureLayout) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(f.ID))
	b = append(b, byte(f.Type))
	return f.appendBins(b, kindOf(f.Type))
}

// appendBins appends the bins of a feature or facet that is profiled as k says.
func (f *FeatureLayout) appendBins(b []byte, k kind) []byte {
	b = binary.AppendUvarint(b, uint64(f.Sample))
	switch {
	case k.numeric():
		b = binary.AppendUvarint(b, uint64(len(f.Edges)))
		for _, e := range f.Edges {
			b = appendFloat(b, e)
		}
		if f.numeric() {
			b = appendFloat(appendFloat(b, f.Centre), f.Scale)
		}
	case k == texts || k == paths:
		b = appendMarks(b, f.Categories, f.marks, f.others)
	case k == bools:
		b = binary.AppendUvarint(b, uint64(len(f.Categories)))
	}
	return b
}

// appendMarks appends the values that have a place of their own, with their hashes, and
// the hashes of the others.
func appendMarks(b []byte, values []string, marks, others []uint64) []byte {
	b = binary.AppendUvarint(b, uint64(len(values)))
	for i, text := range values {
		b = binary.LittleEndian.AppendUint64(appendText(b, text), marks[i])
	}
	b = binary.AppendUvarint(b, uint64(len(others)))
	for _, mark := range others {
		b = binary.LittleEndian.AppendUint64(b, mark)
	}
	return b
}

// UnmarshalLayout reads what MarshalBinary wrote; ErrCorrupt for any other bytes.
// The layout shares no memory with b, and its From is zero.
func UnmarshalLayout(b []byte) (*Layout, error) {
	r := &reader{b: b}
	format := r.byte()
	if format&^(withFacets|broken) != layoutFormat {
		return nil, fmt.Errorf("decode layout: format: %w", ErrCorrupt)
	}
	l := &Layout{binned: r.byte() == 1}
	n := r.count(3)
	if n > maxColumns {
		r.fail()
	}
	seen := map[uint32]bool{}
	for range n {
		f := readFeatureLayout(r)
		if r.bad || seen[f.ID] || f.Bins() > 0 && !l.binned {
			return nil, fmt.Errorf("decode layout: feature %d: %w", len(l.Features), ErrCorrupt)
		}
		seen[f.ID] = true
		l.Features = append(l.Features, f)
	}
	if format&withFacets != 0 {
		l.readFacets(r)
	}
	if format&broken != 0 {
		if !l.binned {
			r.fail()
		}
		l.readDimensions(r)
	}
	if !r.done() || !bytes.Equal(l.append(nil), b) {
		return nil, fmt.Errorf("decode layout: %w", ErrCorrupt)
	}
	l.index()
	return l, nil
}

func readFeatureLayout(r *reader) FeatureLayout {
	id, t := r.uvarint(), feature.Type(r.byte())
	if id > math.MaxUint32 || !t.Valid() {
		r.fail()
		return FeatureLayout{}
	}
	f := FeatureLayout{ID: uint32(id), Type: t}
	f.readBins(r, kindOf(t))
	return f
}

// readBins reads what appendBins wrote.
func (f *FeatureLayout) readBins(r *reader, k kind) {
	sample := r.uvarint()
	if sample > math.MaxInt32 {
		r.fail()
		return
	}
	f.Sample = int(sample)
	switch {
	case k.numeric():
		readEdges(r, f)
	case k == texts || k == paths:
		f.Categories, f.marks, f.others = readMarks(r)
	case k == bools:
		switch r.uvarint() {
		case 0:
		case uint64(len(boolCategories)):
			f.Categories = boolCategories
		default:
			r.fail()
		}
	}
}

func readEdges(r *reader, f *FeatureLayout) {
	n := r.count(8)
	if n > MaxEdges {
		r.fail()
	}
	for range n {
		e := r.finite()
		if k := len(f.Edges); k > 0 && !(e > f.Edges[k-1]) {
			r.fail()
		}
		f.Edges = append(f.Edges, e)
	}
	if n > 0 {
		f.Centre, f.Scale = r.finite(), r.finite()
		if !(f.Scale >= minScale && f.Scale <= maxScale) {
			r.fail()
		}
	}
}

// readMarks reads what appendMarks wrote.
func readMarks(r *reader) (values []string, marks, others []uint64) {
	n := r.count(9)
	if n > MaxCategories {
		r.fail()
	}
	known := map[uint64]bool{}
	for range n {
		text := r.text()
		if len(text) > MaxText {
			r.fail()
		}
		values = append(values, text)
		marks = append(marks, r.fixed64())
		known[marks[len(marks)-1]] = true
	}
	n = r.count(8)
	if n > maxMarks || n > 0 && len(marks) == 0 {
		r.fail()
		return values, marks, nil
	}
	for range n {
		others = append(others, r.fixed64())
		known[others[len(others)-1]] = true
	}
	if len(known) != len(marks)+len(others) || !slices.IsSorted(others) {
		r.fail()
	}
	return values, marks, others
}
