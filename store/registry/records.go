package registry

import (
	"context"
	"fmt"
	"math"
	"time"

	"sluice/feature"
)

const (
	insertRecord = `INSERT INTO records (view_id, verdict, kind, version, window_start, window_end, state, decision, packed)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`
	recordsQuery = `SELECT seq, view_id, verdict, kind, version, window_start, window_end, state, decision, packed FROM records
		WHERE seq > $1 AND window_end > $2 AND window_end <= $3 ORDER BY seq LIMIT $4`
	lastRecordQuery = `SELECT window_end FROM records ORDER BY seq DESC LIMIT 1`
	oldRecords      = ` FROM records WHERE view_id = $1 AND window_end <= $2`
	countRecords    = `SELECT count(*)` + oldRecords
	deleteRecords   = `DELETE` + oldRecords
)

// record stores what the rules read for a verdict.
func (a *application) record(ctx context.Context, v *feature.VerdictRow) error {
	if len(v.Record) == 0 {
		return nil
	}
	return a.tx.put(ctx, naming("record of verdict %s", v.ID), insertRecord, int64(a.View), v.ID, v.Kind, int64(v.Version),
		nanos(v.Window.Start), nanos(v.Window.End), v.State, v.Decision, pack(v.Record))
}

// Records lists what the rules read for the verdicts on windows that end in (from, to],
// of all views, in the order of their commits, behind the one numbered after, at most
// limit of them. A zero time leaves that end open.
func (s *Registry) Records(ctx context.Context, from, to time.Time, after int64, limit int) ([]feature.RecordRow, error) {
	until := nanos(to)
	if to.IsZero() {
		until = math.MaxInt64
	}
	rows, err := all(ctx, s, scanRecord, recordsQuery, after, nanos(from), until, rowLimit(limit))
	if err != nil {
		return nil, fmt.Errorf("list records: %w", err)
	}
	return rows, nil
}

func scanRecord(row scanner) (r feature.RecordRow, err error) {
	var view, start, end int64
	if err = row.Scan(&r.Seq, &view, &r.Verdict, &r.Kind, unsigned[feature.Version]{&r.Version}, &start, &end, &r.State, &r.Decision, &r.Body); err != nil {
		return r, err
	}
	r.View = feature.ViewID(view)
	r.Window = feature.Window{Start: fromNanos(start), End: fromNanos(end)}
	return r, unpackIn(&r.Body)
}

// RetainRecords removes what the rules read for verdicts of a view on windows that ended
// by before, and returns how many those were. It is no change that others wait for.
func (s *Registry) RetainRecords(ctx context.Context, view feature.ViewID, before time.Time) (removed int, err error) {
	removed, err = s.sweep(ctx, countRecords, deleteRecords, int64(view), nanos(before))
	if err != nil {
		return 0, fmt.Errorf("retain records of view %d: %w", view, err)
	}
	return removed, nil
}

// LastRecord returns the end of the window whose record was stored last; zero without any.
func (s *Registry) LastRecord(ctx context.Context) (time.Time, error) {
	rows, err := all(ctx, s, func(row scanner) (end int64, err error) { return end, row.Scan(&end) }, lastRecordQuery)
	if err != nil || len(rows) == 0 {
		return time.Time{}, err
	}
	return fromNanos(rows[0]), nil
}
