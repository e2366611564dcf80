package registry

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"sluice/feature"
)

const (
	pruneProfiles  = `UPDATE history SET profile = NULL WHERE view_id = $1 AND window_end <= $2 AND profile IS NOT NULL`
	pruneSummaries = `DELETE FROM history WHERE view_id = $1 AND window_end <= $2`
)

// Prune removes history that a view's retention no longer asks for: the profiles
// of windows that ended by the first time, whose summaries stay, and windows that
// ended by the second as a whole. A zero time removes nothing. It returns how many
// windows lost their profile and how many went. Versions, verdicts with their
// blobs, layouts, baselines and the audit log are kept for ever.
func (s *SQLite) Prune(ctx context.Context, view feature.ViewID, profilesBefore, windowsBefore time.Time) (profiles, windows int, err error) {
	err = s.write(ctx, func(tx *sql.Tx) error {
		if windows, err = prune(ctx, tx, pruneSummaries, view, windowsBefore); err != nil {
			return err
		}
		profiles, err = prune(ctx, tx, pruneProfiles, view, profilesBefore)
		return err
	})
	if err != nil {
		return 0, 0, fmt.Errorf("prune view %d: %w", view, err)
	}
	return profiles, windows, nil
}

func prune(ctx context.Context, tx *sql.Tx, query string, view feature.ViewID, before time.Time) (int, error) {
	if before.IsZero() {
		return 0, nil
	}
	result, err := tx.ExecContext(ctx, query, int64(view), nanos(before))
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
}
