package registry

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"sluice/feature"
)

const (
	addExposure = `INSERT INTO exposures (view_id, version, reads, first_read, last_read) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (view_id, version) DO UPDATE SET reads = exposures.reads + excluded.reads,
		first_read = CASE WHEN excluded.first_read < exposures.first_read THEN excluded.first_read ELSE exposures.first_read END,
		last_read = CASE WHEN excluded.last_read > exposures.last_read THEN excluded.last_read ELSE exposures.last_read END`
	exposureQuery = `SELECT version, reads, first_read, last_read FROM exposures WHERE view_id = $1 AND version >= $2 AND version <= $3 ORDER BY version`
)

// AddExposure adds what servers have shown since they last said so, all of it or
// nothing. It is no change that anybody waits for.
func (s *Registry) AddExposure(ctx context.Context, deltas []feature.Exposure) error {
	if len(deltas) == 0 {
		return nil
	}
	// In one order for everybody, so that no two wait for each other's rows.
	deltas = slices.SortedFunc(slices.Values(deltas), func(a, b feature.Exposure) int {
		return cmp.Or(cmp.Compare(a.View, b.View), cmp.Compare(a.Version, b.Version))
	})
	err := s.write(ctx, func(ctx context.Context, tx *transaction) error {
		tx.quiet = true
		for _, d := range deltas {
			if err := tx.put(ctx, naming("version %d of view %d", d.Version, d.View), addExposure,
				int64(d.View), int64(d.Version), int64(d.Reads), firstNanos(d.First), nanos(d.Last)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("add exposure: %w", err)
	}
	return nil
}

// Exposure returns how often the versions of a view from first to last were shown,
// rising; one that never was is not in it.
func (s *Registry) Exposure(ctx context.Context, view feature.ViewID, first, last feature.Version) ([]feature.VersionReads, error) {
	rows, err := all(ctx, s, scanExposure, exposureQuery, int64(view), int64(first), int64(min(last, math.MaxInt64)))
	if err != nil {
		return nil, fmt.Errorf("read exposure of view %d: %w", view, err)
	}
	return rows, nil
}

func scanExposure(row scanner) (r feature.VersionReads, err error) {
	var first, last int64
	if err = row.Scan(unsigned[feature.Version]{&r.Version}, unsigned[uint64]{&r.Reads}, &first, &last); err != nil {
		return r, err
	}
	if first != math.MaxInt64 {
		r.First = fromNanos(first)
	}
	r.Last = fromNanos(last)
	return r, nil
}

// firstNanos is the stored form of a time of which the earliest counts: the zero
// time is the greatest integer.
func firstNanos(t time.Time) int64 {
	if t.IsZero() {
		return math.MaxInt64
	}
	return nanos(t)
}
