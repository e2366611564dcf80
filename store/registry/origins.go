package registry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"sluice/feature"
)

const (
	insertOrigins = `INSERT INTO origins (verdict, packed) VALUES ($1, $2) ON CONFLICT (verdict) DO NOTHING`
	originsQuery  = `SELECT packed FROM origins WHERE verdict = $1`
	decidedQuery  = `SELECT seq, id, kind, state FROM verdicts WHERE seq > $1 ORDER BY seq LIMIT $2`
	// The newest ones, so that a process that starts looks at those that nobody looked at.
	decidedLast = `SELECT seq, id, kind, state FROM verdicts ORDER BY seq DESC LIMIT $1`
)

// SaveOrigins stores where in the log the reasons of a verdict begin, unless that is known
// already. It is no change that anybody waits for.
func (s *Registry) SaveOrigins(ctx context.Context, verdict string, body []byte) error {
	err := s.write(ctx, func(ctx context.Context, tx *transaction) error {
		tx.quiet = true
		_, err := tx.ExecContext(ctx, insertOrigins, verdict, pack(body))
		return err
	})
	if err != nil {
		return fmt.Errorf("save origins of verdict %s: %w", verdict, err)
	}
	return nil
}

// Origins returns what SaveOrigins stored for a verdict; ErrNotFound if nothing is.
func (s *Registry) Origins(ctx context.Context, verdict string) ([]byte, error) {
	body, err := one(ctx, s, func(row scanner) (b []byte, err error) {
		if err = row.Scan(&b); err != nil {
			return nil, err
		}
		return b, unpackIn(&b)
	}, originsQuery, verdict)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("origins of verdict %.80q: %w", verdict, feature.ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("read origins of verdict %.80q: %w", verdict, err)
	}
	return body, nil
}

// Decided lists the verdicts of all views behind the one numbered after, in the order of
// their commits, at most limit of them; with a negative after the newest of all.
func (s *Registry) Decided(ctx context.Context, after int64, limit int) ([]feature.Decided, error) {
	query, args := decidedQuery, []any{after, rowLimit(limit)}
	if after < 0 {
		query, args = decidedLast, []any{rowLimit(limit)}
	}
	rows, err := all(ctx, s, func(row scanner) (d feature.Decided, err error) { return d, row.Scan(&d.Seq, &d.ID, &d.Kind, &d.State) }, query, args...)
	if err != nil {
		return nil, fmt.Errorf("list what was decided: %w", err)
	}
	if after < 0 {
		slices.Reverse(rows)
	}
	return rows, nil
}
