package feature

import (
	"bytes"
	"errors"
	"testing"
)

// FuzzDecodeValue reads any bytes as a value: what it takes is written again as a
// value that is read alike, and what it does not take is corrupt.
func FuzzDecodeValue(f *testing.F) {
	for _, v := range []Value{
		Null, StringValue("é"), Int64Value(-1), Int32Value(7), Float64Value(1.5), Float32Value(-0.5), BoolValue(true), BytesValue([]byte{0, 255}),
	} {
		b := AppendValue(nil, v)
		f.Add(b)
		f.Add(append(b, b...))
		f.Add(b[:len(b)/2])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := DecodeValue(b)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("DecodeValue(%x) = %v, want %v", b, err, ErrCorrupt)
			}
			return
		}
		once := AppendValue(nil, v)
		again, err := DecodeValue(once)
		if err != nil {
			t.Fatalf("%x is read as %v and written as %x, which is not read: %v", b, v, once, err)
		}
		if twice := AppendValue(nil, again); !bytes.Equal(once, twice) {
			t.Fatalf("%x is written as %x and then as %x", b, once, twice)
		}
	})
}

// FuzzDecodeRecord reads any bytes as a stored record: what it takes is written
// again byte for byte, and its row is read to the end or is corrupt.
func FuzzDecodeRecord(f *testing.F) {
	view := View{Features: []Feature{{ID: 1, Name: "a", Type: Float64}, {ID: 9, Name: "b", Type: String}}}
	row := AppendRow(nil, &view, []Value{Float64Value(1), StringValue("x")})
	for _, r := range []Record{{EventTime: 1, Seq: 2, Row: row}, {EventTime: -1, Deleted: true}} {
		b := AppendRecord(nil, r)
		f.Add(b)
		f.Add(b[:len(b)-1])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := DecodeRecord(3, b)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("DecodeRecord(%x) = %v, want %v", b, err, ErrCorrupt)
			}
			return
		}
		if again := AppendRecord(nil, r); r.Version != 3 || !bytes.Equal(again, b) {
			t.Fatalf("%x is read as %+v and written as %x", b, r, again)
		}
		left := len(r.Row)
		err = EachValue(r.Row, func(_ uint32, value []byte) { left -= len(value) })
		if left < 0 || err != nil && !errors.Is(err, ErrCorrupt) {
			t.Fatalf("row %x has %d bytes too many of values, %v", r.Row, -left, err)
		}
	})
}
