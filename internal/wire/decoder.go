// Package wire takes encodings of numbers and texts in bytes apart, and puts them together.
package wire

import (
	"encoding/binary"
	"math"
)

// Decoder reads numbers until the first that is not there or out of range; then it is Bad
// and what it returns is of no use.
type Decoder struct {
	Rest []byte // what is not read yet
	Bad  bool   // something was not there, or out of range
}

// Byte reads a byte.
func (d *Decoder) Byte() byte {
	if len(d.Rest) == 0 {
		d.Bad = true
		return 0
	}
	b := d.Rest[0]
	d.Rest = d.Rest[1:]
	return b
}

// Uvarint reads a number of at most limit, in its shortest form.
func (d *Decoder) Uvarint(limit uint64) uint64 {
	v, n := binary.Uvarint(d.Rest)
	if n <= 0 || v > limit || n > 1 && d.Rest[n-1] == 0 {
		d.Bad = true
		return 0
	}
	d.Rest = d.Rest[n:]
	return v
}

// Uint32 reads four bytes, the least first.
func (d *Decoder) Uint32() uint32 {
	if len(d.Rest) < 4 {
		d.Bad = true
		return 0
	}
	v := binary.LittleEndian.Uint32(d.Rest)
	d.Rest = d.Rest[4:]
	return v
}

// Bytes reads a length and that many bytes, which share the input's memory.
func (d *Decoder) Bytes() []byte {
	n := d.Uvarint(uint64(len(d.Rest)))
	if d.Bad || n > uint64(len(d.Rest)) {
		d.Bad = true
		return nil
	}
	out := d.Rest[:n]
	d.Rest = d.Rest[n:]
	return out
}

// Float reads a finite number.
func (d *Decoder) Float() float64 {
	if len(d.Rest) < 8 {
		d.Bad = true
		return 0
	}
	v := math.Float64frombits(binary.LittleEndian.Uint64(d.Rest))
	d.Rest = d.Rest[8:]
	if math.IsNaN(v) || math.IsInf(v, 0) {
		d.Bad = true
	}
	return v
}

// AppendBytes appends a length and the bytes.
func AppendBytes(b, text []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// AppendFloats appends numbers, eight bytes each.
func AppendFloats(b []byte, values ...float64) []byte {
	for _, v := range values {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
	}
	return b
}
