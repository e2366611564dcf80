package feature

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// ErrCorrupt reports bytes that no encoder of this package wrote.
var ErrCorrupt = errors.New("corrupt encoding")

// Field numbers of feast.types.Value (facts/serving.md section 4.1): a scalar's
// number, and its list's is ten higher. A stored value is the serialized
// message, so that serving can splice it into a reply without decoding.
var wireNumber = map[Type]uint64{
	Bytes: 1, String: 2, Int32: 3, Int64: 4, Float64: 5, Float32: 6, Bool: 7, Timestamp: 8, JSON: 32,
}

var wireType = func() (types [64]Type) {
	for t, n := range wireNumber {
		types[n] = t
		if t != JSON {
			types[n+10] = ListOf(t)
		}
	}
	return types
}()

const (
	wireVarint  = 0
	wireFixed64 = 1
	wireLen     = 2
	wireFixed32 = 5
)

// AppendValue appends the serialized feast.types.Value of v to dst. Null is the
// empty message: nothing is appended.
func AppendValue(dst []byte, v Value) []byte {
	if v.IsNull() {
		return dst
	}
	number := wireNumber[v.typ.Elem()]
	if !v.typ.IsList() {
		dst = binary.AppendUvarint(dst, number<<3|scalarWire(v.typ))
		return appendScalar(dst, v)
	}
	body := appendList(nil, v)
	dst = binary.AppendUvarint(dst, (number+10)<<3|wireLen)
	dst = binary.AppendUvarint(dst, uint64(len(body)))
	return append(dst, body...)
}

func scalarWire(t Type) uint64 {
	switch t {
	case Float64:
		return wireFixed64
	case Float32:
		return wireFixed32
	case String, Bytes, JSON:
		return wireLen
	}
	return wireVarint
}

// appendScalar appends v without its tag.
func appendScalar(dst []byte, v Value) []byte {
	switch v.typ {
	case Float64:
		return binary.LittleEndian.AppendUint64(dst, v.bits)
	case Float32:
		return binary.LittleEndian.AppendUint32(dst, math.Float32bits(float32(math.Float64frombits(v.bits))))
	case String, Bytes, JSON:
		dst = binary.AppendUvarint(dst, uint64(len(v.text)))
		return append(dst, v.text...)
	}
	return binary.AppendUvarint(dst, v.bits)
}

// appendList appends the list message: field 1, packed unless the elements are
// length-delimited.
func appendList(dst []byte, v Value) []byte {
	wire := scalarWire(v.typ.Elem())
	if wire == wireLen {
		for _, e := range v.list {
			dst = binary.AppendUvarint(dst, 1<<3|wireLen)
			dst = appendScalar(dst, e)
		}
		return dst
	}
	if len(v.list) == 0 {
		return dst
	}
	var packed []byte
	for _, e := range v.list {
		packed = appendScalar(packed, e)
	}
	dst = binary.AppendUvarint(dst, 1<<3|wireLen)
	dst = binary.AppendUvarint(dst, uint64(len(packed)))
	return append(dst, packed...)
}

// DecodeValue reads what AppendValue wrote, or what a packed row holds: one field,
// or nothing for null. Any other bytes give ErrCorrupt. The value shares no memory
// with b.
func DecodeValue(b []byte) (Value, error) {
	if len(b) == 0 {
		return Null, nil
	}
	if packed, ok := packedOf(b); ok {
		text, rest, err := appendText(nil, packed, 0)
		if err == nil && len(rest) != 0 {
			err = errPacked
		}
		if err != nil {
			return Null, fmt.Errorf("decode value: %w", err)
		}
		return Value{typ: JSON, text: string(text)}, nil
	}
	tag, n := binary.Uvarint(b)
	if n <= 0 || tag>>3 >= uint64(len(wireType)) {
		return Null, fmt.Errorf("decode value: tag: %w", ErrCorrupt)
	}
	t := wireType[tag>>3]
	if t == 0 {
		return Null, fmt.Errorf("decode value: field %d: %w", tag>>3, ErrCorrupt)
	}
	b = b[n:]
	if t.IsList() {
		return decodeList(t, tag&7, b)
	}
	if tag&7 != scalarWire(t) {
		return Null, fmt.Errorf("decode value: wire type %d of %s: %w", tag&7, t, ErrCorrupt)
	}
	v, rest, err := decodeScalar(t, b)
	if err == nil && len(rest) != 0 {
		err = fmt.Errorf("decode value: %d bytes left: %w", len(rest), ErrCorrupt)
	}
	if err != nil {
		return Null, err
	}
	return v, nil
}

func decodeScalar(t Type, b []byte) (Value, []byte, error) {
	short := fmt.Errorf("decode value: short %s: %w", t, ErrCorrupt)
	switch scalarWire(t) {
	case wireFixed64:
		if len(b) < 8 {
			return Null, nil, short
		}
		return Value{typ: t, bits: binary.LittleEndian.Uint64(b)}, b[8:], nil
	case wireFixed32:
		if len(b) < 4 {
			return Null, nil, short
		}
		return Float32Value(math.Float32frombits(binary.LittleEndian.Uint32(b))), b[4:], nil
	case wireLen:
		text, rest, err := cutBytes(b)
		if err != nil {
			return Null, nil, short
		}
		return Value{typ: t, text: string(text)}, rest, nil
	}
	u, n := binary.Uvarint(b)
	if n <= 0 || t == Bool && u > 1 || t == Int32 && int64(u) != int64(int32(u)) {
		return Null, nil, short
	}
	return Value{typ: t, bits: u}, b[n:], nil
}

func decodeList(t Type, wire uint64, b []byte) (Value, error) {
	body, rest, err := cutBytes(b)
	if err != nil || wire != wireLen || len(rest) != 0 {
		return Null, fmt.Errorf("decode value: %s: %w", t, ErrCorrupt)
	}
	list := []Value{}
	for len(body) > 0 {
		if body[0] != 1<<3|wireLen {
			return Null, fmt.Errorf("decode value: element of %s: %w", t, ErrCorrupt)
		}
		body = body[1:]
		var part []byte
		if scalarWire(t.Elem()) == wireLen {
			part = body
		} else if part, body, err = cutBytes(body); err != nil {
			return Null, fmt.Errorf("decode value: packed %s: %w", t, ErrCorrupt)
		}
		for len(part) > 0 {
			var v Value
			if v, part, err = decodeScalar(t.Elem(), part); err != nil {
				return Null, err
			}
			list = append(list, v)
			if scalarWire(t.Elem()) == wireLen {
				body = part
				break
			}
		}
	}
	return Value{typ: t, list: list}, nil
}

// cutBytes reads a length-prefixed run of bytes, and returns it and what follows.
func cutBytes(b []byte) (text, rest []byte, err error) {
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return nil, nil, ErrCorrupt
	}
	return b[n : n+int(size)], b[n+int(size):], nil
}
