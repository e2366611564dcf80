package registry

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"sluice/feature"
)

const (
	putServed = `INSERT INTO served (view_id, window_start, process, window_end, body, profile, settled) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (view_id, window_start, process) DO UPDATE SET
		window_end = excluded.window_end, body = excluded.body, profile = excluded.profile, settled = excluded.settled`
	servedQuery = `SELECT window_start, process, window_end, body, profile, settled FROM served
		WHERE view_id = $1 AND window_start >= $2 AND window_start < $3 ORDER BY window_start, process`
	countServed  = `SELECT count(*) FROM served WHERE view_id = $1 AND window_start < $2 AND window_end <= $2`
	retainServed = `DELETE FROM served WHERE view_id = $1 AND window_start < $2 AND window_end <= $2`
)

// servedBody is what is stored of a served profile besides where it is found.
type servedBody struct {
	Layout   string            `json:"layout"`
	Rows     uint64            `json:"rows"`
	Versions []feature.Version `json:"versions"`
}

// PutServed stores what a process sampled in a window, in place of what it stored of
// that window before. It is no change that anybody waits for.
func (s *Registry) PutServed(ctx context.Context, p feature.ServedProfile) error {
	body, err := encode(servedBody{p.Layout, p.Rows, p.Versions})
	if err == nil {
		err = s.write(ctx, func(ctx context.Context, tx *transaction) error {
			tx.quiet = true
			return tx.put(ctx, nil, putServed, int64(p.View), nanos(p.Window.Start), p.Process, nanos(p.Window.End), body, pack(notNil(p.Profile)), pack(notNil(p.Settled)))
		})
	}
	if err != nil {
		return fmt.Errorf("store served profile of view %d at %s: %w", p.View, p.Window.Start.UTC().Format(time.RFC3339), err)
	}
	return nil
}

// Served lists what processes sampled in the windows that start within [from, to), by
// window and process. A zero time leaves that end open.
func (s *Registry) Served(ctx context.Context, view feature.ViewID, from, to time.Time) ([]feature.ServedProfile, error) {
	until := nanos(to)
	if to.IsZero() {
		until = math.MaxInt64
	}
	rows, err := all(ctx, s, func(row scanner) (feature.ServedProfile, error) {
		p, err := scanServed(row)
		p.View = view
		return p, err
	}, servedQuery, int64(view), nanos(from), until)
	if err != nil {
		return nil, fmt.Errorf("list served profiles of view %d: %w", view, err)
	}
	return rows, nil
}

func scanServed(row scanner) (p feature.ServedProfile, err error) {
	var start, end int64
	var body []byte
	if err = row.Scan(&start, &p.Process, &end, &body, &p.Profile, &p.Settled); err != nil {
		return p, err
	}
	p.Window = feature.Window{Start: fromNanos(start), End: fromNanos(end)}
	var b servedBody
	err = decode(body, &b)
	p.Layout, p.Rows, p.Versions = b.Layout, b.Rows, b.Versions
	return p, errors.Join(err, unpackIn(&p.Profile), unpackIn(&p.Settled))
}

// RetainServed removes the served profiles of a view's windows that ended by before,
// and returns how many. It is no change if there are none.
func (s *Registry) RetainServed(ctx context.Context, view feature.ViewID, before time.Time) (removed int, err error) {
	removed, err = s.sweep(ctx, countServed, retainServed, int64(view), nanos(before))
	if err != nil {
		return 0, fmt.Errorf("retain served profiles of view %d: %w", view, err)
	}
	return removed, nil
}
