package sketch

import (
	"encoding/binary"
	"math"
	"time"
)

// What is added to the format of a layout or profile for a part that not all have;
// without any of them it has the bytes that it had before there were such parts.
const (
	repeats    = 0x04 // profiles: how often sampled rows are there follows
	spread     = 0x08 // profiles: buckets of values without a bin follow
	backfilled = 0x10 // profiles: the writes of declared backfills follow
	watching   = 0x20 // profiles: what expectations of rows and windows need follows
	withFacets = 0x40 // columns may have facets
	broken     = 0x80 // a breakdown follows
)

// reader takes an encoding apart. After the first fault it returns zeros, and bad
// is set; it never reads past the end, and what it allocates is bounded by what
// it has read.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

// count reads a number of things of which each takes at least size bytes.
func (r *reader) count(size int) int {
	n := r.uvarint()
	if n > uint64(len(r.b)/size) {
		r.fail()
		return 0
	}
	return int(n)
}

// tally reads a count of rows. It is below 2^56, so that sums of counts stay in range.
func (r *reader) tally() uint64 {
	n := r.uvarint()
	if n >= 1<<56 {
		r.fail()
		return 0
	}
	return n
}

// take reads n bytes, which share the input's memory.
func (r *reader) take(n int) []byte {
	if n > len(r.b) {
		r.fail()
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) text() string { return string(r.take(r.count(1))) }

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) fixed64() uint64 {
	if b := r.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (r *reader) float() float64 { return math.Float64frombits(r.fixed64()) }

// finite reads a float64 that is no NaN, infinity or -0.
func (r *reader) finite() float64 {
	b := r.fixed64()
	if b>>52&0x7ff == 0x7ff || b == 1<<63 {
		r.fail()
		return 0
	}
	return math.Float64frombits(b)
}

func (r *reader) time() time.Time {
	seconds, nanos := r.varint(), r.uvarint()
	if nanos >= 1e9 {
		r.fail()
		return time.Time{}
	}
	return time.Unix(seconds, int64(nanos)).UTC()
}

func (r *reader) fail() { r.bad, r.b = true, nil }

// done reports whether everything was read without a fault.
func (r *reader) done() bool { return !r.bad && len(r.b) == 0 }

func appendText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

func appendFloat(b []byte, v float64) []byte {
	return binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
}

func appendTime(b []byte, t time.Time) []byte {
	return binary.AppendUvarint(binary.AppendVarint(b, t.Unix()), uint64(t.Nanosecond()))
}
