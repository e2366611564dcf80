package registry

import (
	"context"
	"fmt"
	"time"

	"sluice/feature"
)

const (
	insertNotice = `INSERT INTO notices (id, at, body) VALUES ($1, $2, $3)`
	noticesQuery = `SELECT id, at, body FROM notices ORDER BY seq LIMIT $1`
	deleteNotice = `DELETE FROM notices WHERE id = $1`
)

// Notices lists what people are to be told of commits and were not told yet, the first
// stored first, at most limit of them; 0 is no limit.
func (s *Registry) Notices(ctx context.Context, limit int) ([]feature.Notice, error) {
	notices, err := all(ctx, s, scanNotice, noticesQuery, rowLimit(limit))
	if err != nil {
		return nil, fmt.Errorf("list notices: %w", err)
	}
	return notices, nil
}

func scanNotice(row scanner) (n feature.Notice, err error) {
	var at int64
	var body []byte
	if err = row.Scan(&n.ID, &at, &body); err != nil {
		return n, err
	}
	err = decode(body, &n) // before the fields that the body has not
	n.At = fromNanos(at)
	return n, err
}

// Told forgets notices that people were told, or that nobody is to be told any more. One
// that is not there is passed over.
func (s *Registry) Told(ctx context.Context, ids ...string) error {
	err := s.write(ctx, func(ctx context.Context, tx *transaction) error {
		tx.quiet = true
		for _, id := range ids {
			if err := tx.put(ctx, naming("notice %s", id), deleteNotice, id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("note what people were told: %w", err)
	}
	return nil
}

// notices stores what people are to be told of the commit.
func (a *application) notices(ctx context.Context) error {
	now := time.Now() // how long it waits is a matter of the machine's clock, not of the platform's
	for _, n := range a.Notices {
		if n.ID == "" {
			n.ID = NewID()
		}
		n.Window.Start, n.Window.End, n.Alert.At = n.Window.Start.UTC(), n.Window.End.UTC(), n.Alert.At.UTC()
		body, err := encode(n)
		if err != nil {
			return err
		}
		if err := a.tx.put(ctx, naming("notice %s", n.ID), insertNotice, n.ID, nanos(now), body); err != nil {
			return err
		}
	}
	return nil
}
