package sketch

import (
	"encoding/binary"
	"math/bits"
)

// Over so many buckets the values of a text column without a bin of their own are spread, by
// their keyed hash: first those that the layout knows, then those that it does not. A new
// value is one of these, so they have more.
const (
	KnownBuckets  = 1 << 8
	UnseenBuckets = 1 << 10
	Buckets       = KnownBuckets + UnseenBuckets
)

// halves are where the buckets of either begin and end.
var halves = [...]struct{ from, to int }{{0, KnownBuckets}, {KnownBuckets, Buckets}}

// buckets count the values that share one of the last two bins of categories. Which value
// it is that more rows have than had it is not kept; that there is one shows in its bucket.
// They are sums, so merging is commutative and exact.
type buckets [Buckets]uint64

// spread counts a value of the last bin but one, or of the last.
func (c *Column) spread(mark uint64, unseen bool) {
	if c.buckets == nil {
		c.buckets = new(buckets)
	}
	c.buckets[bucketOf(mark, unseen)]++
}

// bucketOf returns the bucket of a value. Its bits of the hash are neither those that
// choose a register of the distinct count nor those of a place in the table of marks.
func bucketOf(mark uint64, unseen bool) int {
	if unseen {
		return KnownBuckets + int(mark>>32&(UnseenBuckets-1))
	}
	return int(mark >> 32 & (KnownBuckets - 1))
}

// bucketed reports whether the column has buckets for values without a bin of their own.
func (c *Column) bucketed() bool { return c.kind == texts && c.layout != nil }

// Buckets returns how many values without a bin of their own are in each of Buckets
// buckets, those that the layout knows first, nil for none in any; and among how many of
// the N values they were counted: not all if a part was written before there were buckets.
// The counts are the column's own, and not to be changed.
func (c *Column) Buckets() (counts []uint64, among uint64) {
	if !c.bucketed() {
		return nil, 0
	}
	if c.buckets != nil {
		counts = c.buckets[:]
	}
	return counts, c.N - c.unspread
}

// mergeBuckets adds those of o.
func (c *Column) mergeBuckets(o *Column) {
	c.unspread += o.unspread
	if o.buckets == nil {
		return
	}
	if c.buckets == nil {
		c.buckets = new(buckets)
	}
	for i, n := range o.buckets {
		c.buckets[i] += n
	}
}

// BucketOf returns the bucket in which a sampled row of p counts in the column at that
// place; -1 if its value has a bin of its own or there is none.
func (p *Profile) BucketOf(row *SampleRow, column int) int {
	c := &p.Columns[column]
	if !c.bucketed() || row.Values[column].IsNull() {
		return -1
	}
	bin := int(c.layout.table.find(row.marks[column]))
	if bin < c.layout.Other() {
		return -1
	}
	return bucketOf(row.marks[column], bin == c.layout.Unseen())
}

// withSpread returns the columns, and the parts of columns, that have buckets and values,
// in that order of columns.
func (p *Profile) withSpread(order []int) []*Column {
	var out []*Column
	for _, i := range order {
		c := &p.Columns[i]
		if c.bucketed() && c.N > 0 {
			out = append(out, c)
		}
		if c.Part != nil && c.Part.bucketed() && c.Part.N > 0 {
			out = append(out, c.Part)
		}
	}
	return out
}

// spreads reports whether buckets count any value of columns.
func spreads(columns []*Column) bool {
	for _, c := range columns {
		if c.unspread < c.N {
			return true
		}
	}
	return false
}

// appendBuckets appends, of each column, how many values were counted before there were
// buckets and, if that is not all, both halves of the buckets.
func appendBuckets(b []byte, columns []*Column) []byte {
	for _, c := range columns {
		if b = binary.AppendUvarint(b, c.unspread); c.unspread == c.N {
			continue
		}
		for _, half := range halves {
			var counts []uint64
			if c.buckets != nil {
				counts = c.buckets[half.from:half.to]
			}
			b = appendPackedCounts(b, counts)
		}
	}
	return b
}

// appendPackedCounts appends the bits of the largest count, and the counts, a multiple of 64
// of them, of so many bits each, lowest first; nil are zeros.
func appendPackedCounts(b []byte, counts []uint64) []byte {
	all := uint64(0)
	for _, n := range counts {
		all |= n
	}
	width := bits.Len64(all)
	b = append(b, byte(width))
	word, have := uint64(0), 0
	for _, n := range counts {
		if width == 0 {
			break
		}
		for left := width; left > 0; {
			take := min(left, 64-have)
			word |= n & (1<<take - 1) << have
			n >>= take
			if have, left = have+take, left-take; have == 64 {
				b = binary.LittleEndian.AppendUint64(b, word)
				word, have = 0, 0
			}
		}
	}
	return b
}

// readBuckets reads what appendBuckets wrote. Of a profile without, no value is in buckets.
func readBuckets(r *reader, columns []*Column, spread bool) {
	for _, c := range columns {
		c.unspread = c.N
		if !spread {
			continue
		}
		if c.unspread = r.tally(); c.unspread > c.N {
			r.fail()
			return
		}
		if c.unspread < c.N {
			c.readBuckets(r)
		}
		if r.bad {
			return
		}
	}
}

// readBuckets reads both halves, which hold what is in the last two bins, or less if some
// of it is in no bucket.
func (c *Column) readBuckets(r *reader) {
	var read buckets
	total := uint64(0)
	for half, at := range halves {
		sum, bin := uint64(0), c.bins[c.layout.Other()+half]
		for i, n := range readPackedCounts(r, at.to-at.from) {
			read[at.from+i] = n
			if sum += n; sum > bin { // at each, since a thousand counts may pass the range together
				r.fail()
				return
			}
		}
		if c.unspread == 0 && sum < bin {
			r.fail()
		}
		total += sum
	}
	if total > 0 {
		c.buckets = &read
	}
}

// maxCountBits keeps the sum of a few counts in range.
const maxCountBits = 56

func readPackedCounts(r *reader, n int) []uint64 {
	width := int(r.byte())
	if width == 0 {
		return nil
	}
	if width > maxCountBits {
		r.fail()
		return nil
	}
	packed := r.take(n / 8 * width)
	if r.bad {
		return nil
	}
	counts := make([]uint64, n)
	at := 0 // bit
	for i := range counts {
		for have := 0; have < width; {
			take := min(width-have, 8-at%8)
			counts[i] |= uint64(packed[at/8]>>(at%8)&(1<<take-1)) << have
			have, at = have+take, at+take
		}
	}
	return counts
}
