package sketch

import (
	"cmp"
	"encoding/binary"
	"slices"

	"sluice/feature"
)

const (
	// SampledElements is how many elements of a sampled row's list are kept.
	SampledElements = 8
	// SampledPaths is how many paths of a sampled row are kept: those with the smallest
	// hashes, so that it is the same ones in every row.
	SampledPaths = 64
)

// SamplePart is an element of a sampled list, as a sample holds values, or a path of a
// sampled json value, as a string cut to MaxText bytes.
type SamplePart struct {
	Value feature.Value

	mark uint64 // keyed hash of a whole text or path; 0 of other elements
}

// Parts returns what is sampled of the facet of the column at that place: up to
// SampledElements elements of a list, spread over it evenly and none null, or up to
// SampledPaths paths. The caller must not change it.
func (r *SampleRow) Parts(column int) []SamplePart {
	if column >= len(r.parts) {
		return nil
	}
	return r.parts[column]
}

// sampleParts returns what is sampled of the facets of a row with that hash; nil if
// there are none.
func (p *Profile) sampleParts(hash uint64, values []feature.Value, start int64) [][]SamplePart {
	var parts [][]SamplePart
	for i := range min(len(values), len(p.Columns)) {
		part := p.Columns[i].Part
		if part == nil || part.Facet == Hours || values[i].IsNull() {
			continue
		}
		var taken []SamplePart
		if part.Facet == Paths {
			taken = p.samplePaths(values[i].Text())
		} else {
			taken = p.sampleElements(hash, values[i].List(), part.Type, start)
		}
		if len(taken) == 0 {
			continue
		}
		if parts == nil {
			parts = make([][]SamplePart, len(p.Columns))
		}
		parts[i] = taken
	}
	return parts
}

// sampleElements takes elements at even distances, from a place that the row's hash
// says.
func (p *Profile) sampleElements(hash uint64, list []feature.Value, t feature.Type, start int64) []SamplePart {
	n := len(list)
	k := min(n, SampledElements)
	parts := make([]SamplePart, 0, k)
	for j := range k {
		at := (int(hash%uint64(n)) + j*n/k) % n
		if v := list[at]; !v.IsNull() {
			value, mark := sampleValue(v, t, &p.hash, start)
			parts = append(parts, SamplePart{value, mark})
		}
	}
	return parts
}

func (p *Profile) samplePaths(text string) []SamplePart {
	if p.walker == nil {
		p.walker = new(pathWalker)
	}
	if !p.walker.walk(text, &p.hash, true) {
		return nil
	}
	parts := make([]SamplePart, len(p.walker.marks))
	for i, mark := range p.walker.marks {
		parts[i] = SamplePart{feature.StringValue(p.walker.names[i]), mark}
	}
	slices.SortFunc(parts, func(a, b SamplePart) int { return cmp.Compare(a.mark, b.mark) })
	return slices.Clip(parts[:min(len(parts), SampledPaths)])
}

// partsAt returns the parts of the columns at those places; -1 is none.
func (r *SampleRow) partsAt(places []int) [][]SamplePart {
	if r.parts == nil {
		return nil
	}
	parts := make([][]SamplePart, len(places))
	for i, from := range places {
		if from >= 0 {
			parts[i] = r.parts[from]
		}
	}
	return parts
}

// movedParts returns the row's parts, moved to those places of n columns.
func (r *SampleRow) movedParts(places []int, n int) [][]SamplePart {
	if r.parts == nil {
		return nil
	}
	moved := make([][]SamplePart, n)
	for i, place := range places {
		moved[place] = r.parts[i]
	}
	return moved
}

// lostParts returns the columns of p whose facet is not there, although rows of one that
// was merged may hold it: what they do is dropped.
func (p *Profile) lostParts() []int {
	var lost []int
	for i := range p.Columns {
		if p.Columns[i].Part == nil && facetOf(p.Columns[i].Type) != Value {
			lost = append(lost, i)
		}
	}
	return lost
}

// without returns the row without the parts of those columns.
func (r SampleRow) without(lost []int) SampleRow {
	if len(lost) == 0 || r.parts == nil {
		return r
	}
	content := *r.SampleContent
	content.parts = slices.Clone(r.parts)
	for _, i := range lost {
		content.parts[i] = nil
	}
	r.SampleContent = &content
	return r
}

// appendWhole is appendTagged with the row's parts, for comparing rows.
func (p *Profile) appendWhole(b []byte, row *SampleRow, order []int) []byte {
	b = p.appendTagged(b, row, order)
	for _, i := range order {
		for _, part := range row.Parts(i) {
			b = binary.LittleEndian.AppendUint64(appendSampled(b, part.Value, part.mark), part.mark)
		}
	}
	return b
}

// compareParts orders parts by hash and text.
func compareParts(a, b SamplePart) int {
	return cmp.Or(cmp.Compare(a.mark, b.mark), cmp.Compare(a.Value.Text(), b.Value.Text()))
}

func sameText(a, b SamplePart) bool { return compareParts(a, b) == 0 }

// appendParts appends what the sampled rows hold of the facet of column i: numbers and
// truths as they are; texts as places in a list of the different ones.
func (p *Profile) appendParts(b []byte, i int) []byte {
	known, byText := p.textsOf(i)
	if byText {
		b = binary.AppendUvarint(b, uint64(len(known)))
		for _, part := range known {
			b = binary.LittleEndian.AppendUint64(appendText(b, part.Value.Text()), part.mark)
		}
	}
	for r := range p.Sample {
		parts := p.Sample[r].Parts(i)
		b = binary.AppendUvarint(b, uint64(len(parts)))
		for _, part := range parts {
			if byText {
				at, _ := slices.BinarySearchFunc(known, part, compareParts)
				b = binary.AppendUvarint(b, uint64(at))
			} else {
				b = appendSampled(b, part.Value, 0)
			}
		}
	}
	return b
}

// textsOf returns the different texts that are sampled of the facet of column i, in
// order; false if it has none.
func (p *Profile) textsOf(i int) ([]SamplePart, bool) {
	if k := p.Columns[i].Part.kind; k != texts && k != paths {
		return nil, false
	}
	var known []SamplePart
	for r := range p.Sample {
		known = append(known, p.Sample[r].Parts(i)...)
	}
	slices.SortFunc(known, compareParts)
	return slices.CompactFunc(known, sameText), true
}

// readParts reads what appendParts wrote.
func (p *Profile) readParts(r *reader, i int) {
	part := p.Columns[i].Part
	byText, most := part.kind == texts || part.kind == paths, SampledElements
	if part.kind == paths {
		most = SampledPaths
	}
	var known []SamplePart
	if byText {
		known = readTexts(r, part.Type)
	}
	for k := range p.Sample {
		n := r.count(1)
		if n > most || n > 0 && p.Sample[k].Values[i].IsNull() {
			r.fail()
		}
		if r.bad || n == 0 {
			continue
		}
		row := &p.Sample[k]
		if row.parts == nil {
			row.parts = make([][]SamplePart, len(p.Columns))
		}
		row.parts[i] = make([]SamplePart, n)
		for j := range row.parts[i] {
			if !byText {
				row.parts[i][j].Value, _ = readSampled(r, part.Type)
			} else if at := r.uvarint(); at < uint64(len(known)) {
				row.parts[i][j] = known[at]
			} else {
				r.fail()
			}
		}
	}
}

func readTexts(r *reader, t feature.Type) []SamplePart {
	var known []SamplePart
	for range r.count(9) {
		text := r.text()
		if len(text) > MaxText {
			r.fail()
		}
		value := feature.StringValue(text)
		if t == feature.Bytes {
			value = feature.BytesValue([]byte(text))
		}
		known = append(known, SamplePart{value, r.fixed64()})
	}
	return known
}

// appendFacets appends, of every column that can have a facet, whether it does, what it
// counted and what was sampled of it.
func (p *Profile) appendFacets(b []byte, order []int) []byte {
	for _, i := range order {
		switch part := p.Columns[i].Part; {
		case part != nil:
			b = part.appendCounts(append(b, 1))
			if part.Facet != Hours {
				b = p.appendParts(b, i)
			}
		case facetOf(p.Columns[i].Type) != Value:
			b = append(b, 0)
		}
	}
	return b
}

// readFacets reads what appendFacets wrote; of a profile without, it takes the facets
// away.
func (p *Profile) readFacets(r *reader, order []int, faceted bool) {
	for _, i := range order {
		c := &p.Columns[i]
		if facetOf(c.Type) == Value {
			continue
		}
		if !faceted || r.byte() == 0 {
			c.Part = nil
			continue
		}
		if c.Part == nil {
			r.fail()
			return
		}
		c.Part.readCounts(r)
		if c.Part.Facet != Hours {
			p.readParts(r, i)
		}
	}
}
