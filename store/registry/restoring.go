package registry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"sluice/feature"
)

const (
	settingRestoring = "restoring" // the id of the audit row of a restore that has not come to its end
	deleteSetting    = `DELETE FROM settings WHERE name = $1`
)

// beginRestore notes that a restore has begun, in the transaction that puts its tables in.
func beginRestore(ctx context.Context, tx *sql.Tx, why feature.Audit) error {
	id, body, err := auditBody(why)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, insertAuditRow, id, body); err != nil {
		return fmt.Errorf("audit row %s: %w", id, err)
	}
	if _, err := tx.ExecContext(ctx, upsertSetting, settingRestoring, []byte(id)); err != nil {
		return fmt.Errorf("note that a restore has begun: %w", err)
	}
	return nil
}

// restored returns ErrRestoring while a restore has not come to its end. A process that ran
// before it began is fenced by it, but would take the lead again.
func (tx *transaction) restored(ctx context.Context) error {
	unfinished, err := unfinished(ctx, tx)
	if err == nil && unfinished {
		err = ErrRestoring
	}
	return err
}

// Unfinished reports whether a restore put the registry's tables in and did not come to its
// end: what the taps have read, and the rows, may be of another time.
func (s *Registry) Unfinished(ctx context.Context) (yes bool, err error) {
	err = s.read(ctx, func(ctx context.Context, q querier) (err error) {
		yes, err = unfinished(ctx, q)
		return err
	})
	return yes, err
}

func unfinished(ctx context.Context, q querier) (bool, error) {
	var id []byte
	err := q.QueryRowContext(ctx, settingQuery, settingRestoring).Scan(&id)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, sql.ErrNoRows):
		return false, nil
	}
	return false, fmt.Errorf("read whether a restore has come to its end: %w", err)
}

// FinishRestore notes that a restore has come to its end, and what it did, in one
// transaction.
func (s *Registry) FinishRestore(ctx context.Context, what feature.Audit) error {
	err := s.write(ctx, func(ctx context.Context, tx *transaction) error {
		if err := tx.lock(ctx, lock{space: spaceSettings}); err != nil {
			return err
		}
		if err := tx.put(ctx, naming("setting"), deleteSetting, settingRestoring); err != nil {
			return err
		}
		return insertAudit(ctx, tx, what)
	})
	if err != nil {
		return fmt.Errorf("note that a restore has come to its end: %w", err)
	}
	return nil
}
