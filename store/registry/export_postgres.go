package registry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

var _ bulk = (*postgres)(nil)

// unlimited opens a connection without limits of time.
func (p *postgres) unlimited(ctx context.Context) (*sql.Conn, func() error, error) {
	config := p.server.config.Copy()
	for _, name := range []string{"statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"} {
		config.RuntimeParams[name] = "0"
	}
	db := stdlib.OpenDB(*config, stdlib.OptionAfterConnect(durable))
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return conn, func() error { return errors.Join(conn.Close(), db.Close()) }, nil
}

// snapshot reads in one repeatable-read transaction: its first statement fixes what it
// sees, and writers go on.
func (p *postgres) snapshot(ctx context.Context) (*sql.Tx, func() error, error) {
	conn, end, err := p.unlimited(ctx)
	if err != nil {
		return nil, nil, err
	}
	tx, err := conn.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return nil, nil, errors.Join(err, end())
	}
	return tx, end, nil
}

// replace locks every table until the transaction ends.
func (p *postgres) replace(ctx context.Context) (*sql.Tx, *sql.Conn, func() error, error) {
	conn, end, err := p.unlimited(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return nil, nil, nil, errors.Join(err, end())
	}
	names, err := tableNames(ctx, tx, p.tables())
	for _, name := range append(names, "leases") {
		if err == nil {
			_, err = tx.ExecContext(ctx, `LOCK TABLE `+name+` IN ACCESS EXCLUSIVE MODE`)
		}
	}
	if err != nil {
		return nil, nil, nil, errors.Join(err, tx.Rollback(), end())
	}
	return tx, conn, end, nil
}

func (p *postgres) tables() string {
	return `SELECT tablename::text FROM pg_tables WHERE schemaname = '` + schema + `' ORDER BY 1`
}

// load copies the rows in one stream.
func (p *postgres) load(ctx context.Context, tx *sql.Tx, conn *sql.Conn, table Table, next func() ([]any, error)) error {
	if err := checkColumns(ctx, tx, table); err != nil {
		return err
	}
	return conn.Raw(func(driver any) error {
		_, err := driver.(*stdlib.Conn).Conn().CopyFrom(ctx, pgx.Identifier{table.Name}, table.Columns, pgx.CopyFromFunc(func() ([]any, error) {
			row, err := next()
			if errors.Is(err, io.EOF) {
				return nil, nil
			}
			return row, err
		}))
		return err
	})
}

// loaded goes on numbering behind the largest number of the table.
func (p *postgres) loaded(ctx context.Context, tx *sql.Tx, table Table) error {
	if !slices.Contains(table.Columns, "seq") {
		return nil
	}
	_, err := tx.ExecContext(ctx, `SELECT setval(pg_get_serial_sequence($1, 'seq'), (SELECT coalesce(max(seq), 0) + 1 FROM `+table.Name+`), false)`, schema+"."+table.Name)
	if err != nil {
		return fmt.Errorf("number table %s: %w", table.Name, err)
	}
	return nil
}
