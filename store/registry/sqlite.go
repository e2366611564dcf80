package registry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"sync"
)

// Options say how a registry treats its file.
type Options struct {
	// Sync makes every commit survive a loss of power. Without it a crash of the
	// machine may lose the last commits or damage the file: for demos and tests.
	Sync bool
}

// readers is how many connections read at once.
const readers = 4

// SQLite is a registry in one file.
type SQLite struct {
	path   string
	writer *sql.DB // one connection, whose transactions take the write lock at once
	reader *sql.DB

	selectVector  *sql.Stmt
	selectWindow  *sql.Stmt
	selectVersion *sql.Stmt

	mu      sync.Mutex
	changed chan struct{}
}

// OpenSQLite opens the registry file at path, and makes it and its folder if they
// are not there. The error is ErrForeign for a file that is something else and
// ErrCorrupt for a damaged one, and says what to do.
func OpenSQLite(ctx context.Context, path string, opts Options) (*SQLite, error) {
	s := &SQLite{path: path, changed: make(chan struct{})}
	if err := s.open(ctx, opts); err != nil {
		return nil, errors.Join(fmt.Errorf("open registry: %w", s.explain(err)), s.Close())
	}
	return s, nil
}

func (s *SQLite) open(ctx context.Context, opts Options) error {
	if err := checkFile(s.path); err != nil {
		return err
	}
	absolute, err := filepath.Abs(s.path)
	if err != nil {
		return fmt.Errorf("%s: %w", s.path, err)
	}
	synchronous := "OFF"
	if opts.Sync {
		synchronous = "FULL"
	}
	if s.writer, err = connect(absolute, 1, "_txlock=immediate", "_pragma=journal_mode(WAL)", "_pragma=synchronous("+synchronous+")"); err != nil {
		return err
	}
	if err := s.migrate(ctx); err != nil {
		return err
	}
	if s.reader, err = connect(absolute, readers, "_pragma=query_only(1)"); err != nil {
		return err
	}
	return s.prepare(ctx)
}

func connect(path string, connections int, params ...string) (*sql.DB, error) {
	name := (&url.URL{Scheme: "file", Path: path}).String() + "?_pragma=busy_timeout(5000)&_pragma=cache_size(-8192)"
	for _, p := range params {
		name += "&" + p
	}
	db, err := sql.Open("sqlite", name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, nil
}

// prepare prepares what the tap and the servers ask most often.
func (s *SQLite) prepare(ctx context.Context) error {
	for stmt, query := range map[**sql.Stmt]string{
		&s.selectVector:  vectorQuery,
		&s.selectWindow:  windowQuery,
		&s.selectVersion: versionQuery,
	} {
		prepared, err := s.reader.PrepareContext(ctx, query)
		if err != nil {
			return fmt.Errorf("%s: %w", s.path, err)
		}
		*stmt = prepared
	}
	return nil
}

// Close closes the file. Nothing may use the registry any more.
func (s *SQLite) Close() error {
	var errs []error
	for _, db := range []*sql.DB{s.reader, s.writer} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close registry %s: %w", s.path, err)
	}
	return nil
}

// Changed returns a channel that is closed by the next change that this SQLite
// commits; then ask again. Take the channel before reading what it guards.
func (s *SQLite) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

func (s *SQLite) announce() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.changed)
	s.changed = make(chan struct{})
}

// write runs fn in one transaction, which holds the write lock from its start.
func (s *SQLite) write(ctx context.Context, fn func(tx *sql.Tx) error) error {
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return s.explain(err)
	}
	if err := fn(tx); err != nil {
		return s.explain(errors.Join(err, rollback(tx)))
	}
	if err := tx.Commit(); err != nil {
		return s.explain(err)
	}
	s.announce()
	return nil
}

// rollback ends tx without its changes. One that its context ended is over already.
func rollback(tx *sql.Tx) error {
	if err := tx.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) {
		return err
	}
	return nil
}

// querier is what reads: the pool, or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
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

// scanner is one row of a result.
type scanner interface{ Scan(dest ...any) error }
