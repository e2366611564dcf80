package feature

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
)

var errPacked = fmt.Errorf("packed json: %w", ErrCorrupt)

// item is the head of a MessagePack value.
type item struct {
	kind byte // one of the kinds below
	ext  byte // of an extension
	n    int  // elements, pairs, or bytes of body
	num  int64
	real float64
	body []byte
}

const (
	itemNil = iota
	itemFalse
	itemTrue
	itemInt
	itemFloat
	itemString
	itemArray
	itemMap
	itemExt
)

// next reads the head of the value at the front of b and, but for arrays and maps,
// its body; rest is what follows. It accepts the forms that packJSON writes.
func next(b []byte) (it item, rest []byte, err error) {
	if len(b) == 0 {
		return it, nil, errPacked
	}
	c := b[0]
	b = b[1:]
	switch {
	case c < mpFixMap:
		return item{kind: itemInt, num: int64(c)}, b, nil
	case c >= mpNegative:
		return item{kind: itemInt, num: int64(int8(c))}, b, nil
	case c < mpFixArray:
		return item{kind: itemMap, n: int(c & 15)}, b, nil
	case c < mpFixStr:
		return item{kind: itemArray, n: int(c & 15)}, b, nil
	case c < mpNil:
		return body(item{kind: itemString, n: int(c & 31)}, b)
	}
	switch c {
	case mpNil:
		return item{kind: itemNil}, b, nil
	case mpFalse:
		return item{kind: itemFalse}, b, nil
	case mpTrue:
		return item{kind: itemTrue}, b, nil
	}
	width := headWidth[c-mpNil]
	if width == 0 || len(b) < int(width) {
		return it, nil, errPacked
	}
	return wide(c, bigEndian(b[:width]), b[width:])
}

// headWidth is how many bytes of length or number follow a leading byte from mpNil
// on; 0 is a form that is not used.
var headWidth = [mpNegative - mpNil]uint8{
	mpExt8 - mpNil: 1, mpExt16 - mpNil: 2, mpExt32 - mpNil: 4, mpFloat32 - mpNil: 4, mpFloat64 - mpNil: 8,
	mpUint8 - mpNil: 1, mpUint16 - mpNil: 2, mpUint32 - mpNil: 4, mpUint64 - mpNil: 8,
	mpInt8 - mpNil: 1, mpInt16 - mpNil: 2, mpInt32 - mpNil: 4, mpInt64 - mpNil: 8,
	mpStr8 - mpNil: 1, mpStr16 - mpNil: 2, mpStr32 - mpNil: 4,
	mpArray16 - mpNil: 2, mpArray32 - mpNil: 4, mpMap16 - mpNil: 2, mpMap32 - mpNil: 4,
}

func bigEndian(b []byte) uint64 {
	switch len(b) {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(binary.BigEndian.Uint16(b))
	case 4:
		return uint64(binary.BigEndian.Uint32(b))
	}
	return binary.BigEndian.Uint64(b)
}

// wide completes the head of a value whose leading byte is followed by u.
func wide(c byte, u uint64, b []byte) (it item, rest []byte, err error) {
	switch c {
	case mpFloat32:
		return item{kind: itemFloat, real: float64(math.Float32frombits(uint32(u)))}, b, nil
	case mpFloat64:
		return item{kind: itemFloat, real: math.Float64frombits(u)}, b, nil
	case mpUint8, mpUint16, mpUint32, mpUint64:
		return item{kind: itemInt, num: int64(u)}, b, nil
	case mpInt8:
		return item{kind: itemInt, num: int64(int8(u))}, b, nil
	case mpInt16:
		return item{kind: itemInt, num: int64(int16(u))}, b, nil
	case mpInt32:
		return item{kind: itemInt, num: int64(int32(u))}, b, nil
	case mpInt64:
		return item{kind: itemInt, num: int64(u)}, b, nil
	case mpStr8, mpStr16, mpStr32:
		return body(item{kind: itemString, n: int(u)}, b)
	case mpArray16, mpArray32:
		return item{kind: itemArray, n: int(u)}, b, nil
	case mpMap16, mpMap32:
		return item{kind: itemMap, n: int(u)}, b, nil
	}
	if len(b) == 0 {
		return it, nil, errPacked
	}
	return body(item{kind: itemExt, ext: b[0], n: int(u)}, b[1:])
}

// body cuts the n bytes of it off b.
func body(it item, b []byte) (item, []byte, error) {
	if it.n > len(b) {
		return it, nil, errPacked
	}
	it.body = b[:it.n]
	return it, b[it.n:], nil
}

// appendText appends the JSON text of the value at the front of b, and returns
// what follows it.
func appendText(dst, b []byte, depth int) (out, rest []byte, err error) {
	if len(b) > 0 {
		if c := b[0]; c < mpFixMap {
			return strconv.AppendUint(dst, uint64(c), 10), b[1:], nil
		} else if n := 1 + int(c^mpFixStr); n <= 32 && n <= len(b) {
			return append(append(append(dst, '"'), b[1:n]...), '"'), b[n:], nil
		}
	}
	it, b, err := next(b)
	if err != nil || depth > maxNesting {
		return nil, nil, errPacked
	}
	switch it.kind {
	case itemNil:
		return append(dst, "null"...), b, nil
	case itemFalse:
		return append(dst, "false"...), b, nil
	case itemTrue:
		return append(dst, "true"...), b, nil
	case itemInt:
		return strconv.AppendInt(dst, it.num, 10), b, nil
	case itemFloat:
		return appendFraction(dst, it.real), b, nil
	case itemString:
		return append(append(append(dst, '"'), it.body...), '"'), b, nil
	case itemArray:
		return appendArray(dst, b, it.n, depth)
	case itemMap:
		return appendObject(dst, b, it.n, depth)
	}
	dst, err = appendExtText(dst, it, depth)
	return dst, b, err
}

func appendExtText(dst []byte, it item, depth int) ([]byte, error) {
	switch it.ext {
	case extNumber:
		return append(dst, it.body...), nil
	case extString:
		return append(append(append(dst, '"'), it.body...), '"'), nil
	case extObject:
		dst, rest, err := appendText(dst, it.body, depth+1)
		if err == nil && len(rest) != 0 {
			err = errPacked
		}
		return dst, err
	}
	return nil, errPacked
}

func appendArray(dst, b []byte, n, depth int) (out, rest []byte, err error) {
	dst = append(dst, '[')
	for i := range n {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, b, err = appendText(dst, b, depth+1); err != nil {
			return nil, nil, err
		}
	}
	return append(dst, ']'), b, nil
}

func appendObject(dst, b []byte, n, depth int) (out, rest []byte, err error) {
	dst = append(dst, '{')
	for i := range n {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, b, err = appendKey(dst, b); err != nil {
			return nil, nil, err
		}
		if dst, b, err = appendText(dst, b, depth+1); err != nil {
			return nil, nil, err
		}
	}
	return append(dst, '}'), b, nil
}

func appendKey(dst, b []byte) (out, rest []byte, err error) {
	if len(b) > 0 {
		if n := 1 + int(b[0]^mpFixStr); n <= 32 && n <= len(b) {
			return append(append(append(dst, '"'), b[1:n]...), '"', ':'), b[n:], nil
		}
	}
	key, b, err := next(b)
	if err != nil || key.kind != itemString && (key.kind != itemExt || key.ext != extString) {
		return nil, nil, errPacked
	}
	return append(append(append(dst, '"'), key.body...), '"', ':'), b, nil
}
