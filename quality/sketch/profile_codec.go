package sketch

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"sluice/feature"
)

const profileFormat = 1

// MarshalBinary returns the profile's binary form: the same bytes for the same
// writes. It returns no error.
func (p *Profile) MarshalBinary() ([]byte, error) { return p.append(nil), nil }

// ProfileLayout returns the digest of the layout that an encoded profile counts
// in; ErrCorrupt if b is no profile.
func ProfileLayout(b []byte) (digest string, err error) {
	r := &reader{b: b}
	digest, _ = readHeader(r)
	if r.bad {
		return "", fmt.Errorf("decode profile header: %w", ErrCorrupt)
	}
	return digest, nil
}

// readHeader reads the layout's digest, and the format, which says what follows the sample.
func readHeader(r *reader) (digest string, format byte) {
	format = r.byte()
	if format&^(withFacets|broken|watching|backfilled|spread|repeats) != profileFormat {
		r.fail()
	}
	if digest = r.text(); len(digest) > 64 {
		r.fail()
	}
	return digest, format
}

// order returns the columns' places in rising order of feature id, which is their
// order in the binary form.
func (p *Profile) order() []int {
	order := make([]int, len(p.Columns))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(p.Columns[a].ID, p.Columns[b].ID) })
	return order
}

func (p *Profile) append(b []byte) []byte {
	format, faceted, tagged := byte(profileFormat), p.faceted(), p.tagged()
	if faceted {
		format |= withFacets
	}
	if tagged {
		format |= broken
	}
	if p.extended() {
		format |= watching
	}
	if p.Backfilled > 0 {
		format |= backfilled
	}
	order := p.order()
	buckets := p.withSpread(order)
	if spreads(buckets) {
		format |= spread
	}
	if p.repeats() {
		format |= repeats
	}
	b = appendText(append(b, format), p.layout.digest)
	b = binary.LittleEndian.AppendUint64(b, p.hash.print)
	for _, n := range []uint64{p.Rows, p.Deletes, p.Late, p.RefusedWhole, uint64(len(p.Columns))} {
		b = binary.AppendUvarint(b, n)
	}
	for _, i := range order {
		b = p.Columns[i].append(b)
	}
	b = binary.AppendUvarint(b, uint64(len(p.Sample)))
	for i := range p.Sample {
		b = p.appendRow(b, &p.Sample[i], order)
	}
	if faceted {
		b = p.appendFacets(b, order)
	}
	if tagged {
		b = p.appendBreakdown(b)
	}
	if format&watching != 0 {
		b = p.appendWatches(b)
	}
	if format&backfilled != 0 {
		b = binary.AppendUvarint(b, p.Backfilled)
	}
	if format&spread != 0 {
		b = appendBuckets(b, buckets)
	}
	if format&repeats != 0 {
		b = p.appendTimes(b)
	}
	return b
}

// repeats reports whether a sampled row is there several times.
func (p *Profile) repeats() bool {
	return slices.ContainsFunc(p.Sample, func(r SampleRow) bool { return r.Times > 1 })
}

func (p *Profile) appendTimes(b []byte) []byte {
	for i := range p.Sample {
		b = binary.AppendUvarint(b, p.Sample[i].Times)
	}
	return b
}

// readTimes reads what appendTimes wrote. Sampled rows are rows of the window.
func (p *Profile) readTimes(r *reader) {
	left := p.Profiled()
	for i := range p.Sample {
		n := r.tally()
		if n == 0 || n > left {
			r.fail()
			return
		}
		p.Sample[i].Times = n
		left -= n
	}
}

// UnmarshalProfile reads what MarshalBinary wrote. Columns are in the order of
// layout; features that it does not know follow, by id. The error is ErrLayout if
// the profile counts in another layout, and ErrCorrupt for bytes that no profile
// has. To add writes to it call Resume, or merge it into a new profile.
func UnmarshalProfile(b []byte, layout *Layout) (*Profile, error) {
	r := &reader{b: b}
	digest, format := readHeader(r)
	if !r.bad && digest != layout.digest {
		return nil, fmt.Errorf("decode profile over layout %q with layout %q: %w", digest, layout.digest, ErrLayout)
	}
	p := &Profile{layout: layout, hash: hasher{print: r.fixed64()}}
	p.Rows, p.Deletes, p.Late, p.RefusedWhole = r.tally(), r.tally(), r.tally(), r.tally()
	if p.Deletes > p.Rows {
		r.fail()
	}
	p.readColumns(r)
	order := p.order()
	p.readSample(r, order)
	p.readFacets(r, order, format&withFacets != 0)
	if format&broken != 0 {
		p.readBreakdown(r)
	}
	if format&watching != 0 {
		p.readWatches(r)
	}
	if format&backfilled != 0 {
		p.Backfilled = r.tally()
	}
	readBuckets(r, p.withSpread(order), format&spread != 0)
	if format&repeats != 0 {
		p.readTimes(r)
	}
	if !r.done() || !bytes.Equal(p.append(nil), b) {
		return nil, fmt.Errorf("decode profile: %w", ErrCorrupt)
	}
	if p.hash.print == 0 {
		p.hash, p.ready = newHasher(HashKey{}), true
	}
	p.aged = p.hasAges()
	return p, nil
}

func (p *Profile) readColumns(r *reader) {
	n := r.count(9)
	if n > maxColumns {
		r.fail()
	}
	last := -1
	for range n {
		c := readColumn(r, p.layout)
		if c.Rows() != p.Profiled() || int(c.ID) <= last {
			r.fail()
		}
		if r.bad {
			return
		}
		last = int(c.ID)
		p.Columns = append(p.Columns, c)
	}
	place := func(c *Column) int {
		if i, ok := p.layout.at[c.ID]; ok {
			return i
		}
		return math.MaxInt
	}
	slices.SortStableFunc(p.Columns, func(a, b Column) int { return cmp.Compare(place(&a), place(&b)) })
}

func (p *Profile) readSample(r *reader, order []int) {
	n := r.count(8)
	if uint64(n) > min(SampleRows, p.Profiled()) {
		r.fail()
	}
	for i := range n {
		row := p.readRow(r, order)
		if r.bad || i > 0 && row.Hash <= p.Sample[i-1].Hash {
			r.fail()
			return
		}
		p.Sample = append(p.Sample, row)
	}
}

// appendRow appends a sampled row: hash, a bit for each value that is not null,
// and those values by the type of their column.
func (p *Profile) appendRow(b []byte, row *SampleRow, order []int) []byte {
	b = binary.LittleEndian.AppendUint64(b, row.Hash)
	present := len(b)
	b = append(b, make([]byte, (len(order)+7)/8)...)
	for n, i := range order {
		if v := &row.Values[i]; !v.IsNull() {
			b[present+n/8] |= 1 << (n % 8)
			b = appendSampled(b, *v, row.marks[i])
		}
	}
	return b
}

// appendTagged is appendRow with what the row says in dimensions.
func (p *Profile) appendTagged(b []byte, row *SampleRow, order []int) []byte {
	b = p.appendRow(b, row, order)
	for _, t := range row.Tags {
		b = appendText(binary.LittleEndian.AppendUint64(appendDimension(b, t.Dimension), t.mark), t.Text)
	}
	return b
}

func (p *Profile) readRow(r *reader, order []int) SampleRow {
	row := SampleRow{r.fixed64(), 1, &SampleContent{}}
	present := r.take((len(order) + 7) / 8)
	if r.bad {
		return row
	}
	row.Values, row.marks = make([]feature.Value, len(order)), make([]uint64, len(order))
	for n, i := range order {
		if present[n/8]>>(n%8)&1 == 1 {
			row.Values[i], row.marks[i] = readSampled(r, p.Columns[i].Type)
		}
	}
	return row
}

func appendSampled(b []byte, v feature.Value, mark uint64) []byte {
	switch v.Type() {
	case feature.Float64:
		return appendFloat(b, v.Float())
	case feature.Float32:
		return binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(v.Float())))
	case feature.String, feature.Bytes:
		return binary.LittleEndian.AppendUint64(appendText(b, v.Text()), mark)
	}
	return binary.AppendVarint(b, v.Int())
}

func readSampled(r *reader, t feature.Type) (feature.Value, uint64) {
	switch t = sampled(t); t {
	case feature.Float64:
		return feature.Float64Value(r.float()), 0
	case feature.Float32:
		if b := r.take(4); b != nil {
			return feature.Float32Value(math.Float32frombits(binary.LittleEndian.Uint32(b))), 0
		}
		return feature.Null, 0
	case feature.String, feature.Bytes:
		text := r.text()
		if len(text) > MaxText {
			r.fail()
		}
		if t == feature.Bytes {
			return feature.BytesValue([]byte(text)), r.fixed64()
		}
		return feature.StringValue(text), r.fixed64()
	case feature.Bool:
		return feature.BoolValue(r.varint() == 1), 0
	case feature.Int32:
		return feature.Int32Value(int32(r.varint())), 0
	}
	return feature.Int64Value(r.varint()), 0
}
