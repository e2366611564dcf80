package sketch

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
)

// tagged reports whether a breakdown follows a profile's sample: what its rows say in
// dimensions, and the counts if the layout has dimensions.
func (p *Profile) tagged() bool {
	return len(p.layout.dimensions) > 0 || slices.ContainsFunc(p.Sample, func(r SampleRow) bool { return len(r.Tags) > 0 })
}

func (p *Profile) appendBreakdown(b []byte) []byte {
	b = p.appendTags(b)
	if len(p.layout.dimensions) == 0 {
		return b
	}
	switch {
	case p.breakdown.packed != nil:
		return append(b, p.breakdown.packed...)
	case p.breakdown.dimensions == nil:
		return p.layout.appendSlots(b, p.layout.emptyBreakdown())
	}
	return p.layout.appendSlots(b, p.breakdown.dimensions)
}

// spelling is how a value of a dimension is written: once, with its hash.
type spelling struct {
	mark uint64
	text string
}

// appendTags appends the dimensions that the sampled rows have, of each its values by
// rising hash, and of each row the place of its value among them, from 1, or 0.
func (p *Profile) appendTags(b []byte) []byte {
	values := map[Dimension]map[uint64]string{}
	for i := range p.Sample {
		for _, t := range p.Sample[i].Tags {
			of := values[t.Dimension]
			if of == nil {
				of = map[uint64]string{}
				values[t.Dimension] = of
			}
			if known, ok := of[t.mark]; !ok || t.Text < known {
				of[t.mark] = t.Text
			}
		}
	}
	var found []Dimension
	for of := range values {
		found = append(found, of)
	}
	slices.SortFunc(found, compareDimensions)
	b = binary.AppendUvarint(b, uint64(len(found)))
	for _, of := range found {
		b = appendDimension(b, of)
		all := make([]spelling, 0, len(values[of]))
		for mark, text := range values[of] {
			all = append(all, spelling{mark, text})
		}
		slices.SortFunc(all, func(a, b spelling) int { return cmp.Compare(a.mark, b.mark) })
		b = binary.AppendUvarint(b, uint64(len(all)))
		places := make(map[uint64]uint64, len(all))
		for i, s := range all {
			b = appendText(binary.LittleEndian.AppendUint64(b, s.mark), s.text)
			places[s.mark] = uint64(i + 1)
		}
		for i := range p.Sample {
			place := uint64(0)
			if t := p.Sample[i].tag(of); t != nil {
				place = places[t.mark]
			}
			b = binary.AppendUvarint(b, place)
		}
	}
	return b
}

func (p *Profile) readTags(r *reader) {
	n := r.count(3)
	if n > maxDimensions {
		r.fail()
	}
	var last Dimension
	for range n {
		of := readDimension(r, last)
		last = of
		all := make([]spelling, r.count(9))
		for i := range all {
			all[i] = spelling{r.fixed64(), r.text()}
			if len(all[i].text) > maxTagText {
				r.fail()
			}
		}
		for i := range p.Sample {
			place := r.uvarint()
			if place > uint64(len(all)) {
				r.fail()
			}
			if r.bad {
				return
			}
			if place > 0 {
				p.Sample[i].Tags = append(p.Sample[i].Tags, Tag{of, all[place-1].text, all[place-1].mark})
			}
		}
	}
}

// appendSlots appends the counts of a breakdown: of every slot its rows, what was refused,
// and of each feature the rows without a value and the bins, in which 0 is followed by
// how many more zeros there are.
func (l *Layout) appendSlots(b []byte, all []slots) []byte {
	for d := range all {
		b = binary.AppendUvarint(b, all[d].rows)
		for i := range all[d].slot {
			b = l.appendSlot(b, &all[d].slot[i])
		}
	}
	return b
}

func (l *Layout) appendSlot(b []byte, s *slot) []byte {
	b = binary.AppendUvarint(binary.AppendUvarint(b, s.rows), s.whole)
	blamed, last := 0, 0
	for i := range l.Features {
		if s.counters != nil && s.counters[l.offsets[i]+atRefused] > 0 {
			blamed++
		}
	}
	b = binary.AppendUvarint(b, uint64(blamed))
	for i := 0; blamed > 0 && i < len(l.Features); i++ {
		if n := s.counters[l.offsets[i]+atRefused]; n > 0 {
			b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(i-last)), n)
			last = i
		}
	}
	if s.rows == 0 {
		return b
	}
	for i := range l.Features {
		c := s.counters[l.offsets[i]:l.offsets[i+1]]
		b = binary.AppendUvarint(b, c[atMissing])
		if c[atMissing] < s.rows {
			b = appendSparse(b, c[atBins:])
		}
	}
	return b
}

func appendSparse(b []byte, counts []uint64) []byte {
	for i := 0; i < len(counts); i++ {
		b = binary.AppendUvarint(b, counts[i])
		if counts[i] > 0 {
			continue
		}
		more := 0
		for i+1 < len(counts) && counts[i+1] == 0 {
			i++
			more++
		}
		b = binary.AppendUvarint(b, uint64(more))
	}
	return b
}

// readBreakdown reads what appendBreakdown wrote and keeps the counts encoded.
func (p *Profile) readBreakdown(r *reader) {
	p.readTags(r)
	if r.bad || len(p.layout.dimensions) == 0 {
		return
	}
	from := r.b
	all := p.layout.emptyBreakdown()
	p.layout.addSlots(r, all)
	for d := range all {
		told := uint64(0)
		for i := range all[d].slot {
			told += all[d].slot[i].rows
		}
		if told > all[d].rows || all[d].rows > p.Profiled() {
			r.fail()
		}
	}
	if r.bad {
		return
	}
	packed := from[:len(from)-len(r.b)]
	if !bytes.Equal(p.layout.appendSlots(nil, all), packed) {
		r.fail()
		return
	}
	p.breakdown.packed = bytes.Clone(packed)
}

// addPacked adds an encoded breakdown, which was read before, to the open one.
func (p *Profile) addPacked(packed []byte) {
	if packed != nil {
		p.layout.addSlots(&reader{b: packed}, p.breakdown.dimensions)
	}
}

// addSlots adds the counts of an encoded breakdown to those in all.
func (l *Layout) addSlots(r *reader, all []slots) {
	for d := range all {
		all[d].rows += r.tally()
		for i := range all[d].slot {
			l.addSlot(r, &all[d].slot[i])
			if r.bad {
				return
			}
		}
	}
}

func (l *Layout) addSlot(r *reader, s *slot) {
	rows, whole, blamed := r.tally(), r.tally(), r.count(2)
	s.rows += rows
	s.whole += whole
	if (rows > 0 || whole > 0 || blamed > 0) && s.counters == nil {
		s.counters = make([]uint64, l.counters())
	}
	for last := uint64(0); blamed > 0; blamed-- {
		if last += min(r.uvarint(), maxColumns); last >= uint64(len(l.Features)) {
			r.fail()
			return
		}
		s.counters[l.offsets[last]+atRefused] += r.tally()
	}
	for i := 0; rows > 0 && i < len(l.Features) && !r.bad; i++ {
		c := s.counters[l.offsets[i]:l.offsets[i+1]]
		missing := r.tally()
		c[atMissing] += missing
		switch {
		case missing > rows:
			r.fail()
		case missing < rows:
			addSparse(r, c[atBins:], rows-missing)
		}
	}
}

// addSparse adds counts that sum to n.
func addSparse(r *reader, counts []uint64, n uint64) {
	sum := uint64(0)
	for i := 0; i < len(counts); i++ {
		k := r.tally()
		counts[i] += k
		sum += k
		if k > 0 {
			continue
		}
		more := r.uvarint()
		if more >= uint64(len(counts)-i) {
			r.fail()
			return
		}
		i += int(more)
	}
	if len(counts) > 0 && sum != n {
		r.fail()
	}
}
