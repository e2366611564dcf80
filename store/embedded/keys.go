package embedded

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"sluice/feature"
)

// Keys of the store; numbers are big-endian, so that they sort.
//
//	0 "format"                                    the layout's number
//	1 view u32 | uvarint length | key | version u64  → the stored record
//	2 view u32 | version u64 | key                   → uvarint length of the record
//
// The records of one (view, key) are neighbours, since no length-prefixed key is
// the beginning of another; that beginning is what the store's filters hold. The
// third form finds the keys of a version, and counts its bytes.
const (
	kindMeta  = 0
	kindRow   = 1
	kindIndex = 2

	viewSize    = 1 + 4
	versionSize = 8
	layout      = 1
)

var formatKey = append([]byte{kindMeta}, "format"...)

// appendChain appends the beginning that the records of key have in common.
func appendChain(dst []byte, view feature.ViewID, key feature.Key) []byte {
	dst = append(dst, kindRow)
	dst = binary.BigEndian.AppendUint32(dst, uint32(view))
	dst = binary.AppendUvarint(dst, uint64(len(key)))
	return append(dst, key...)
}

func appendRow(dst []byte, view feature.ViewID, key feature.Key, version feature.Version) []byte {
	return binary.BigEndian.AppendUint64(appendChain(dst, view, key), uint64(version))
}

// appendVersion appends the beginning that the index of a version has in common.
func appendVersion(dst []byte, view feature.ViewID, version feature.Version) []byte {
	dst = append(dst, kindIndex)
	dst = binary.BigEndian.AppendUint32(dst, uint32(view))
	return binary.BigEndian.AppendUint64(dst, uint64(version))
}

func appendIndex(dst []byte, view feature.ViewID, version feature.Version, key feature.Key) []byte {
	return append(appendVersion(dst, view, version), key...)
}

// indexKey returns the entity key that an index key ends with.
func indexKey(b []byte) (feature.Key, error) {
	if len(b) < viewSize+versionSize || b[0] != kindIndex {
		return "", fmt.Errorf("index key %x: %w", b, ErrCorrupt)
	}
	return feature.Key(b[viewSize+versionSize:]), nil
}

// endOf returns the key behind all that begin with b, whose first byte is a kind.
func endOf(b []byte) []byte {
	end := slices.Clone(b)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return end
}

// rowVersion returns the version of a row key that begins with chain bytes.
func rowVersion(b []byte, chain int) (feature.Version, error) {
	if len(b) != chain+versionSize {
		return 0, fmt.Errorf("row key %x: %w", b, ErrCorrupt)
	}
	return feature.Version(binary.BigEndian.Uint64(b[chain:])), nil
}

// splitKey returns how long the part of a key is that its neighbours in a chain
// share; the whole of a key that is no row's. The store asks it of shortened keys
// as well, so it accepts any bytes, and parts rise as keys do.
func splitKey(b []byte) int {
	if len(b) <= viewSize || b[0] != kindRow {
		return len(b)
	}
	size, n := binary.Uvarint(b[viewSize:])
	if n <= 0 || size > uint64(len(b)-viewSize-n) {
		return len(b)
	}
	return viewSize + n + int(size)
}

// keyOrder is bytewise, with chains as the unit of filters.
var keyOrder = func() *pebble.Comparer {
	c := *pebble.DefaultComparer
	c.Split = splitKey
	c.Name = "sluice.rows.v1"
	return &c
}()
