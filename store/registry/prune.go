package registry

import (
	"context"
	"fmt"
	"math"
	"time"

	"sluice/feature"
)

const (
	oldestKept = `SELECT window_end FROM history WHERE view_id = $1 ORDER BY window_start DESC LIMIT 1 OFFSET $2`
	// A window ends after it starts, so that the start finds what the end decides.
	oldWindows  = ` FROM history WHERE view_id = $1 AND window_start < $2 AND window_end <= $2`
	oldProfiles = ` WHERE view_id = $1 AND window_end <= $2 AND profile IS NOT NULL`

	countProfiles = `SELECT count(*) FROM history` + oldProfiles
	countWindows  = `SELECT count(*)` + oldWindows
	pruneProfiles = `UPDATE history SET profile = NULL` + oldProfiles
	pruneWindows  = `DELETE` + oldWindows
)

// Retain removes history that a view's retention no longer asks for: the profiles of
// windows that ended by profilesBefore, whose summaries stay, and windows that ended
// by windowsBefore as a whole. A zero time removes nothing. The newest windows, as
// many as newest, stay whole whatever their age: those that serve as baseline. It
// returns how many windows lost their profile and how many went.
//
// Versions, verdicts with their blobs, layouts, baselines and the audit log are kept
// for ever. Retain reads no profile, and is no change if there is nothing to remove.
func (s *Registry) Retain(ctx context.Context, view feature.ViewID, newest int, profilesBefore, windowsBefore time.Time) (profiles, windows int, err error) {
	var p pruning
	err = s.read(ctx, func(ctx context.Context, q querier) error {
		p = pruning{view: view, profiles: nanos(profilesBefore), windows: nanos(windowsBefore)}
		return p.look(ctx, q, newest)
	})
	if err == nil && p.due > 0 {
		err = s.write(ctx, func(ctx context.Context, tx *transaction) (err error) {
			profiles, windows, err = p.carryOut(ctx, tx)
			return err
		})
	}
	if err != nil {
		return 0, 0, fmt.Errorf("retain history of view %d: %w", view, err)
	}
	return profiles, windows, nil
}

// pruning is a removal that is being worked out; the smallest time removes nothing.
type pruning struct {
	view              feature.ViewID
	profiles, windows int64 // ends up to which they go
	due               int
}

// look finds out what is to be removed. The newest windows bound both times.
func (p *pruning) look(ctx context.Context, q querier, newest int) error {
	if newest > 0 {
		ends, err := list(ctx, q, func(row scanner) (end int64, err error) { return end, row.Scan(&end) }, oldestKept, int64(p.view), int64(newest-1))
		if err != nil {
			return err
		}
		if len(ends) == 0 || ends[0] == math.MinInt64 { // there are not even as many
			return nil
		}
		p.profiles, p.windows = min(p.profiles, ends[0]-1), min(p.windows, ends[0]-1)
	}
	for query, before := range map[string]int64{countProfiles: p.profiles, countWindows: p.windows} {
		if before == math.MinInt64 {
			continue
		}
		n, err := scanCount(q.QueryRowContext(ctx, query, int64(p.view), before))
		if err != nil {
			return err
		}
		p.due += n
	}
	return nil
}

func (p *pruning) carryOut(ctx context.Context, tx *transaction) (profiles, windows int, err error) {
	tx.view = p.view
	if windows, err = p.remove(ctx, tx, pruneWindows, p.windows); err != nil {
		return 0, 0, err
	}
	profiles, err = p.remove(ctx, tx, pruneProfiles, p.profiles)
	return profiles, windows, err
}

func (p *pruning) remove(ctx context.Context, tx *transaction, query string, before int64) (int, error) {
	if before == math.MinInt64 {
		return 0, nil
	}
	result, err := tx.ExecContext(ctx, query, int64(p.view), before)
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
}

// sweep carries out remove if count finds anything to remove, and returns how
// many rows went. It is no change that others wait for.
func (s *Registry) sweep(ctx context.Context, count, remove string, args ...any) (removed int, err error) {
	due, err := one(ctx, s, scanCount, count, args...)
	if err != nil || due == 0 {
		return 0, err
	}
	err = s.write(ctx, func(ctx context.Context, tx *transaction) error {
		tx.quiet = true
		result, err := tx.ExecContext(ctx, remove, args...)
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		removed = int(n)
		return err
	})
	return removed, err
}
