package embedded

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cespare/xxhash/v2"
	"github.com/cockroachdb/pebble/v2"

	"sluice/feature"
)

// Correct puts records of a version as they are, whatever the version has of their keys,
// and removes those that it has of other keys. A key of which it has nothing is left
// alone: Stage writes that. It may be repeated. The versions that the records name are not
// looked at.
//
// Nothing else may stage into the version meanwhile: what is newer is not kept.
func (s *Store) Correct(ctx context.Context, view feature.ViewID, version feature.Version, put []Row, gone []feature.Key) error {
	leave, err := s.enter(ctx)
	if err == nil {
		defer leave()
		err = s.correct(view, version, put, gone)
	}
	if err != nil {
		return fmt.Errorf("correct %d rows of view %d version %d: %w", len(put)+len(gone), view, version, err)
	}
	return nil
}

func (s *Store) correct(view feature.ViewID, version feature.Version, put []Row, gone []feature.Key) (err error) {
	var held [stripes]bool
	for i := range put {
		held[xxhash.Sum64String(string(put[i].Key))%stripes] = true
	}
	for _, key := range gone {
		held[xxhash.Sum64String(string(key))%stripes] = true
	}
	unlock := s.lock(&held)
	defer unlock()
	batch := s.db.NewBatch()
	defer func() { err = errors.Join(err, batch.Close()) }()
	for i := range put {
		if err := s.overwrite(batch, view, version, &put[i]); err != nil {
			return err
		}
	}
	for _, key := range gone {
		if err := batch.Delete(appendRow(nil, view, key, version), nil); err != nil {
			return err
		}
		if err := batch.Delete(appendIndex(nil, view, version, key), nil); err != nil {
			return err
		}
	}
	if batch.Empty() {
		return nil
	}
	if err := batch.Commit(pebble.NoSync); err != nil {
		return explain(s.path, err)
	}
	return nil
}

// overwrite adds a record to the batch if there is one in its place.
func (s *Store) overwrite(batch *pebble.Batch, view feature.ViewID, version feature.Version, row *Row) error {
	key := appendRow(nil, view, row.Key, version)
	_, closer, err := s.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil
	}
	if err != nil {
		return explain(s.path, err)
	}
	value := feature.AppendRecord(nil, row.Record)
	return errors.Join(closer.Close(), batch.Set(key, value, nil),
		batch.Set(appendIndex(nil, view, version, row.Key), binary.AppendUvarint(nil, uint64(len(value))), nil))
}
