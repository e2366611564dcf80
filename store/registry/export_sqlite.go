package registry

import (
	"context"
	"database/sql"
	"errors"
	"io"
)

var _ bulk = (*sqlite)(nil)

// snapshot reads through a connection of its own: in WAL mode the first read fixes what
// the transaction sees, and writers go on.
func (f *sqlite) snapshot(ctx context.Context) (*sql.Tx, func() error, error) {
	tx, err := f.reader.BeginTx(ctx, nil)
	return tx, func() error { return nil }, err
}

// replace takes the one connection that writes.
func (f *sqlite) replace(ctx context.Context) (*sql.Tx, *sql.Conn, func() error, error) {
	tx, err := f.writer.BeginTx(ctx, nil)
	return tx, nil, func() error { return nil }, err
}

func (f *sqlite) tables() string {
	return `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name`
}

func (f *sqlite) load(ctx context.Context, tx *sql.Tx, _ *sql.Conn, table Table, next func() ([]any, error)) (err error) {
	if err := checkColumns(ctx, tx, table); err != nil {
		return err
	}
	stmt, err := tx.PrepareContext(ctx, insertQuery(table))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stmt.Close()) }()
	for {
		values, err := next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := stmt.ExecContext(ctx, values...); err != nil {
			return err
		}
	}
}

// loaded does nothing: SQLite goes on numbering behind the largest number it was given.
func (f *sqlite) loaded(context.Context, *sql.Tx, Table) error { return nil }
