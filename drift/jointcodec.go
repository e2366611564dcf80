package drift

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"

	"sluice/drift/binned"
	"sluice/drift/forest"
	"sluice/internal/wire"
)

const (
	jointFormat  = 1
	jointMaxBins = 1 << 12
)

// MarshalBinary returns the versioned form of j.
func (j *Joint) MarshalBinary() ([]byte, error) {
	spread, err := json.Marshal(j.spread)
	if err != nil {
		return nil, fmt.Errorf("encode joint: %w", err)
	}
	b := wire.AppendBytes([]byte{jointFormat}, []byte(j.encoder.layout))
	b = binary.AppendUvarint(b, uint64(len(j.encoder.columns)))
	for _, c := range j.encoder.columns {
		b = wire.AppendBytes(b, []byte(c.name))
		b = binary.AppendUvarint(b, uint64(c.id))
		kind := byte(0)
		if c.categorical {
			kind = 1
		}
		b = binary.AppendUvarint(append(b, kind), uint64(len(c.pooled)))
		for _, n := range c.pooled {
			b = binary.AppendUvarint(b, n)
		}
	}
	b = binary.AppendUvarint(b, uint64(len(j.encoder.pairs)))
	for _, p := range j.encoder.pairs {
		b = binary.AppendUvarint(b, uint64(p.a))
		b = binary.AppendUvarint(b, uint64(p.b))
		b = wire.AppendFloats(b, p.sign, p.mean, p.sd)
	}
	for _, side := range j.sides {
		for k, f := range side.forests {
			if b, err = f.AppendBinary(b); err != nil {
				return nil, fmt.Errorf("encode joint: %w", err)
			}
			b = wire.AppendFloats(b, side.threshold[k])
		}
	}
	b = binary.AppendUvarint(b, j.rows)
	return wire.AppendBytes(b, spread), nil
}

// UnmarshalBinary reads what MarshalBinary wrote; ErrCorrupt for any other bytes.
func (j *Joint) UnmarshalBinary(b []byte) error {
	d := wire.Decoder{Rest: b}
	if d.Byte() != jointFormat {
		return fmt.Errorf("decode joint: format: %w", ErrCorrupt)
	}
	var out Joint
	out.encoder.layout = string(d.Bytes())
	out.encoder.read(&d)
	for side := range out.sides {
		for _, part := range out.encoder.parts() {
			f := new(forest.Forest)
			rest, err := f.Decode(d.Rest)
			if d.Bad || err != nil || f.Columns() != part[1]-part[0] {
				return fmt.Errorf("decode joint: forest of side %d: %w", side, ErrCorrupt)
			}
			d.Rest = rest
			out.sides[side].forests = append(out.sides[side].forests, f)
			out.sides[side].threshold = append(out.sides[side].threshold, d.Float())
		}
	}
	out.rows = d.Uvarint(math.MaxUint64)
	spread := d.Bytes()
	if d.Bad || len(d.Rest) > 0 || json.Unmarshal(spread, &out.spread) != nil || !out.spread.valid(Outliers) {
		return fmt.Errorf("decode joint: %w", ErrCorrupt)
	}
	*j = out
	return nil
}

func (e *jointEncoder) read(d *wire.Decoder) {
	for range d.Uvarint(jointColumns) {
		c := jointColumn{name: string(d.Bytes()), id: uint32(d.Uvarint(math.MaxUint32))}
		kind := d.Byte()
		bins := d.Uvarint(jointMaxBins)
		if d.Bad || kind > 1 || bins < 2 || bins > uint64(len(d.Rest)) {
			d.Bad = true
			return
		}
		c.categorical, c.pooled = kind == 1, make([]uint64, bins)
		for i := range c.pooled {
			c.pooled[i] = d.Uvarint(1 << 48)
		}
		if binned.Total(c.pooled) == 0 {
			d.Bad = true
		}
		e.columns = append(e.columns, c)
	}
	if len(e.columns) < 2 {
		d.Bad = true
		return
	}
	last := uint64(len(e.columns) - 1)
	for range d.Uvarint(maxPairs) {
		p := jointPair{a: int(d.Uvarint(last)), b: int(d.Uvarint(last)), sign: d.Float(), mean: d.Float(), sd: d.Float()}
		if p.sign != 1 && p.sign != -1 || !(p.sd > 0) {
			d.Bad = true
		}
		e.pairs = append(e.pairs, p)
	}
}
