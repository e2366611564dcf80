package drift

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
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
	b := appendBytes([]byte{jointFormat}, []byte(j.encoder.layout))
	b = binary.AppendUvarint(b, uint64(len(j.encoder.columns)))
	for _, c := range j.encoder.columns {
		b = appendBytes(b, []byte(c.name))
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
		b = appendFloats(b, p.sign, p.mean, p.sd)
	}
	for _, side := range j.sides {
		for k, f := range side.forests {
			b = appendFloats(f.append(b), side.threshold[k])
		}
	}
	b = binary.AppendUvarint(b, j.rows)
	return appendBytes(b, spread), nil
}

func appendBytes(b, text []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

func appendFloats(b []byte, values ...float64) []byte {
	for _, v := range values {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
	}
	return b
}

// UnmarshalBinary reads what MarshalBinary wrote; ErrCorrupt for any other bytes.
func (j *Joint) UnmarshalBinary(b []byte) error {
	d := decoder{rest: b}
	if d.byte() != jointFormat {
		return fmt.Errorf("decode joint: format: %w", ErrCorrupt)
	}
	var out Joint
	out.encoder.layout = string(d.bytes())
	out.encoder.read(&d)
	for side := range out.sides {
		for _, part := range out.encoder.parts() {
			f := new(Forest)
			rest, err := f.decode(d.rest)
			if d.bad || err != nil || f.columns != part[1]-part[0] {
				return fmt.Errorf("decode joint: forest of side %d: %w", side, ErrCorrupt)
			}
			d.rest = rest
			out.sides[side].forests = append(out.sides[side].forests, f)
			out.sides[side].threshold = append(out.sides[side].threshold, d.float())
		}
	}
	out.rows = d.uvarint(math.MaxUint64)
	spread := d.bytes()
	if d.bad || len(d.rest) > 0 || json.Unmarshal(spread, &out.spread) != nil || !out.spread.valid(Outliers) {
		return fmt.Errorf("decode joint: %w", ErrCorrupt)
	}
	*j = out
	return nil
}

func (e *jointEncoder) read(d *decoder) {
	for range d.uvarint(jointColumns) {
		c := jointColumn{name: string(d.bytes()), id: uint32(d.uvarint(math.MaxUint32))}
		kind := d.byte()
		bins := d.uvarint(jointMaxBins)
		if d.bad || kind > 1 || bins < 2 || bins > uint64(len(d.rest)) {
			d.bad = true
			return
		}
		c.categorical, c.pooled = kind == 1, make([]uint64, bins)
		for i := range c.pooled {
			c.pooled[i] = d.uvarint(1 << 48)
		}
		if total(c.pooled) == 0 {
			d.bad = true
		}
		e.columns = append(e.columns, c)
	}
	if len(e.columns) < 2 {
		d.bad = true
		return
	}
	last := uint64(len(e.columns) - 1)
	for range d.uvarint(maxPairs) {
		p := jointPair{a: int(d.uvarint(last)), b: int(d.uvarint(last)), sign: d.float(), mean: d.float(), sd: d.float()}
		if p.sign != 1 && p.sign != -1 || !(p.sd > 0) {
			d.bad = true
		}
		e.pairs = append(e.pairs, p)
	}
}

// float reads a finite number.
func (d *decoder) float() float64 {
	if len(d.rest) < 8 {
		d.bad = true
		return 0
	}
	v := math.Float64frombits(binary.LittleEndian.Uint64(d.rest))
	d.rest = d.rest[8:]
	if math.IsNaN(v) || math.IsInf(v, 0) {
		d.bad = true
	}
	return v
}
