package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/klauspost/compress/zstd"
)

// nanos is the stored form of a time; the zero time is the smallest integer.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return math.MinInt64
	}
	return t.UnixNano()
}

func fromNanos(n int64) time.Time {
	if n == math.MinInt64 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

// encode is the stored form of a noun.
func encode(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode %T: %w", v, err)
	}
	return b, nil
}

func decode(b []byte, v any) error {
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("decode %T: %w: %w", v, ErrCorrupt, err)
	}
	return nil
}

// decoded scans a row whose one column is the body of a T.
func decoded[T any](row scanner) (T, error) {
	var body []byte
	var v T
	if err := row.Scan(&body); err != nil {
		return v, err
	}
	return v, decode(body, &v)
}

// Packed bytes begin with how they are packed.
const (
	packedRaw  = 0
	packedZstd = 1

	packMin     = 256       // shorter bytes stay raw
	unpackedMax = 256 << 20 // no row is larger
)

// The coders are safe for concurrent use in their stateless forms.
var (
	packer = must(zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest),
		zstd.WithWindowSize(1<<20), zstd.WithEncoderCRC(true)))
	unpacker = must(zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(unpackedMax),
		zstd.WithDecoderMaxWindow(unpackedMax)))
)

// must is for options that are constants of this file.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// pack compresses b if that saves a tenth of it. Nil stays nil.
func pack(b []byte) []byte {
	if b == nil {
		return nil
	}
	if len(b) >= packMin {
		packed := packer.EncodeAll(b, append(make([]byte, 0, len(b)/2), packedZstd))
		if len(packed) < len(b)-len(b)/10 {
			return packed
		}
	}
	return append(append(make([]byte, 0, len(b)+1), packedRaw), b...)
}

// unpack is the inverse of pack; other bytes give ErrCorrupt.
func unpack(b []byte) ([]byte, error) {
	if b == nil {
		return nil, nil
	}
	if len(b) == 0 {
		return nil, fmt.Errorf("unpack: empty: %w", ErrCorrupt)
	}
	switch b[0] {
	case packedRaw:
		return b[1:], nil
	case packedZstd:
		raw, err := unpacker.DecodeAll(b[1:], nil)
		if err != nil {
			return nil, fmt.Errorf("unpack: %w: %w", ErrCorrupt, err)
		}
		return raw, nil
	}
	return nil, fmt.Errorf("unpack: form %d: %w", b[0], ErrCorrupt)
}

// A cursor is the sequence number of the last row seen; empty before the first.
func parseCursor(after string) (int64, error) {
	if after == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(after, 10, 64)
	if err != nil || n < 0 {
		return 0, invalid("cursor %.40q", after)
	}
	return n, nil
}

// page is one row of a list with its place in it.
type page[T any] struct {
	seq  int64
	item T
}

// cut parts a list's rows from the cursor behind the last of them, which is after
// if there is none.
func cut[T any](pages []page[T], after string) ([]T, string) {
	items := make([]T, len(pages))
	for i, p := range pages {
		items[i] = p.item
		after = strconv.FormatInt(p.seq, 10)
	}
	return items, after
}

// rowLimit is the LIMIT of a query: every row if limit is not positive.
func rowLimit(limit int) int64 {
	if limit <= 0 {
		return math.MaxInt64
	}
	return int64(limit)
}

// unsigned scans a column that holds a uint64 below 2^63.
type unsigned[T ~uint64] struct{ to *T }

// Scan implements sql.Scanner.
func (u unsigned[T]) Scan(src any) error {
	n, ok := src.(int64)
	if !ok || n < 0 {
		return errors.New("not an unsigned integer")
	}
	*u.to = T(n)
	return nil
}
