package feature

import (
	"encoding/binary"
	"fmt"
)

// A json value is stored in a packed row as MessagePack, so that a path finds its
// value by stepping over what it does not need. It is given back as the very text
// that was written: what MessagePack has no exact form for is an extension. A row
// that was stored as text, before there was this form, is read as before: a value's
// tag says which it is.
//
//	nil, bool, int, str, array, map as they are; a map keeps the order of its keys
//	float 64      a number with a fraction, of more than 6 bytes, whose shortest text is the text
//	extension 1   any other number but whole ones of 64 bits: its text
//	extension 2   a string with escapes: its text between the quotes
//	extension 3   an object with a key twice or with an escape in a key: a map
//
// Source: the MessagePack specification, github.com/msgpack/msgpack.
const (
	extNumber = 1
	extString = 2
	extObject = 3
)

// packedNumber is the field number of a packed json value in a stored row. No
// field of feast.types.Value has it; it never leaves the platform.
const packedNumber = 63

const (
	packedTag = packedNumber<<3 | wireLen
	jsonTag   = 32<<3 | wireLen
)

// Leading bytes of MessagePack.
const (
	mpFixMap   = 0x80
	mpFixArray = 0x90
	mpFixStr   = 0xa0
	mpNil      = 0xc0
	mpFalse    = 0xc2
	mpTrue     = 0xc3
	mpExt8     = 0xc7
	mpExt16    = 0xc8
	mpExt32    = 0xc9
	mpFloat32  = 0xca
	mpFloat64  = 0xcb
	mpUint8    = 0xcc
	mpUint16   = 0xcd
	mpUint32   = 0xce
	mpUint64   = 0xcf
	mpInt8     = 0xd0
	mpInt16    = 0xd1
	mpInt32    = 0xd2
	mpInt64    = 0xd3
	mpStr8     = 0xd9
	mpStr16    = 0xda
	mpStr32    = 0xdb
	mpArray16  = 0xdc
	mpArray32  = 0xdd
	mpMap16    = 0xde
	mpMap32    = 0xdf
	mpNegative = 0xe0
)

// appendStored appends the value v as a packed row holds it: as AppendValue does,
// but for json.
func appendStored(dst []byte, v Value) []byte {
	if v.typ != JSON {
		return AppendValue(dst, v)
	}
	packed, ok := packJSON(make([]byte, 0, len(v.text)+len(v.text)/8+16), v.text)
	if !ok {
		return AppendValue(dst, v)
	}
	dst = binary.AppendUvarint(dst, packedTag)
	dst = binary.AppendUvarint(dst, uint64(len(packed)))
	return append(dst, packed...)
}

// packedOf returns the MessagePack of a stored json value; false if it is not
// stored so.
func packedOf(stored []byte) ([]byte, bool) {
	if len(stored) < 3 || stored[0] != packedTag&0x7f|0x80 || stored[1] != packedTag>>7 {
		return nil, false
	}
	packed, rest, err := cutBytes(stored[2:])
	return packed, err == nil && len(rest) == 0
}

// AppendWire appends the serialized feast.types.Value of a value as a packed row
// holds it: for json the one with its text, for others the same bytes. It returns
// ErrCorrupt for a packed json value that no encoder of this package wrote.
func AppendWire(dst, stored []byte) ([]byte, error) {
	packed, ok := packedOf(stored)
	if !ok {
		return append(dst, stored...), nil
	}
	return appendJSONWire(dst, packed)
}

// IsWire reports whether a value of a packed row is a serialized
// feast.types.Value as it stands.
func IsWire(stored []byte) bool {
	_, packed := packedOf(stored)
	return !packed
}

// appendJSONWire appends the json value whose text the MessagePack stands for.
func appendJSONWire(dst, packed []byte) ([]byte, error) {
	dst = binary.AppendUvarint(dst, jsonTag)
	at := len(dst)
	dst = append(dst, 0)
	dst, rest, err := appendText(dst, packed, 0)
	if err == nil && len(rest) != 0 {
		err = errPacked
	}
	if err != nil {
		return nil, fmt.Errorf("decode json: %w", err)
	}
	return prefixLength(dst, at), nil
}

// prefixLength puts the length of what follows the one byte at position at there,
// and makes room where it takes more than that byte.
func prefixLength(dst []byte, at int) []byte {
	var length [binary.MaxVarintLen64]byte
	body := len(dst) - at - 1
	n := binary.PutUvarint(length[:], uint64(body))
	dst = append(dst, length[1:n]...) // any n-1 bytes: room
	copy(dst[at+n:], dst[at+1:at+1+body])
	copy(dst[at:], length[:n])
	return dst
}
