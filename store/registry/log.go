package registry

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"sluice/feature"
)

const (
	insertAuditRow = `INSERT INTO audit (id, body) VALUES ($1, $2)`
	auditQuery     = `SELECT seq, body FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2`
	upsertAlert    = `INSERT INTO alerts (id, view, resolved_at, body) VALUES ($1, $2, $3, $4)
		ON CONFLICT (id) DO UPDATE SET view = excluded.view, resolved_at = excluded.resolved_at, body = excluded.body`
	resolveAlert    = `UPDATE alerts SET resolved_at = $2 WHERE id = $1 AND resolved_at IS NULL`
	alertColumns    = `SELECT seq, resolved_at, body FROM alerts`
	alertsQuery     = alertColumns + ` WHERE seq > $1 ORDER BY seq LIMIT $2`
	openAlertsQuery = alertColumns + ` WHERE resolved_at IS NULL AND view = $1 ORDER BY seq`
	allOpenQuery    = alertColumns + ` WHERE resolved_at IS NULL ORDER BY seq`
)

// AuditLog lists who did what in the order of the commits, behind the cursor
// after, at most limit rows. The cursor it returns is that of Verdicts.
func (s *Registry) AuditLog(ctx context.Context, after string, limit int) ([]feature.Audit, string, error) {
	seq, err := parseCursor(after)
	if err != nil {
		return nil, "", fmt.Errorf("list audit rows: %w", err)
	}
	pages, err := all(ctx, s, scanAudit, auditQuery, seq, rowLimit(limit))
	if err != nil {
		return nil, "", fmt.Errorf("list audit rows: %w", err)
	}
	rows, next := cut(pages, after)
	return rows, next, nil
}

func scanAudit(row scanner) (p page[feature.Audit], err error) {
	var body []byte
	if err = row.Scan(&p.seq, &body); err != nil {
		return p, err
	}
	return p, decode(body, &p.item)
}

// WriteAudit stores an audit row of something that is no commit. An empty id is
// assigned; ErrConflict if the id exists.
func (s *Registry) WriteAudit(ctx context.Context, row feature.Audit) error {
	if err := s.write(ctx, func(ctx context.Context, tx *transaction) error { return insertAudit(ctx, tx, row) }); err != nil {
		return fmt.Errorf("write audit row: %w", err)
	}
	return nil
}

func insertAudit(ctx context.Context, tx *transaction, row feature.Audit) error {
	id, body, err := auditBody(row)
	if err != nil {
		return err
	}
	if err := tx.lockLog(ctx); err != nil {
		return err
	}
	return tx.put(ctx, func(_ int64, err error) error {
		if tx.taken(err) {
			return fmt.Errorf("audit row %s is there already: %w", id, feature.ErrConflict)
		}
		return err
	}, insertAuditRow, id, body)
}

// auditBody is the stored form of an audit row, with an id if it has none.
func auditBody(row feature.Audit) (id string, body []byte, err error) {
	if row.ID == "" {
		row.ID = NewID()
	}
	row.At = row.At.UTC()
	if len(row.Before) == 0 {
		row.Before = []byte("{}")
	}
	if len(row.After) == 0 {
		row.After = []byte("{}")
	}
	if body, err = encode(row); err != nil {
		return row.ID, nil, fmt.Errorf("audit row %s: %w", row.ID, err)
	}
	return row.ID, body, nil
}

// Alerts lists alerts in the order in which they were first stored, behind the
// cursor after, at most limit of them. The cursor it returns is that of Verdicts.
func (s *Registry) Alerts(ctx context.Context, after string, limit int) ([]feature.Alert, string, error) {
	seq, err := parseCursor(after)
	if err != nil {
		return nil, "", fmt.Errorf("list alerts: %w", err)
	}
	pages, err := all(ctx, s, scanAlert, alertsQuery, seq, rowLimit(limit))
	if err != nil {
		return nil, "", fmt.Errorf("list alerts: %w", err)
	}
	alerts, next := cut(pages, after)
	return alerts, next, nil
}

// OpenAlerts lists the alerts of a view, or of all if view is empty, that are not
// resolved.
func (s *Registry) OpenAlerts(ctx context.Context, view string) ([]feature.Alert, error) {
	query, args := openAlertsQuery, []any{view}
	if view == "" {
		query, args = allOpenQuery, nil
	}
	pages, err := all(ctx, s, scanAlert, query, args...)
	if err != nil {
		return nil, fmt.Errorf("list open alerts: %w", err)
	}
	alerts, _ := cut(pages, "")
	return alerts, nil
}

func scanAlert(row scanner) (p page[feature.Alert], err error) {
	var body []byte
	var resolved sql.NullInt64
	if err = row.Scan(&p.seq, &resolved, &body); err != nil {
		return p, err
	}
	if err = decode(body, &p.item); err != nil {
		return p, err
	}
	p.item.ResolvedAt = nil
	if resolved.Valid {
		at := fromNanos(resolved.Int64)
		p.item.ResolvedAt = &at
	}
	return p, nil
}

// WriteAlert stores an alert that comes with no commit. An empty id is assigned;
// an alert whose id exists replaces that one, in its place.
func (s *Registry) WriteAlert(ctx context.Context, alert feature.Alert) error {
	if err := s.write(ctx, func(ctx context.Context, tx *transaction) error { return putAlert(ctx, tx, alert) }); err != nil {
		return fmt.Errorf("write alert: %w", err)
	}
	return nil
}

func putAlert(ctx context.Context, tx *transaction, alert feature.Alert) error {
	if alert.ID == "" {
		alert.ID = NewID()
	}
	alert.At = alert.At.UTC()
	var resolved any
	if alert.ResolvedAt != nil {
		resolved = nanos(*alert.ResolvedAt)
	}
	body, err := encode(alert)
	if err != nil {
		return err
	}
	if err := tx.lockLog(ctx); err != nil {
		return err
	}
	return tx.put(ctx, naming("alert %s", alert.ID), upsertAlert, alert.ID, alert.View, resolved, body)
}

// resolve ends alerts at now. Those that ended before, or never were, stay so.
func resolve(ctx context.Context, tx *transaction, ids []string, now time.Time) error {
	for _, id := range ids {
		if err := tx.lockLog(ctx); err != nil {
			return err
		}
		if err := tx.put(ctx, naming("resolve alert %s", id), resolveAlert, id, nanos(now)); err != nil {
			return err
		}
	}
	return nil
}
