package forest

import (
	"encoding/binary"
	"fmt"
	"math"

	"sluice/internal/wire"
)

const (
	format     = 1
	maxColumns = 1 << 16
)

// MarshalBinary returns the versioned form of f: columns, sample size, number of
// trees, then every tree's nodes in preorder, each as column + 1, threshold and
// size of its left child, or 0 for a leaf. Sizes of right children follow.
func (f *Forest) MarshalBinary() ([]byte, error) { return f.AppendBinary(nil) }

// AppendBinary appends what MarshalBinary returns.
func (f *Forest) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, format)
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
	return b, nil
}

// UnmarshalBinary reads what MarshalBinary wrote; ErrCorrupt for any other bytes.
func (f *Forest) UnmarshalBinary(b []byte) error {
	rest, err := f.Decode(b)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("decode forest: %d bytes left: %w", len(rest), ErrCorrupt)
	}
	return err
}

// Decode reads a forest and returns what follows it; ErrCorrupt for bytes that begin with none.
func (f *Forest) Decode(b []byte) (rest []byte, err error) {
	d := wire.Decoder{Rest: b}
	if d.Byte() != format {
		return nil, fmt.Errorf("decode forest: format: %w", ErrCorrupt)
	}
	columns, sample, trees := d.Uvarint(maxColumns), d.Uvarint(sampleRows), d.Uvarint(trees)
	if d.Bad || columns < 1 || sample < 2 || trees < 1 {
		return nil, fmt.Errorf("decode forest: header: %w", ErrCorrupt)
	}
	out := Forest{columns: int(columns), sample: int(sample)}
	for range trees {
		out.starts = append(out.starts, int32(len(out.nodes)))
		out.read(&d, int32(sample), 0)
		if d.Bad {
			return nil, fmt.Errorf("decode forest: tree %d: %w", len(out.starts)-1, ErrCorrupt)
		}
	}
	out.index()
	*f = out
	return d.Rest, nil
}

// read appends the subtree that comes next.
func (f *Forest) read(d *wire.Decoder, size int32, depth int) {
	root := len(f.nodes)
	column := int32(d.Uvarint(uint64(f.columns))) - 1
	f.nodes = append(f.nodes, node{column: column, size: size})
	if column < 0 || d.Bad {
		return
	}
	threshold := math.Float32frombits(d.Uint32())
	left := int32(d.Uvarint(uint64(size)))
	if d.Bad || depth >= maxDepth || left < 1 || left >= size || threshold != threshold {
		d.Bad = true
		return
	}
	f.nodes[root].threshold = threshold
	f.read(d, left, depth+1)
	f.nodes[root].right = int32(len(f.nodes))
	f.read(d, size-left, depth+1)
}
