package redis

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/cespare/xxhash/v2"

	"sluice/feature"
)

const (
	buckets = 128
	slots   = 16384

	kindRow     = 'r'
	kindGroup   = 'g'
	kindVersion = 'v'
	kindMark    = 'm'
	kindSettled = 's'
	kindPresent = 'p'

	tagSize      = 3
	settledChunk = 8192 // versions of a bitmap

	// MaxVersion is the greatest version that the store takes: the Functions
	// compare versions as floating-point numbers.
	MaxVersion feature.Version = 1<<53 - 1
)

// bucketOf returns the bucket of an entity.
func bucketOf(key feature.Key) uint8 {
	return uint8(xxhash.Sum64String(string(key)) % buckets)
}

// tags returns the hash tag of every bucket: the first text of letters and digits
// that puts bucket i into slot 128 i, so that any number of shards with equal shares
// of the slots gets equal shares of the buckets.
var tags = sync.OnceValue(func() (tags [buckets]string) {
	const digits = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	left, n := buckets, len(digits)
	for i := 0; left > 0 && i < n*n*n; i++ {
		tag := string([]byte{digits[i/n/n], digits[i/n%n], digits[i%n]})
		slot := slotOf(tag)
		if b := slot / (slots / buckets); slot%(slots/buckets) == 0 && tags[b] == "" {
			tags[b] = tag
			left--
		}
	}
	return tags
})

// slotOf returns the Cluster slot of a hash tag: CRC-16/XMODEM modulo 16384.
func slotOf(tag string) int {
	crc := uint16(0)
	for i := range len(tag) {
		crc ^= uint16(tag[i]) << 8
		for range 8 {
			if carry := crc&0x8000 != 0; carry {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return int(crc) % slots
}

// layout makes the keys of a store with a prefix.
type layout struct{ prefix string }

func (l layout) append(dst []byte, bucket uint8, kind byte) []byte {
	dst = append(dst, l.prefix...)
	dst = append(dst, '{')
	dst = append(dst, tags()[bucket]...)
	return append(dst, '}', kind)
}

// head is how long the part of a row's key is that stands before the entity's.
func (l layout) head(of place) int {
	n := len(l.prefix) + 1 + tagSize + 1 + 1
	if of.group != "" {
		return n + 1 + len(of.group)
	}
	return n + 4
}

func (l layout) appendRow(dst []byte, bucket uint8, of place, key feature.Key) []byte {
	if of.group != "" {
		dst = append(l.append(dst, bucket, kindGroup), byte(len(of.group)))
		dst = append(dst, of.group...)
		return append(dst, key...)
	}
	dst = binary.BigEndian.AppendUint32(l.append(dst, bucket, kindRow), uint32(of.view))
	return append(dst, key...)
}

func (l layout) row(bucket uint8, of place, key string) string {
	return string(l.appendRow(make([]byte, 0, l.head(of)+len(key)), bucket, of, feature.Key(key)))
}

// appendRead appends the command that reads a row.
func (l layout) appendRead(dst []byte, bucket uint8, of place, key feature.Key) []byte {
	dst = append(dst, "*2\r\n$7\r\nHGETALL\r\n$"...)
	dst = append(strconv.AppendInt(dst, int64(l.head(of)+len(key)), 10), crlf...)
	return append(l.appendRow(dst, bucket, of, key), crlf...)
}

func (l layout) version(bucket uint8, view feature.ViewID, version feature.Version) string {
	b := binary.BigEndian.AppendUint32(l.append(nil, bucket, kindVersion), uint32(view))
	return string(binary.BigEndian.AppendUint64(b, uint64(version)))
}

func (l layout) marks(bucket uint8) string { return string(l.append(nil, bucket, kindMark)) }

// presence is the key of the mark that says that a bucket has its rows.
func (l layout) presence(bucket uint8) string { return string(l.append(nil, bucket, kindPresent)) }

// settled returns the bitmap of a version, its bucket and the version's bit.
func (l layout) settled(view feature.ViewID, version feature.Version) (key string, bucket uint8, bit int64) {
	bucket = uint8(view % buckets)
	b := binary.BigEndian.AppendUint32(l.append(nil, bucket, kindSettled), uint32(view))
	b = binary.BigEndian.AppendUint64(b, uint64(version/settledChunk))
	return string(b), bucket, int64(version % settledChunk)
}

// rowsPattern matches the keys of a view's rows, and hardly others.
func (l layout) rowsPattern(of place) string {
	id := string(binary.BigEndian.AppendUint32([]byte{kindRow}, uint32(of.view)))
	if of.group != "" {
		id = string([]byte{kindGroup, byte(len(of.group))}) + of.group
	}
	return globQuote(l.prefix) + "{" + strings.Repeat("?", tagSize) + "}" + globQuote(id) + "*"
}

func globQuote(text string) string {
	var b strings.Builder
	for i := range len(text) {
		if strings.IndexByte(`*?[]^-\`, text[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// isRow reports whether key is a row's of a view, and returns its bucket.
func (l layout) isRow(key string, of place) (bucket uint8, ok bool) {
	head := l.head(of)
	if len(key) < head {
		return 0, false
	}
	entity := key[head:]
	bucket = bucketOf(feature.Key(entity))
	return bucket, key == l.row(bucket, of, entity)
}

// appendField appends the field of a version: big-endian without leading zeros.
func appendField(dst []byte, version feature.Version) []byte {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(version))
	i := 0
	for i < 7 && b[i] == 0 {
		i++
	}
	return append(dst, b[i:]...)
}

// decodeField is the inverse of appendField.
func decodeField(b []byte) (feature.Version, error) {
	if len(b) == 0 || len(b) > 8 || len(b) > 1 && b[0] == 0 {
		return 0, fmt.Errorf("version %.32x: %w", b, ErrCorrupt)
	}
	version := feature.Version(0)
	for _, c := range b {
		version = version<<8 | feature.Version(c)
	}
	return version, nil
}
