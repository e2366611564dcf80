package registry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"

	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"sluice/feature"
)

// Options say how a registry treats its file.
type Options struct {
	// Sync makes every commit survive a loss of power. Without it a crash of the
	// machine may lose the last commits or damage the file: for demos and tests.
	Sync bool
}

// readers is how many connections read at once.
const readers = 4

// sqlite is a registry's file.
type sqlite struct {
	path   string
	writer *sql.DB // one connection, whose transactions take the write lock at once
	reader *sql.DB
	hot    map[string]*sql.Stmt // what the tap and the servers ask most often
}

// OpenSQLite opens the registry file at path, and makes it and its folder if they
// are not there. The error is ErrForeign for a file that is something else and
// ErrCorrupt for a damaged one, and says what to do.
func OpenSQLite(ctx context.Context, path string, opts Options) (*Registry, error) {
	f := &sqlite{path: path, hot: map[string]*sql.Stmt{}}
	if err := f.open(ctx, opts); err != nil {
		return nil, errors.Join(fmt.Errorf("open registry: %w", f.explain(err)), f.Close())
	}
	s := newRegistry(f, f)
	s.closers = append(s.closers, f)
	return s, nil
}

func (f *sqlite) open(ctx context.Context, opts Options) error {
	if err := checkFile(f.path); err != nil {
		return err
	}
	absolute, err := filepath.Abs(f.path)
	if err != nil {
		return fmt.Errorf("%s: %w", f.path, err)
	}
	synchronous := "OFF"
	if opts.Sync {
		synchronous = "FULL"
	}
	if f.writer, err = connect(absolute, 1, "_txlock=immediate", "_pragma=journal_mode(WAL)", "_pragma=synchronous("+synchronous+")"); err != nil {
		return err
	}
	if err := f.migrate(ctx); err != nil {
		return err
	}
	if f.reader, err = connect(absolute, readers, "_pragma=query_only(1)"); err != nil {
		return err
	}
	for _, query := range []string{vectorQuery, windowQuery, versionQuery} {
		if f.hot[query], err = f.reader.PrepareContext(ctx, query); err != nil {
			return fmt.Errorf("%s: %w", f.path, err)
		}
	}
	return nil
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

// Close closes the file.
func (f *sqlite) Close() error {
	var errs []error
	for _, db := range []*sql.DB{f.reader, f.writer} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("%s: %w", f.path, err)
	}
	return nil
}

// QueryContext reads rows.
func (f *sqlite) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return f.reader.QueryContext(ctx, query, args...)
}

// QueryRowContext reads one row.
func (f *sqlite) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if stmt := f.hot[query]; stmt != nil {
		return stmt.QueryRowContext(ctx, args...)
	}
	return f.reader.QueryRowContext(ctx, query, args...)
}

// begin waits for the write lock, which the transaction holds from its start: no
// two of them run at once, so that there is nothing else to lock.
func (f *sqlite) begin(ctx context.Context) (*sql.Tx, *sql.Conn, error) {
	tx, err := f.writer.BeginTx(ctx, nil)
	return tx, nil, err
}

func (f *sqlite) put(ctx context.Context, tx *transaction, p put) error {
	result, err := tx.ExecContext(ctx, p.query, p.args...)
	if err != nil {
		return p.result(0, err)
	}
	n, err := result.RowsAffected()
	return p.result(n, err)
}

func (f *sqlite) flush(context.Context, *transaction) error             { return nil }
func (f *sqlite) lockPut([]lock) (put, bool)                            { return put{}, false }
func (f *sqlite) finishPut(*transaction) (put, bool)                    { return put{}, false }
func (f *sqlite) doubtful(error) bool                                   { return false }
func (f *sqlite) committed(context.Context, *transaction) (bool, error) { return false, nil }
func (f *sqlite) transient(error) bool                                  { return false }

func (f *sqlite) clock() string { return `SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER)` }

// taken reports whether err is a row that is there already.
func (f *sqlite) taken(err error) bool {
	var e *driver.Error
	return errors.As(err, &e) && (e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)
}

// explain names the file and what to do where SQLite found damage, or no room; other
// errors stay as they are.
func (f *sqlite) explain(err error) error {
	var e *driver.Error
	if !errors.As(err, &e) {
		return err
	}
	if e.Code()&0xff == sqlite3.SQLITE_FULL && !errors.Is(err, feature.ErrFull) {
		return fmt.Errorf("%s: %w: %w: make room there: %w", f.path, ErrUnavailable, feature.ErrFull, err)
	}
	if code := e.Code() & 0xff; code != sqlite3.SQLITE_CORRUPT && code != sqlite3.SQLITE_NOTADB || errors.Is(err, ErrCorrupt) {
		return err
	}
	return fmt.Errorf("%s: %w: restore it from a backup, or move it away to start anew: %w", f.path, ErrCorrupt, err)
}
