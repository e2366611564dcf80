package sketch

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"sluice/feature"
)

// Partial is what one partition holds of one window at a checkpoint: its whole
// state so far, which replaces any former one. It counts only up to the progress
// of the same epoch and offset that follows it.
type Partial struct {
	View      string
	Window    feature.Window
	Version   feature.Version
	Topic     string
	Partition int32
	Epoch     uint64 // of the progress that it belongs to
	Offset    int64
	Layout    string // digest of the profile's layout
	Profile   []byte // binary profile
	Rows      uint64 // accepted distinct writes, late ones among them
	Bytes     uint64 // of the staged rows
	Span      feature.Span
	Offline   bool // some of its rows were left out of the online store: the log alone has them all. No part of the binary form
}

const partialFormat = 1

// MarshalBinary returns the partial's binary form. It returns no error. Times
// keep their instant, not their location.
func (p *Partial) MarshalBinary() ([]byte, error) { return p.append(nil), nil }

func (p *Partial) append(b []byte) []byte {
	b = append(b, partialFormat)
	b = appendText(b, p.View)
	b = appendTime(appendTime(b, p.Window.Start), p.Window.End)
	b = binary.AppendUvarint(b, uint64(p.Version))
	b = appendText(b, p.Topic)
	b = binary.AppendVarint(b, int64(p.Partition))
	b = binary.AppendUvarint(b, p.Epoch)
	b = binary.AppendVarint(b, p.Offset)
	b = appendText(b, p.Layout)
	b = binary.AppendUvarint(b, uint64(len(p.Profile)))
	b = append(b, p.Profile...)
	b = binary.AppendUvarint(binary.AppendUvarint(b, p.Rows), p.Bytes)
	return appendSpan(b, &p.Span)
}

func appendSpan(b []byte, s *feature.Span) []byte {
	b = appendText(b, s.Topic)
	for _, n := range []int64{int64(s.Partition), s.First, s.Last, s.Origin.Offset} {
		b = binary.AppendVarint(b, n)
	}
	b = appendTime(b, s.Origin.Watermark)
	b = binary.AppendUvarint(b, uint64(len(s.Origin.Open)))
	for _, t := range s.Origin.Open {
		b = appendTime(b, t)
	}
	return b
}

// UnmarshalPartial reads what MarshalBinary wrote; ErrCorrupt for any other
// bytes. It does not look into the profile. The partial shares no memory with b.
func UnmarshalPartial(b []byte) (*Partial, error) {
	r := &reader{b: b}
	if r.byte() != partialFormat {
		r.fail()
	}
	p := &Partial{View: r.text()}
	p.Window = feature.Window{Start: r.time(), End: r.time()}
	p.Version = feature.Version(r.uvarint())
	p.Topic, p.Partition = r.text(), r.int32()
	p.Epoch, p.Offset = r.uvarint(), r.varint()
	p.Layout = r.text()
	p.Profile = slices.Clone(r.take(r.count(1)))
	p.Rows, p.Bytes = r.uvarint(), r.uvarint()
	p.Span = readSpan(r)
	if !r.done() || !bytes.Equal(p.append(nil), b) {
		return nil, fmt.Errorf("decode partial: %w", ErrCorrupt)
	}
	return p, nil
}

func readSpan(r *reader) feature.Span {
	s := feature.Span{Topic: r.text(), Partition: r.int32(), First: r.varint(), Last: r.varint()}
	s.Origin.Offset, s.Origin.Watermark = r.varint(), r.time()
	for range r.count(2) {
		s.Origin.Open = append(s.Origin.Open, r.time())
	}
	return s
}

func (r *reader) int32() int32 {
	n := r.varint()
	if n != int64(int32(n)) {
		r.fail()
	}
	return int32(min(max(n, math.MinInt32), math.MaxInt32))
}
