package embedded

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"sluice/feature"
)

// Read returns the records of every key of a view, in all versions, rising; keys
// without any have an empty chain. All chains are of one moment.
//
// dst is nil or what an earlier call returned, with its records where they were:
// its memory is used again, rows included. So a Record's Row is valid until dst is
// handed to the next call, and whoever keeps it longer copies it. One dst serves
// one call at a time.
func (s *Store) Read(ctx context.Context, view feature.ViewID, keys []feature.Key, dst [][]feature.Record) ([][]feature.Record, error) {
	dst = grown(dst, len(keys))
	leave, err := s.enter(ctx)
	if err == nil {
		defer leave()
		err = s.read(view, keys, dst)
	}
	if err != nil {
		return dst, fmt.Errorf("read %d keys of view %d: %w", len(keys), view, err)
	}
	return dst, nil
}

// grown returns dst with n chains, keeping what memory those have.
func grown(dst [][]feature.Record, n int) [][]feature.Record {
	if cap(dst) < n {
		dst = append(dst[:cap(dst)], make([][]feature.Record, n-cap(dst))...)
	}
	return dst[:n]
}

func (s *Store) read(view feature.ViewID, keys []feature.Key, dst [][]feature.Record) (err error) {
	iter, err := s.db.NewIter(nil)
	if err != nil {
		return explain(s.path, err)
	}
	r := lookups.Get().(*lookup)
	defer lookups.Put(r)
	r.spare, r.left = nil, len(keys)
	for _, i := range r.sorted(keys) {
		r.key = appendChain(r.key[:0], view, keys[i])
		if dst[i], err = r.chain(iter, dst[i]); err != nil {
			break
		}
		r.left--
	}
	r.spare = nil
	if err := errors.Join(err, iter.Close()); err != nil {
		return explain(s.path, err)
	}
	return nil
}

// lookup is the memory of one call of Read.
type lookup struct {
	order []int
	key   []byte
	spare []byte // for rows that no former row leaves room for
	left  int    // keys still to be read
}

var lookups = sync.Pool{New: func() any { return new(lookup) }}

// unsorted is how many keys are looked up as they come: sorting so few is no gain.
const unsorted = 4

// sorted returns the positions of keys, in an order that moves through the store
// in one direction.
func (r *lookup) sorted(keys []feature.Key) []int {
	r.order = r.order[:0]
	for i := range keys {
		r.order = append(r.order, i)
	}
	if len(keys) > unsorted {
		slices.SortFunc(r.order, func(a, b int) int {
			if d := len(keys[a]) - len(keys[b]); d != 0 {
				return d
			}
			return strings.Compare(string(keys[a]), string(keys[b]))
		})
	}
	return r.order
}

// chain reads the records whose keys begin with r.key into dst.
func (r *lookup) chain(iter *pebble.Iterator, dst []feature.Record) ([]feature.Record, error) {
	room := dst[:cap(dst)]
	dst = dst[:0]
	for ok := iter.SeekPrefixGE(r.key); ok; ok = iter.Next() {
		version, err := rowVersion(iter.Key(), len(r.key))
		if err != nil {
			return dst, err
		}
		value, err := iter.ValueAndErr()
		if err != nil {
			return dst, err
		}
		record, err := feature.DecodeRecord(version, value)
		if err != nil {
			return dst, fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		var former []byte
		if len(dst) < len(room) {
			former = room[len(dst)].Row
		}
		record.Row = r.keep(former, record.Row)
		dst = append(dst, record)
	}
	return dst, iter.Error()
}

// keep copies a row into the memory of a former one, or else into memory that the
// remaining keys share.
func (r *lookup) keep(former, row []byte) []byte {
	if cap(former) >= len(row) {
		return append(former[:0], row...)
	}
	if cap(r.spare)-len(r.spare) < len(row) {
		r.spare = make([]byte, 0, len(row)*max(1, min(r.left, 64)))
	}
	n := len(r.spare)
	r.spare = append(r.spare, row...)
	return r.spare[n:len(r.spare):len(r.spare)]
}
