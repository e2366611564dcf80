package embedded

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/cespare/xxhash/v2"
	"github.com/cockroachdb/pebble/v2"

	"sluice/feature"
)

// Stage writes rows into a version: of each key the newest by (event time, seq)
// stays, whether it is stored already or comes twice. All rows of a call become
// readable together. It is idempotent, and calls with the same keys may run at
// once. The versions that the records name are not looked at.
//
// bytes is what the rows take, keys included, and depends on rows alone: a replay
// counts the same. Stage does not refuse a version that was dropped; its rows would
// come back as staged. Rows belong to the caller again when it returns.
func (s *Store) Stage(ctx context.Context, view feature.ViewID, version feature.Version, rows []Row) (bytes uint64, err error) {
	leave, err := s.enter(ctx)
	if err == nil {
		defer leave()
		bytes, err = s.stage(view, version, rows)
	}
	if err != nil {
		return 0, fmt.Errorf("stage %d rows of view %d version %d: %w", len(rows), view, version, err)
	}
	return bytes, nil
}

func (s *Store) stage(view feature.ViewID, version feature.Version, rows []Row) (bytes uint64, err error) {
	c := stagers.Get().(*stager)
	defer c.release()
	c.choose(rows)
	unlock := s.lock(&c.stripes)
	defer unlock()
	batch := s.db.NewBatch()
	defer func() { err = errors.Join(err, batch.Close()) }()
	for i := range rows {
		r := &rows[i]
		c.value = feature.AppendRecord(c.value[:0], r.Record)
		bytes += uint64(len(r.Key) + len(c.value))
		if c.newest[r.Key] != i {
			continue
		}
		if err := s.put(batch, c, view, version, r); err != nil {
			return 0, err
		}
	}
	if batch.Empty() {
		return bytes, nil
	}
	if err := batch.Commit(pebble.NoSync); err != nil {
		return 0, explain(s.path, err)
	}
	return bytes, nil
}

// put adds r, whose stored form is c.value, to the batch unless one at least as new
// is stored.
func (s *Store) put(batch *pebble.Batch, c *stager, view feature.ViewID, version feature.Version, r *Row) error {
	c.key = appendRow(c.key[:0], view, r.Key, version)
	size, stale, err := s.stored(c.key, r.Record)
	if err != nil || stale {
		return err
	}
	if err := batch.Set(c.key, c.value, nil); err != nil || size == len(c.value) {
		return err
	}
	c.key = appendIndex(c.key[:0], view, version, r.Key)
	c.size = binary.AppendUvarint(c.size[:0], uint64(len(c.value)))
	return batch.Set(c.key, c.size, nil)
}

// stored returns the length of the record under key, 0 if there is none, and
// whether it is at least as new as r.
func (s *Store) stored(key []byte, r feature.Record) (size int, stale bool, err error) {
	value, closer, err := s.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, explain(s.path, err)
	}
	old, err := feature.DecodeRecord(0, value)
	size = len(value)
	if err := errors.Join(err, closer.Close()); err != nil {
		return 0, false, damage(s.path, err)
	}
	return size, !newer(r, old), nil
}

// damage is a stored record that does not decode.
func damage(path string, err error) error {
	return fmt.Errorf("%s: %w: move the folder away and replay the log to fill a new one: %w", path, ErrCorrupt, err)
}

// stager is the memory of one call of Stage.
type stager struct {
	newest  map[feature.Key]int // which row of a key to store
	stripes [stripes]bool       // the locks of the keys
	key     []byte
	value   []byte
	size    []byte
}

var stagers = sync.Pool{New: func() any { return &stager{newest: map[feature.Key]int{}} }}

// staged is the largest call whose memory is kept for the next.
const staged = 1 << 14

func (c *stager) release() {
	if len(c.newest) > staged {
		return
	}
	clear(c.newest)
	clear(c.stripes[:])
	stagers.Put(c)
}

func (c *stager) choose(rows []Row) {
	for i := range rows {
		key := rows[i].Key
		c.stripes[xxhash.Sum64String(string(key))%stripes] = true
		other, found := c.newest[key]
		if !found || newer(rows[i].Record, rows[other].Record) {
			c.newest[key] = i
		}
	}
}

// newer compares two records of one version.
func newer(a, b feature.Record) bool {
	a.Version, b.Version = 0, 0
	return a.Newer(b)
}

// lock takes the locks of a call in rising order, so that no two calls wait for
// each other.
func (s *Store) lock(of *[stripes]bool) (unlock func()) {
	for i := range of {
		if of[i] {
			s.locks[i].Lock()
		}
	}
	return func() {
		for i := range of {
			if of[i] {
				s.locks[i].Unlock()
			}
		}
	}
}
