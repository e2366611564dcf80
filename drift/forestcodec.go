package drift

import (
	"encoding/binary"
	"fmt"
	"math"
)

const (
	forestFormat     = 1
	forestMaxColumns = 1 << 16
)

// MarshalBinary returns the versioned form of f: columns, sample size, number of
// trees, then every tree's nodes in preorder, each as column + 1, threshold and
// size of its left child, or 0 for a leaf. Sizes of right children follow.
func (f *Forest) MarshalBinary() ([]byte, error) { return f.append(nil), nil }

func (f *Forest) append(b []byte) []byte {
	b = append(b, forestFormat)
	b = binary.AppendUvarint(b, uint64(f.columns))
	b = binary.AppendUvarint(b, uint64(f.sample))
	b = binary.AppendUvarint(b, uint64(len(f.starts)))
	for i := range f.nodes {
		n := &f.nodes[i]
		b = binary.AppendUvarint(b, uint64(n.column+1))
		if n.column >= 0 {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(n.threshold))
			b = binary.AppendUvarint(b, uint64(f.nodes[i+1].size))
		}
	}
	return b
}

// UnmarshalBinary reads what MarshalBinary wrote; ErrCorrupt for any other bytes.
func (f *Forest) UnmarshalBinary(b []byte) error {
	rest, err := f.decode(b)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("decode forest: %d bytes left: %w", len(rest), ErrCorrupt)
	}
	return err
}

// decode reads a forest and returns what follows it.
func (f *Forest) decode(b []byte) (rest []byte, err error) {
	d := decoder{rest: b}
	if d.byte() != forestFormat {
		return nil, fmt.Errorf("decode forest: format: %w", ErrCorrupt)
	}
	columns, sample, trees := d.uvarint(forestMaxColumns), d.uvarint(forestSample), d.uvarint(forestTrees)
	if d.bad || columns < 1 || sample < 2 || trees < 1 {
		return nil, fmt.Errorf("decode forest: header: %w", ErrCorrupt)
	}
	out := Forest{columns: int(columns), sample: int(sample)}
	for range trees {
		out.starts = append(out.starts, int32(len(out.nodes)))
		out.read(&d, int32(sample), 0)
		if d.bad {
			return nil, fmt.Errorf("decode forest: tree %d: %w", len(out.starts)-1, ErrCorrupt)
		}
	}
	out.index()
	*f = out
	return d.rest, nil
}

// read appends the subtree that comes next.
func (f *Forest) read(d *decoder, size int32, depth int) {
	node := len(f.nodes)
	column := int32(d.uvarint(uint64(f.columns))) - 1
	f.nodes = append(f.nodes, forestNode{column: column, size: size})
	if column < 0 || d.bad {
		return
	}
	threshold := math.Float32frombits(d.uint32())
	left := int32(d.uvarint(uint64(size)))
	if d.bad || depth >= forestDepth || left < 1 || left >= size || threshold != threshold {
		d.bad = true
		return
	}
	f.nodes[node].threshold = threshold
	f.read(d, left, depth+1)
	f.nodes[node].right = int32(len(f.nodes))
	f.read(d, size-left, depth+1)
}

// decoder reads numbers until the first that is not there or out of range.
type decoder struct {
	rest []byte
	bad  bool
}

func (d *decoder) byte() byte {
	if len(d.rest) == 0 {
		d.bad = true
		return 0
	}
	b := d.rest[0]
	d.rest = d.rest[1:]
	return b
}

// uvarint reads a number of at most limit, in its shortest form.
func (d *decoder) uvarint(limit uint64) uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 || v > limit || n > 1 && d.rest[n-1] == 0 {
		d.bad = true
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) uint32() uint32 {
	if len(d.rest) < 4 {
		d.bad = true
		return 0
	}
	v := binary.LittleEndian.Uint32(d.rest)
	d.rest = d.rest[4:]
	return v
}

// bytes reads a length and that many bytes.
func (d *decoder) bytes() []byte {
	n := d.uvarint(uint64(len(d.rest)))
	if d.bad || n > uint64(len(d.rest)) {
		d.bad = true
		return nil
	}
	out := d.rest[:n]
	d.rest = d.rest[n:]
	return out
}
