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
	maxMarks     = 1 << 13 // hashes of known values of a feature
)

// MarshalBinary returns the layout's binary form, without From. It returns no
// error. An unbinned layout has one too.
func (l *Layout) MarshalBinary() ([]byte, error) { return l.append(nil), nil }

func (l *Layout) append(b []byte) []byte {
	if l.binned {
		b = append(b, layoutFormat, 1)
	} else {
		b = append(b, layoutFormat, 0)
	}
	b = binary.AppendUvarint(b, uint64(len(l.Features)))
	for i := range l.Features {
		b = l.Features[i].append(b)
	}
	return b
}

func (f *FeatureLayout) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(f.ID))
	b = append(b, byte(f.Type))
	b = binary.AppendUvarint(b, uint64(f.Sample))
	switch k := kindOf(f.Type); {
	case k.numeric():
		b = binary.AppendUvarint(b, uint64(len(f.Edges)))
		for _, e := range f.Edges {
			b = appendFloat(b, e)
		}
		if f.numeric() {
			b = appendFloat(appendFloat(b, f.Centre), f.Scale)
		}
	case k == texts:
		b = f.appendMarks(b)
	case k == bools:
		b = binary.AppendUvarint(b, uint64(len(f.Categories)))
	}
	return b
}

func (f *FeatureLayout) appendMarks(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(f.Categories)))
	for i, text := range f.Categories {
		b = binary.LittleEndian.AppendUint64(appendText(b, text), f.marks[i])
	}
	b = binary.AppendUvarint(b, uint64(len(f.others)))
	for _, mark := range f.others {
		b = binary.LittleEndian.AppendUint64(b, mark)
	}
	return b
}

// UnmarshalLayout reads what MarshalBinary wrote; ErrCorrupt for any other bytes.
// The layout shares no memory with b, and its From is zero.
func UnmarshalLayout(b []byte) (*Layout, error) {
	r := &reader{b: b}
	if r.byte() != layoutFormat {
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
	if !r.done() || !bytes.Equal(l.append(nil), b) {
		return nil, fmt.Errorf("decode layout: %w", ErrCorrupt)
	}
	l.index()
	return l, nil
}

func readFeatureLayout(r *reader) FeatureLayout {
	id, t, sample := r.uvarint(), feature.Type(r.byte()), r.uvarint()
	if id > math.MaxUint32 || !t.Valid() || sample > math.MaxInt32 {
		r.fail()
		return FeatureLayout{}
	}
	f := FeatureLayout{ID: uint32(id), Type: t, Sample: int(sample)}
	switch k := kindOf(t); {
	case k.numeric():
		readEdges(r, &f)
	case k == texts:
		readMarks(r, &f)
	case k == bools:
		switch r.uvarint() {
		case 0:
		case uint64(len(boolCategories)):
			f.Categories = boolCategories
		default:
			r.fail()
		}
	}
	return f
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

func readMarks(r *reader, f *FeatureLayout) {
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
		f.Categories = append(f.Categories, text)
		f.marks = append(f.marks, r.fixed64())
		known[f.marks[len(f.marks)-1]] = true
	}
	n = r.count(8)
	if n > maxMarks || n > 0 && len(f.marks) == 0 {
		r.fail()
		return
	}
	for range n {
		f.others = append(f.others, r.fixed64())
		known[f.others[len(f.others)-1]] = true
	}
	if len(known) != len(f.marks)+len(f.others) || !slices.IsSorted(f.others) {
		r.fail()
	}
}
