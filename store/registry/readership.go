package registry

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"sluice/feature"
)

const (
	putReadership = `INSERT INTO readership (view_id, window_start, process, window_end, body) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (view_id, window_start, process) DO UPDATE SET window_end = excluded.window_end, body = excluded.body`
	readershipQuery = `SELECT window_start, process, window_end, body FROM readership
		WHERE view_id = $1 AND window_start >= $2 ORDER BY window_start, process`
	countReadership  = `SELECT count(*) FROM readership WHERE view_id = $1 AND window_start < $2 AND window_end <= $2`
	retainReadership = `DELETE FROM readership WHERE view_id = $1 AND window_start < $2 AND window_end <= $2`
)

// readershipBody is what is stored of a readership besides where it is found.
type readershipBody struct {
	First time.Time              `json:"first"`
	Reads []feature.FeatureReads `json:"reads"`
}

// PutReadership stores what processes counted of views and hours, in place of what each
// stored of the same view and hour before, all of it or nothing. It is no change that
// anybody waits for.
func (s *Registry) PutReadership(ctx context.Context, list []feature.Readership) error {
	if len(list) == 0 {
		return nil
	}
	// In one order for everybody, so that no two wait for each other's rows.
	list = slices.SortedFunc(slices.Values(list), func(a, b feature.Readership) int {
		return cmp.Or(cmp.Compare(a.View, b.View), a.Window.Start.Compare(b.Window.Start), cmp.Compare(a.Process, b.Process))
	})
	err := s.write(ctx, func(ctx context.Context, tx *transaction) error {
		tx.quiet = true
		for _, r := range list {
			body, err := encode(readershipBody{r.First, r.Reads})
			if err != nil {
				return err
			}
			if err := tx.put(ctx, naming("view %d at %s", r.View, r.Window.Start.UTC().Format(time.RFC3339)), putReadership,
				int64(r.View), nanos(r.Window.Start), r.Process, nanos(r.Window.End), body); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("store readership: %w", err)
	}
	return nil
}

// Readership lists what processes counted of a view in the hours that start at from or
// later, by hour and process.
func (s *Registry) Readership(ctx context.Context, view feature.ViewID, from time.Time) ([]feature.Readership, error) {
	rows, err := all(ctx, s, func(row scanner) (feature.Readership, error) {
		r, err := scanReadership(row)
		r.View = view
		return r, err
	}, readershipQuery, int64(view), nanos(from))
	if err != nil {
		return nil, fmt.Errorf("list readership of view %d: %w", view, err)
	}
	return rows, nil
}

func scanReadership(row scanner) (r feature.Readership, err error) {
	var start, end int64
	var body []byte
	if err = row.Scan(&start, &r.Process, &end, &body); err != nil {
		return r, err
	}
	r.Window = feature.Window{Start: fromNanos(start), End: fromNanos(end)}
	var b readershipBody
	err = decode(body, &b)
	r.First, r.Reads = b.First, b.Reads
	return r, err
}

// RetainReadership removes what was counted of a view in hours that ended by before, and
// returns how many records. It is no change if there are none.
func (s *Registry) RetainReadership(ctx context.Context, view feature.ViewID, before time.Time) (removed int, err error) {
	removed, err = s.sweep(ctx, countReadership, retainReadership, int64(view), nanos(before))
	if err != nil {
		return 0, fmt.Errorf("retain readership of view %d: %w", view, err)
	}
	return removed, nil
}
