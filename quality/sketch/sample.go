package sketch

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"sluice/feature"
)

const (
	// SampleRows is k: how many rows a profile samples.
	SampleRows = 512
	// MaxText is how many bytes of a text are kept.
	MaxText = 64
)

// SampleRow is a sampled row: the k rows with the smallest hashes are a uniform
// sample, and the merge of two samples is the sample of both.
type SampleRow struct {
	// Hash is the keyed hash of what the row is: see hasher.row. In profiles of before it
	// was that of the row's topic, partition and offset.
	Hash uint64

	// Times is how many rows of the window are this one: more than one where writes
	// without event ids repeat each other. A row that is among the smallest of a whole is
	// among the smallest of every part, so that the number is exact however they merge.
	Times uint64

	*SampleContent // shared by the samples that hold the row; never nil
}

// SampleContent is what a sampled row says. It lies apart, so that little is moved when a
// row is inserted before others.
type SampleContent struct {
	// Values holds the values as they are profiled, in the order of the profile's
	// columns: numbers and bools as they are, strings and bytes cut to MaxText
	// bytes, a timestamp's age in seconds and a list's length as int64, and true
	// for a json value.
	Values []feature.Value

	Tags []Tag // what the row says in dimensions, in their order; not to be changed

	marks []uint64 // keyed hashes of whole texts; 0 for other columns and nulls
	parts [][]SamplePart
}

// sampleValue returns what a sample holds of v and, for a text, its hash.
func sampleValue(v feature.Value, t feature.Type, h *hasher, start int64) (feature.Value, uint64) {
	if v.IsNull() {
		return feature.Null, 0
	}
	switch kindOf(t) {
	case ages:
		return feature.Int64Value(age(start, v.Int())), 0
	case lengths:
		return feature.Int64Value(int64(len(v.List()))), 0
	case presence:
		return feature.BoolValue(true), 0
	case texts:
		if t == feature.Bytes {
			text := v.Text()
			return feature.BytesValue([]byte(text[:min(len(text), MaxText)])), h.text(text)
		}
		return feature.StringValue(strings.Clone(Cut(v.Text()))), h.text(v.Text())
	case floats:
		return feature.Unsigned(v), 0
	}
	return v, 0
}

// Cut returns the longest start of text that has at most MaxText bytes and does
// not end within a UTF-8 sequence.
func Cut(text string) string {
	if len(text) <= MaxText {
		return text
	}
	end := MaxText
	for end > MaxText-utf8.UTFMax && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}

// SampledRows returns the sample as rows: one that is there several times stands in it so
// often, and if there are more than SampleRows then, they stand for their share of as many.
// The caller must not change it.
func (p *Profile) SampledRows() []SampleRow { return repeated(p.Sample, SampleRows) }

// repeated returns rows with each as often as it is there, or every so-and-so-many-th of
// those so that there are at most most; rows themselves if none is there twice.
func repeated(rows []SampleRow, most int) []SampleRow {
	total := uint64(0)
	for i := range rows {
		total += rows[i].Times
	}
	if total == uint64(len(rows)) {
		return rows
	}
	n := min(total, uint64(most))
	out := make([]SampleRow, 0, n)
	below := uint64(0)
	for i := range rows {
		below += rows[i].Times
		for uint64(len(out)) < n && middle(uint64(len(out)), n, total) < below {
			out = append(out, rows[i])
		}
	}
	return out
}

// middle returns the middle, rounded down, of the i-th of n equal parts of total, which is
// below 2^56; n is below 2^31.
func middle(i, n, total uint64) uint64 {
	return (2*i+1)*(total/(2*n)) + (2*i+1)*(total%(2*n))/(2*n)
}

// insert adds row to the sample, which rises by hash and keeps SampleRows. Of two
// rows with one hash, the one with the smaller encoding stays for both.
func (p *Profile) insert(row SampleRow) {
	at, found := slices.BinarySearchFunc(p.Sample, row.Hash, compareHash)
	if found {
		p.Sample[at] = p.both(p.Sample[at], row)
		return
	}
	if len(p.Sample) == SampleRows {
		p.Sample = p.Sample[:SampleRows-1]
	}
	p.Sample = slices.Insert(p.Sample, at, row)
}

// both returns the one of two rows with one hash that has the smaller encoding, as often as
// both are there.
func (p *Profile) both(a, b SampleRow) SampleRow {
	order, times := p.order(), a.Times+b.Times
	if bytes.Compare(p.appendWhole(nil, &a, order), p.appendWhole(nil, &b, order)) > 0 {
		a = b
	}
	a.Times = times
	return a
}

// mergeSample merges the rows of o, whose columns are at those places of p.
func (p *Profile) mergeSample(o *Profile, at []int) {
	merged := make([]SampleRow, 0, min(SampleRows, len(p.Sample)+len(o.Sample)))
	lost := p.lostParts()
	i, j := 0, 0
	for len(merged) < SampleRows && (i < len(p.Sample) || j < len(o.Sample)) {
		switch {
		case j == len(o.Sample) || i < len(p.Sample) && p.Sample[i].Hash < o.Sample[j].Hash:
			merged = append(merged, p.Sample[i].without(lost))
			i++
		case i == len(p.Sample) || p.Sample[i].Hash > o.Sample[j].Hash:
			merged = append(merged, o.Sample[j].arrange(at, len(p.Columns)).without(lost))
			j++
		default:
			merged = append(merged, p.both(p.Sample[i].without(lost), o.Sample[j].arrange(at, len(p.Columns)).without(lost)))
			i, j = i+1, j+1
		}
	}
	p.Sample = merged
}

// arrange returns the row with its values moved to those places of n columns;
// places nil leaves them where they are.
func (r SampleRow) arrange(places []int, n int) SampleRow {
	if places == nil {
		return r
	}
	moved := SampleRow{r.Hash, r.Times, &SampleContent{Values: make([]feature.Value, n), Tags: r.Tags, marks: make([]uint64, n)}}
	for i, place := range places {
		moved.Values[place], moved.marks[place] = r.Values[i], r.marks[i]
	}
	moved.parts = r.movedParts(places, n)
	return moved
}

func compareHash(r SampleRow, hash uint64) int {
	switch {
	case r.Hash < hash:
		return -1
	case r.Hash > hash:
		return 1
	}
	return 0
}

// wants reports whether a row of that hash would be sampled.
func (p *Profile) wants(hash uint64) bool {
	return len(p.Sample) < SampleRows || hash <= p.Sample[SampleRows-1].Hash
}

// BinOf returns the bin in which a sampled row of p counts in the column at that place; -1
// if it has no value there, or the column no bins.
func (p *Profile) BinOf(row *SampleRow, column int) int {
	c, v := &p.Columns[column], &row.Values[column]
	switch {
	case c.layout == nil || v.IsNull():
		return -1
	case c.kind == texts:
		return int(c.layout.table.find(row.marks[column]))
	case c.kind == bools:
		return int(v.Int() & 1)
	}
	if f := v.Float(); !math.IsInf(f, 0) {
		return c.layout.Bin(f)
	}
	return -1
}

// LastBin returns the bin of the value that Add counted last in the column at that place;
// -1 if it was null, not-a-number or infinite.
func (p *Profile) LastBin(column int) int { return int(p.Columns[column].last) }
