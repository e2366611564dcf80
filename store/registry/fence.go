package registry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"sluice/feature"
)

const (
	epochQuery  = `SELECT epoch FROM owners WHERE owner = $1`
	upsertEpoch = `INSERT INTO owners (owner, epoch) VALUES ($1, 1) ON CONFLICT (owner) DO UPDATE SET epoch = owners.epoch + 1`
	idleQuery   = `SELECT partition, departed FROM idleness WHERE view_id = $1`
	leftQuery   = `SELECT departed FROM idleness WHERE view_id = $1 AND partition = $2`
	upsertLeft  = `INSERT INTO idleness (view_id, partition, departed) VALUES ($1, $2, 1)
		ON CONFLICT (view_id, partition) DO UPDATE SET departed = idleness.departed + 1`
)

// Acquire makes the caller the owner of that name and returns its epoch, from 1.
// Commits with an earlier epoch are refused with ErrFenced from then on, and a lease
// that somebody has ends: see Lead.
func (s *Registry) Acquire(ctx context.Context, owner string) (epoch uint64, err error) {
	err = s.write(ctx, func(ctx context.Context, tx *transaction) error {
		if err := tx.lock(ctx, ownerLock(owner, false)); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, dropLease, owner); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, upsertEpoch, owner); err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, epochQuery, owner).Scan(unsigned[uint64]{&epoch})
	})
	if err != nil {
		return 0, fmt.Errorf("acquire %s: %w", owner, err)
	}
	return epoch, nil
}

func checkEpoch(ctx context.Context, tx *transaction, owner string, epoch uint64) error {
	var current uint64
	err := tx.QueryRowContext(ctx, epochQuery, owner).Scan(unsigned[uint64]{&current})
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if current != epoch || epoch == 0 {
		return fmt.Errorf("%s of epoch %d, and the current one is %d: %w", owner, epoch, current, feature.ErrFenced)
	}
	return nil
}

// LeaveIdle notes that a partition is no longer idle for a view, before anything
// of it is staged, and returns how often it has left so far. A seal that counted
// it idle with a smaller number is refused from then on.
func (s *Registry) LeaveIdle(ctx context.Context, topic string, partition int32, view feature.ViewID) (left uint64, err error) {
	name := topic + "/" + strconv.Itoa(int(partition))
	err = s.write(ctx, func(ctx context.Context, tx *transaction) error {
		tx.view = view
		if err := tx.lock(ctx, viewLock(view)); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, upsertLeft, int64(view), name); err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, leftQuery, int64(view), name).Scan(unsigned[uint64]{&left})
	})
	if err != nil {
		return 0, fmt.Errorf("leave idleness of %s for view %d: %w", name, view, err)
	}
	return left, nil
}

// Idle returns how often each partition, as topic/partition, has left idleness for
// a view. One that never has is not in it.
func (s *Registry) Idle(ctx context.Context, view feature.ViewID) (map[string]uint64, error) {
	var left map[string]uint64
	err := s.read(ctx, func(ctx context.Context, q querier) (err error) {
		left, err = idle(ctx, q, view)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read idleness for view %d: %w", view, err)
	}
	return left, nil
}

func idle(ctx context.Context, q querier, view feature.ViewID) (map[string]uint64, error) {
	type item struct {
		name string
		left uint64
	}
	items, err := list(ctx, q, func(row scanner) (i item, err error) {
		return i, row.Scan(&i.name, unsigned[uint64]{&i.left})
	}, idleQuery, int64(view))
	if err != nil {
		return nil, err
	}
	left := make(map[string]uint64, len(items))
	for _, i := range items {
		left[i.name] = i.left
	}
	return left, nil
}

// checkIdle refuses a seal that counted partitions idle which have left since.
func checkIdle(ctx context.Context, tx *transaction, view feature.ViewID, seen map[string]uint64) error {
	if len(seen) == 0 {
		return nil
	}
	left, err := idle(ctx, tx, view)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(seen)) {
		if left[name] != seen[name] {
			return fmt.Errorf("partition %s was counted idle and has left: %w", name, feature.ErrConflict)
		}
	}
	return nil
}
