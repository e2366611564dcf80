package sketch

import (
	"encoding/binary"
	"math"
	"math/bits"

	"sluice/feature"
)

// HashKey keys the hashes of values and of sampled rows. It is random, made once
// per installation and never part of a profile, so that values cannot be guessed
// from one.
type HashKey [16]byte

// hasher is a HashKey ready for use.
type hasher struct {
	k0, k1 uint64
	print  uint64 // tells keys apart without giving them away; 0 for the zero key
}

func newHasher(key HashKey) hasher {
	h := hasher{k0: binary.LittleEndian.Uint64(key[:8]), k1: binary.LittleEndian.Uint64(key[8:])}
	if key != (HashKey{}) {
		h.print = h.text("sluice/quality/sketch") | 1
	}
	return h
}

// row hashes what a write is, not where it stands in the log: its entity, event time and
// event id and, without an id that tells it from others, all that it says. So which rows
// are sampled follows from the rows, however partitions, batches and taps delivered them.
func (h *hasher) row(w *feature.Write) uint64 {
	s := newSip(h.k0, h.k1)
	s.round(uint64(w.EventTime.UnixNano()))
	s.long(w.EventID)
	if w.EventID == "" {
		s.round(h.content(w))
		s.long(w.Producer)
		s.long(w.Schema)
	}
	return s.finish(string(w.Key))
}

// content hashes a write's values by feature id. Those that are not there add nothing, and
// the order of the features does not show: definitions of a view may differ in both.
func (h *hasher) content(w *feature.Write) (sum uint64) {
	for i := range min(len(w.Values), len(w.View.Features)) {
		sum += h.said(w.View.Features[i].ID, &w.Values[i])
	}
	return sum
}

// negativeZero is the bits of -0, which is 0 in digests.
const negativeZero = 1 << 63

// said hashes the value of a feature; 0 for null.
func (h *hasher) said(id uint32, v *feature.Value) uint64 {
	t, bits := feature.Peek(v)
	switch {
	case t == 0:
		return 0
	case t.IsList():
		sum := uint64(0)
		list := v.List()
		for i := range list {
			sum += h.number(h.said(id, &list[i]) ^ uint64(i+1)<<32)
		}
		return h.number(sum ^ uint64(id))
	case t == feature.String || t == feature.Bytes || t == feature.JSON:
		s := newSip(h.k0, h.k1)
		s.round(uint64(id))
		return s.finish(feature.PeekText(v))
	case bits == negativeZero && t.Float():
		bits = 0
	}
	return h.number(bits ^ uint64(id)*0x9e3779b97f4a7c15)
}

// text hashes the whole text of a value.
func (h *hasher) text(text string) uint64 {
	s := newSip(h.k0, h.k1)
	return s.finish(text)
}

// number hashes the bits of a number: two rounds of a keyed 128-bit multiply,
// enough for a distinct count, not a cryptographic hash.
func (h *hasher) number(n uint64) uint64 {
	hi, lo := bits.Mul64(n^h.k0^0x9e3779b97f4a7c15, h.k1^0xd6e8feb86659fd93)
	hi, lo = bits.Mul64(hi^lo^h.k1, 0xa0761d6478bd642f)
	return hi ^ lo
}

// sip is the state of SipHash-1-3, a keyed hash whose outputs tell nothing of
// its key or inputs.
//
// Source: J.-P. Aumasson and D. J. Bernstein, SipHash: a fast short-input PRF,
// INDOCRYPT 2012.
type sip struct{ v0, v1, v2, v3 uint64 }

func newSip(k0, k1 uint64) sip {
	return sip{k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573}
}

// round takes in one word.
func (s *sip) round(m uint64) {
	s.v0, s.v1, s.v2, s.v3 = mixed(s.v0, s.v1, s.v2, s.v3^m)
	s.v0 ^= m
}

// long takes in a text of any length among other things.
func (s *sip) long(text string) {
	s.round(uint64(len(text)))
	for ; len(text) >= 8; text = text[8:] {
		s.round(word(text))
	}
	s.round(rest(text))
}

// value takes in a scalar value with its type; false if it is null or not-a-number,
// which equals nothing.
func (s *sip) value(v *feature.Value) bool {
	t, bits := feature.Peek(v)
	switch {
	case t == 0:
		return false
	case t == feature.String || t == feature.Bytes:
		s.round(uint64(t))
		s.long(feature.PeekText(v))
		return true
	case t.Float():
		f := math.Float64frombits(bits) + 0 // -0 becomes 0
		if math.IsNaN(f) {
			return false
		}
		bits = math.Float64bits(f)
	}
	s.round(uint64(t))
	s.round(bits)
	return true
}

// finish takes in text and its length, and returns the hash. Its state is in variables, which
// stay in registers where fields would be stored and loaded in each round.
func (s *sip) finish(text string) uint64 {
	v0, v1, v2, v3 := s.v0, s.v1, s.v2, s.v3
	last := uint64(len(text)) << 56
	for ; len(text) >= 8; text = text[8:] {
		m := word(text)
		v0, v1, v2, v3 = mixed(v0, v1, v2, v3^m)
		v0 ^= m
	}
	last |= rest(text)
	v0, v1, v2, v3 = mixed(v0, v1, v2, v3^last)
	v0 ^= last
	v2 ^= 0xff
	v0, v1, v2, v3 = mixed(v0, v1, v2, v3)
	v0, v1, v2, v3 = mixed(v0, v1, v2, v3)
	v0, v1, v2, v3 = mixed(v0, v1, v2, v3)
	return v0 ^ v1 ^ v2 ^ v3
}

// mixed is the round of the function.
func mixed(v0, v1, v2, v3 uint64) (uint64, uint64, uint64, uint64) {
	v0 += v1
	v1 = bits.RotateLeft64(v1, 13) ^ v0
	v0 = bits.RotateLeft64(v0, 32)
	v2 += v3
	v3 = bits.RotateLeft64(v3, 16) ^ v2
	v0 += v3
	v3 = bits.RotateLeft64(v3, 21) ^ v0
	v2 += v1
	v1 = bits.RotateLeft64(v1, 17) ^ v2
	v2 = bits.RotateLeft64(v2, 32)
	return v0, v1, v2, v3
}

// word is the first 8 bytes of text, of which it has as many.
func word(text string) uint64 {
	return uint64(text[0]) | uint64(text[1])<<8 | uint64(text[2])<<16 | uint64(text[3])<<24 |
		uint64(text[4])<<32 | uint64(text[5])<<40 | uint64(text[6])<<48 | uint64(text[7])<<56
}

// rest is the bytes of text, fewer than 8, as the lowest of a word.
func rest(text string) uint64 {
	switch n := len(text); {
	case n >= 4: // two halves that overlap
		return half(text) | half(text[n-4:])<<(8*(n-4))
	case n > 0: // first, middle and last, which may be one
		return uint64(text[0]) | uint64(text[n/2])<<(8*(n/2)) | uint64(text[n-1])<<(8*(n-1))
	}
	return 0
}

func half(text string) uint64 {
	return uint64(text[0]) | uint64(text[1])<<8 | uint64(text[2])<<16 | uint64(text[3])<<24
}
