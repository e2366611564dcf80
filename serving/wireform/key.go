package wireform

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"sluice/feature"
	"sluice/serving/refusal"
)

// ErrUnusual reports wire bytes that the fast readers leave to the protobuf
// runtime: legal perhaps, but not how a client's library writes them.
var ErrUnusual = errors.New("unusual encoding")

// The kinds of feast.types.Value that a join key may have, by field number.
const (
	kindBytes = iota + 1
	kindString
	kindInt32
	kindInt64
	kindDouble
	kindFloat
	kindBool
	kindTimestamp
	kindNull = 19
)

var kindNames = map[protowire.Number]string{
	kindBytes: "bytes", kindString: "string", kindInt32: "int32", kindInt64: "int64",
	kindDouble: "float64", kindFloat: "float32", kindBool: "bool", kindTimestamp: "timestamp",
}

// Scalar is a scalar feast.types.Value taken apart.
type Scalar struct {
	kind protowire.Number // 0: null
	bits uint64           // numbers, bools, and the bits of floats
	text []byte           // strings and bytes; shares the request's memory
}

// CutScalar reads a serialized Value that holds one scalar, or nothing. Anything
// else that is well formed is ErrUnusual.
func CutScalar(b []byte) (Scalar, error) {
	if len(b) == 0 {
		return Scalar{}, nil
	}
	number, wire, n := protowire.ConsumeTag(b)
	if n < 0 {
		return Scalar{}, ErrUnusual
	}
	b = b[n:]
	v := Scalar{kind: number}
	want := protowire.VarintType
	switch number {
	case kindBytes, kindString:
		want = protowire.BytesType
		v.text, n = protowire.ConsumeBytes(b)
	case kindDouble:
		want = protowire.Fixed64Type
		v.bits, n = protowire.ConsumeFixed64(b)
	case kindFloat:
		want = protowire.Fixed32Type
		var bits uint32
		bits, n = protowire.ConsumeFixed32(b)
		v.bits = uint64(bits)
	case kindInt32, kindInt64, kindBool, kindTimestamp, kindNull:
		v.bits, n = protowire.ConsumeVarint(b)
	default:
		return Scalar{}, ErrUnusual
	}
	if wire != want || n != len(b) || number == kindString && !utf8.Valid(v.text) {
		return Scalar{}, ErrUnusual
	}
	if number == kindNull {
		v.kind = 0
	}
	return v, nil
}

// AppendKey appends v as the serialized value of a join key of type t. Integers
// go into any integer type that holds them, a float64 into a float32 only if it
// is one; nothing else is converted.
func (v Scalar) AppendKey(dst []byte, t feature.Type) ([]byte, error) {
	mismatch := func() error { return fmt.Errorf("%s where %s is declared", kindNames[v.kind], t) }
	switch {
	case v.kind == 0:
		return dst, refusal.ErrNullKey
	case t == feature.String && v.kind == kindString, t == feature.Bytes && v.kind == kindBytes:
		dst = protowire.AppendTag(dst, v.kind, protowire.BytesType)
		return protowire.AppendBytes(dst, v.text), nil
	case t == feature.Bool && v.kind == kindBool:
		return feature.AppendValue(dst, feature.BoolValue(v.bits != 0)), nil
	case t == feature.Float64 || t == feature.Float32:
		return v.appendFloat(dst, t, mismatch)
	case v.kind == kindInt32 || v.kind == kindInt64 || v.kind == kindTimestamp && t == feature.Timestamp:
		n := int64(v.bits)
		if v.kind == kindInt32 {
			n = int64(int32(v.bits))
		}
		return appendIntKey(dst, t, n, mismatch)
	}
	return dst, mismatch()
}

func (v Scalar) appendFloat(dst []byte, t feature.Type, mismatch func() error) ([]byte, error) {
	var f float64
	switch v.kind {
	case kindDouble:
		f = math.Float64frombits(v.bits)
	case kindFloat:
		f = float64(math.Float32frombits(uint32(v.bits)))
	default:
		return dst, mismatch()
	}
	return appendFloatKey(dst, t, f)
}

// appendFloatKey appends a float join key. Not-a-number equals nothing, so it is
// no key.
func appendFloatKey(dst []byte, t feature.Type, f float64) ([]byte, error) {
	switch {
	case math.IsNaN(f):
		return dst, refusal.ErrNaNKey
	case t == feature.Float64:
		return feature.AppendValue(dst, feature.Float64Value(f)), nil
	case float64(float32(f)) != f:
		return dst, fmt.Errorf("%v is no float32", f)
	}
	return feature.AppendValue(dst, feature.Float32Value(float32(f))), nil
}

// appendIntKey appends an integer join key of an integer type or a timestamp.
func appendIntKey(dst []byte, t feature.Type, n int64, mismatch func() error) ([]byte, error) {
	switch t {
	case feature.Int64:
		return feature.AppendValue(dst, feature.Int64Value(n)), nil
	case feature.Timestamp:
		return feature.AppendValue(dst, feature.UnixSecondsValue(n)), nil
	case feature.Int32:
		if n != int64(int32(n)) {
			return dst, fmt.Errorf("%d is outside int32", n)
		}
		return feature.AppendValue(dst, feature.Int32Value(int32(n))), nil
	}
	return dst, mismatch()
}

// CutField reads a length-delimited field from the front of b.
func CutField(b []byte) (number protowire.Number, value, rest []byte, err error) {
	tag, n := binary.Uvarint(b)
	if n <= 0 || tag&7 != uint64(protowire.BytesType) || tag>>3 == 0 || tag>>3 > uint64(protowire.MaxValidNumber) {
		return 0, nil, nil, ErrUnusual
	}
	size, m := binary.Uvarint(b[n:])
	if m <= 0 || size > uint64(len(b)-n-m) {
		return 0, nil, nil, ErrUnusual
	}
	from := n + m
	return protowire.Number(tag >> 3), b[from : from+int(size)], b[from+int(size):], nil
}
