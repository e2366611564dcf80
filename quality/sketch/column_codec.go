package sketch

import (
	"encoding/binary"
	"math"

	"sluice/feature"
)

// sparseLimit is the most registers that are written one by one, at about two
// bytes each; more are packed into hllRegisters * 6 bits.
const sparseLimit = 320

func (c *Column) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(c.ID))
	b = append(b, byte(c.Type))
	return c.appendCounts(b)
}

// appendCounts appends what the column counted.
func (c *Column) appendCounts(b []byte) []byte {
	for _, n := range []uint64{c.N, c.Nulls, c.NaN, c.PosInf, c.NegInf, c.Refused, c.Clipped} {
		b = binary.AppendUvarint(b, n)
	}
	if c.N == 0 {
		return b
	}
	if c.kind.numeric() {
		b = appendFloat(appendFloat(b, c.Min), c.Max)
	}
	for _, n := range c.bins {
		b = binary.AppendUvarint(b, n)
	}
	if c.layout != nil && c.kind.numeric() {
		m := c.moments.whole()
		b = appendInt128(appendInt128(b, m.sum), m.squares)
	}
	switch {
	case c.kind == paths && c.hll == nil:
		b = append(b, 0)
	case c.kind != presence && c.kind != hours:
		b = c.distinct().append(b)
	}
	return b
}

func readColumn(r *reader, layout *Layout) Column {
	id, t := r.uvarint(), feature.Type(r.byte())
	if id > math.MaxUint32 || !t.Valid() {
		r.fail()
		return Column{}
	}
	c := newColumn(uint32(id), t, layout)
	c.readCounts(r)
	return c
}

// readCounts reads what appendCounts wrote.
func (c *Column) readCounts(r *reader) {
	for _, n := range []*uint64{&c.N, &c.Nulls, &c.NaN, &c.PosInf, &c.NegInf, &c.Refused, &c.Clipped} {
		*n = r.tally()
	}
	if c.N > 0 {
		c.readValues(r)
	}
}

// readValues reads what a column holds of its values, of which there are some.
func (c *Column) readValues(r *reader) {
	if c.kind.numeric() {
		if c.Min, c.Max = r.finite(), r.finite(); c.Min > c.Max {
			r.fail()
		}
	}
	sum := uint64(0)
	for i := range c.bins {
		c.bins[i] = r.tally()
		sum += c.bins[i]
		if c.kind == paths && c.bins[i] > c.N {
			r.fail()
		}
	}
	if c.bins != nil && c.kind != paths && sum != c.N {
		r.fail()
	}
	if c.layout != nil && c.kind.numeric() {
		c.moments = moments{sum: readInt128(r), squares: readInt128(r)}
	}
	switch {
	case c.kind == paths && len(r.b) > 0 && r.b[0] == 0:
		r.byte()
	case c.kind != presence && c.kind != hours:
		c.hll = readRegisters(r)
	}
}

func appendInt128(b []byte, n int128) []byte {
	return binary.LittleEndian.AppendUint64(binary.AppendVarint(b, n.hi), n.lo)
}

func readInt128(r *reader) int128 { return int128{r.varint(), r.fixed64()} }

// append appends the number of registers that are set and, up to sparseLimit,
// each one's distance from the last and its rank; else all, packed.
func (r *registers) append(b []byte) []byte {
	set := r.set()
	b = binary.AppendUvarint(b, uint64(set))
	if set > sparseLimit {
		return r.appendPacked(b)
	}
	last := -1
	for i, rank := range r {
		if rank != 0 {
			b = append(binary.AppendUvarint(b, uint64(i-last-1)), rank)
			last = i
		}
	}
	return b
}

// appendPacked appends four registers to three bytes.
func (r *registers) appendPacked(b []byte) []byte {
	for i := 0; i < hllRegisters; i += 4 {
		word := uint32(r[i]) | uint32(r[i+1])<<6 | uint32(r[i+2])<<12 | uint32(r[i+3])<<18
		b = append(b, byte(word), byte(word>>8), byte(word>>16))
	}
	return b
}

// readRegisters reads registers of at least one value.
func readRegisters(r *reader) *registers {
	set := r.uvarint()
	if set == 0 || set > hllRegisters {
		r.fail()
		return nil
	}
	regs := new(registers)
	if set > sparseLimit {
		regs.readPacked(r)
	} else {
		regs.readSparse(r, int(set))
	}
	for _, rank := range regs {
		if rank > hllRanks+1 {
			r.fail()
		}
	}
	return regs
}

func (r *registers) readPacked(in *reader) {
	packed := in.take(hllRegisters / 4 * 3)
	for i := 0; i+3 <= len(packed); i += 3 {
		word := uint32(packed[i]) | uint32(packed[i+1])<<8 | uint32(packed[i+2])<<16
		at := i / 3 * 4
		r[at], r[at+1], r[at+2], r[at+3] = uint8(word&63), uint8(word>>6&63), uint8(word>>12&63), uint8(word>>18&63)
	}
}

func (r *registers) readSparse(in *reader, set int) {
	at := uint64(0)
	for range set {
		at += min(in.uvarint(), hllRegisters)
		rank := in.byte()
		if at >= hllRegisters || rank == 0 {
			in.fail()
			return
		}
		r[at] = rank
		at++
	}
}
