package embedded

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"sluice/feature"
)

// sweepBytes is how large a batch of removals grows before it is written.
const sweepBytes = 256 << 10

// Drop removes every record of a version and returns how many there were. Those of
// other versions stay. One that a crash cuts short is finished by the next.
func (s *Store) Drop(ctx context.Context, view feature.ViewID, version feature.Version) (rows int, err error) {
	err = s.sweep(ctx, func(w *sweeper) error {
		err := w.each(ctx, view, version, func(key feature.Key, _ []byte) error { return w.remove(view, key, version) })
		rows = w.removed
		return err
	})
	if err != nil {
		return rows, fmt.Errorf("drop version %d of view %d: %w", version, view, err)
	}
	return rows, nil
}

// Fold shortens the chains of the keys that the touched versions wrote: of their
// records at or below floor that are not of a dead version only the newest stays,
// and not even that if it is a deletion and there is no record above the floor.
// Records of dead versions at or below floor are removed. It returns how many
// records went, and may be repeated.
//
// floor is one that no live lease undercuts, and dead names every version up to it
// that readers may not see and whose rows are still there: one that is left out
// hides the good rows below it for ever. Once a deletion is gone, a row that is
// staged later with an earlier event time shows again.
func (s *Store) Fold(ctx context.Context, view feature.ViewID, floor feature.Version, dead, touched []feature.Version) (removed int, err error) {
	for _, version := range touched {
		err = s.sweep(ctx, func(w *sweeper) error {
			err := w.each(ctx, view, version, func(key feature.Key, _ []byte) error { return w.fold(view, key, floor, dead) })
			removed += w.removed
			return err
		})
		if err != nil {
			return removed, fmt.Errorf("fold version %d of view %d up to %d: %w", version, view, floor, err)
		}
	}
	return removed, nil
}

// Stat returns how many records a version has and the bytes that they take, keys
// included. It reads the version's index through.
func (s *Store) Stat(ctx context.Context, view feature.ViewID, version feature.Version) (rows, bytes uint64, err error) {
	err = s.sweep(ctx, func(w *sweeper) error {
		return w.each(ctx, view, version, func(key feature.Key, size []byte) error {
			n, used := binary.Uvarint(size)
			if used != len(size) || used <= 0 {
				return fmt.Errorf("index of key %q: %w", string(key), ErrCorrupt)
			}
			rows++
			bytes += uint64(len(key)) + n
			return nil
		})
	})
	if err != nil {
		return 0, 0, fmt.Errorf("count version %d of view %d: %w", version, view, err)
	}
	return rows, bytes, nil
}

// sweeper goes through a version and removes records.
type sweeper struct {
	store   *Store
	rows    *pebble.Iterator
	batch   *pebble.Batch
	removed int
	key     []byte
	chain   []link
}

// link is a record of a chain, without its row.
type link struct {
	feature.Record
	below bool // at or below the floor
	dead  bool
}

// sweep runs fn with a sweeper over the store of this moment and writes what it
// removed.
func (s *Store) sweep(ctx context.Context, fn func(*sweeper) error) (err error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	w := &sweeper{store: s, batch: s.db.NewBatch()}
	defer func() { err = errors.Join(err, w.batch.Close()) }()
	if w.rows, err = s.db.NewIter(nil); err != nil {
		return explain(s.path, err)
	}
	defer func() { err = errors.Join(err, w.rows.Close()) }()
	if err := fn(w); err != nil {
		return explain(s.path, err)
	}
	return w.flush()
}

// each calls fn with every key of a version.
func (w *sweeper) each(ctx context.Context, view feature.ViewID, version feature.Version, fn func(key feature.Key, size []byte) error) (err error) {
	first := appendVersion(nil, view, version)
	index, err := w.store.db.NewIter(&pebble.IterOptions{LowerBound: first, UpperBound: endOf(first)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, index.Close()) }()
	for ok := index.First(); ok; ok = index.Next() {
		key, err := indexKey(index.Key())
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = fn(key, index.Value())
		}
		if err == nil && w.batch.Len() > sweepBytes {
			err = w.flush()
		}
		if err != nil {
			return err
		}
	}
	return index.Error()
}

// remove takes a record out, with its place in the version's index.
func (w *sweeper) remove(view feature.ViewID, key feature.Key, version feature.Version) error {
	w.removed++
	w.key = appendRow(w.key[:0], view, key, version)
	if err := w.batch.Delete(w.key, nil); err != nil {
		return err
	}
	w.key = appendIndex(w.key[:0], view, version, key)
	return w.batch.Delete(w.key, nil)
}

func (w *sweeper) flush() error {
	if w.batch.Empty() {
		return nil
	}
	if err := w.batch.Commit(pebble.NoSync); err != nil {
		return explain(w.store.path, err)
	}
	if err := w.batch.Close(); err != nil {
		return explain(w.store.path, err)
	}
	w.batch = w.store.db.NewBatch()
	return nil
}

// fold shortens the chain of one key.
func (w *sweeper) fold(view feature.ViewID, key feature.Key, floor feature.Version, dead []feature.Version) error {
	if err := w.load(view, key, floor, dead); err != nil {
		return err
	}
	best, above := -1, false
	for i, l := range w.chain {
		above = above || !l.below
		if l.below && !l.dead && (best < 0 || l.Newer(w.chain[best].Record)) {
			best = i
		}
	}
	for i, l := range w.chain {
		if !l.below || i == best && (!l.Deleted || above) {
			continue
		}
		if err := w.remove(view, key, l.Version); err != nil {
			return err
		}
	}
	return nil
}

// load reads a chain without its rows.
func (w *sweeper) load(view feature.ViewID, key feature.Key, floor feature.Version, dead []feature.Version) error {
	w.chain = w.chain[:0]
	w.key = appendChain(w.key[:0], view, key)
	for ok := w.rows.SeekPrefixGE(w.key); ok; ok = w.rows.Next() {
		version, err := rowVersion(w.rows.Key(), len(w.key))
		if err != nil {
			return err
		}
		value, err := w.rows.ValueAndErr()
		if err != nil {
			return err
		}
		record, err := feature.DecodeRecord(version, value)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		record.Row = nil
		w.chain = append(w.chain, link{record, version <= floor, slices.Contains(dead, version)})
	}
	return w.rows.Error()
}
