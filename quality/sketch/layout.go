package sketch

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"time"

	"sluice/feature"
)

// MaxCategories is the most values of a feature that have a bin of their own.
const MaxCategories = 64

// Layout fixes the bins of a view's features. It is immutable, except that who
// loads it sets From before sharing it.
type Layout struct {
	// From is the start of the first window that the layout applies to. It is
	// neither in the binary form nor in the digest.
	From     time.Time
	Features []FeatureLayout // in the order of the view it was built for

	dimensions []DimensionLayout // in their order

	binned  bool // false for an unbinned one
	digest  string
	offsets []int // of each feature in the counters of a breakdown's slot, and their end
	at      map[uint32]int
}

// FeatureLayout is the bins of one feature, or of a facet of one. A feature without a
// value in the sample, and one of type json, has none.
type FeatureLayout struct {
	ID     uint32
	Type   feature.Type // of a facet: of the elements, timestamp or json
	Facet  Facet
	Sample int // values that it was built from

	// Part is the bins of the facet that values of the type have; nil without.
	Part *FeatureLayout

	// Numeric: bin i holds the values v with Edges[i-1] <= v < Edges[i], open to
	// the outside at both ends. Centre is the sample's median, Scale a robust
	// standard deviation, above 0.
	Edges  []float64
	Centre float64
	Scale  float64

	// Categories: bin i holds Categories[i], most frequent first; the last bin
	// but one holds other values of the sample, the last one unseen values. The
	// texts are cut to MaxText bytes and are for display. Those of facet Paths are paths, and
	// a row counts in the bin of each that it has, once in either of the last two.
	Categories []string

	keys    *searchKeys
	perStep float64
	marks   []uint64 // keyed hashes of Categories
	others  []uint64 // keyed hashes of the sample's other values, rising
	table   *marksTable
}

// Unbinned returns the layout of a view's windows before bins can be pinned: its
// profiles hold counts, minima, maxima, distinct counts and the sample.
func Unbinned(view *feature.View) *Layout {
	l := &Layout{Features: make([]FeatureLayout, len(view.Features))}
	for i, f := range view.Features {
		l.Features[i] = FeatureLayout{ID: f.ID, Type: f.Type}
	}
	l.index()
	return l
}

// Digest names the layout: 32 hex digits, or "" of an unbinned one.
func (l *Layout) Digest() string { return l.digest }

// Feature returns the bins of the feature of that id; nil if the layout does not
// know it.
func (l *Layout) Feature(id uint32) *FeatureLayout {
	i, ok := l.at[id]
	if !ok {
		return nil
	}
	return &l.Features[i]
}

// index fills in what is derived.
func (l *Layout) index() {
	if l.binned {
		sum := sha256.Sum256(l.append(nil))
		l.digest = hex.EncodeToString(sum[:16])
	}
	l.at = make(map[uint32]int, len(l.Features))
	for i := range l.Features {
		l.Features[i].index()
		l.at[l.Features[i].ID] = i
	}
	if len(l.dimensions) > 0 {
		l.offsets = l.offsetsOf()
	}
	for i := range l.dimensions {
		d := &l.dimensions[i]
		d.table = newMarksTable(d.marks, d.others)
	}
}

func (f *FeatureLayout) index() {
	switch {
	case f.numeric():
		f.keys, f.perStep = newSearchKeys(f.Edges), MomentSteps/f.Scale
	case f.marks != nil:
		f.table = newMarksTable(f.marks, f.others)
	}
	if f.Part != nil {
		f.Part.index()
	}
}

// numeric reports whether there are numeric bins.
func (f *FeatureLayout) numeric() bool { return len(f.Edges) > 0 }

// Bins returns the number of bins; 0 if there are none.
func (f *FeatureLayout) Bins() int {
	switch {
	case f.Facet == Hours:
		return HoursOfWeek
	case f.numeric():
		return len(f.Edges) + 1
	case len(f.Categories) > 0:
		return len(f.Categories) + 2
	}
	return 0
}

// Other returns the bin of values of the sample without a bin of their own, and
// Unseen that of values that the sample lacks; -1 without categories.
func (f *FeatureLayout) Other() int { return f.Unseen() - min(1, len(f.Categories)) }

// Unseen: see Other.
func (f *FeatureLayout) Unseen() int {
	if len(f.Categories) == 0 {
		return -1
	}
	return len(f.Categories) + 1
}

// Atom returns the one value that a numeric bin holds; false if it holds a range.
func (f *FeatureLayout) Atom(bin int) (float64, bool) {
	if bin < 1 || bin >= len(f.Edges) || f.Edges[bin] != math.Nextafter(f.Edges[bin-1], math.Inf(1)) {
		return 0, false
	}
	return f.Edges[bin-1], true
}

// Bin returns the numeric bin of a finite v; -1 without numeric bins.
func (f *FeatureLayout) Bin(v float64) int {
	if !f.numeric() || math.IsNaN(v) {
		return -1
	}
	return int(f.keys.find(orderedKey(math.Float64bits(v + 0))))
}

// marksTable finds the bin of a value by its keyed hash: open addressing, at most
// half full.
type marksTable struct {
	slots  []markSlot
	unseen uint64
}

type markSlot struct {
	mark uint64
	next uint64 // bin + 1; 0 is an empty slot
}

func newMarksTable(marks, others []uint64) *marksTable {
	size := 4
	for size < 2*(len(marks)+len(others)) {
		size *= 2
	}
	t := &marksTable{slots: make([]markSlot, size), unseen: uint64(len(marks) + 1)}
	for bin, mark := range marks {
		t.put(mark, uint64(bin))
	}
	for _, mark := range others {
		t.put(mark, uint64(len(marks)))
	}
	return t
}

func (t *marksTable) put(mark, bin uint64) {
	mask := uint64(len(t.slots) - 1)
	i := mark & mask
	for t.slots[i].next != 0 {
		i = (i + 1) & mask
	}
	t.slots[i] = markSlot{mark, bin + 1}
}

func (t *marksTable) find(mark uint64) uint64 {
	slots := t.slots
	mask := uint64(len(slots) - 1)
	for i := mark & mask; ; i = (i + 1) & mask {
		s := slots[i&uint64(len(slots)-1)]
		if s.next == 0 {
			return t.unseen
		}
		if s.mark == mark {
			return s.next - 1
		}
	}
}
