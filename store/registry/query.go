package registry

import (
	"context"
	"database/sql"
	"errors"
)

// querier is what reads: the pool, or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// scanner is one row of a result.
type scanner interface{ Scan(dest ...any) error }

// one reads the row of a query with scan; sql.ErrNoRows if there is none.
func one[T any](ctx context.Context, s *Registry, scan func(row scanner) (T, error), query string, args ...any) (item T, err error) {
	err = s.read(ctx, func(ctx context.Context, q querier) (err error) {
		item, err = scan(q.QueryRowContext(ctx, query, args...))
		return err
	})
	return item, err
}

// all reads every row of a query with scan.
func all[T any](ctx context.Context, s *Registry, scan func(row scanner) (T, error), query string, args ...any) (items []T, err error) {
	err = s.read(ctx, func(ctx context.Context, q querier) (err error) {
		items, err = list(ctx, q, scan, query, args...)
		return err
	})
	return items, err
}

// list reads every row of a query with scan.
func list[T any](ctx context.Context, q querier, scan func(row scanner) (T, error), query string, args ...any) (items []T, err error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		item, err := scan(rows)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, rows.Err()
}
