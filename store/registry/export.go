package registry

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"sluice/feature"
)

// Table is one table of an export, with its columns in the order of the rows' values.
type Table struct {
	Name    string   `json:"name"`
	Columns []string `json:"columns"`
}

// Export is what takes a registry's tables in.
type Export struct {
	// Began is called once the moment is fixed of which everything is; nil: nobody is told.
	Began func() error
	// Table is called before the rows of each table.
	Table func(Table) error
	// Row takes one row, whose values are nil, int64, string or []byte. They may be kept.
	Row func(values []any) error
}

// unexported are the tables that are of one database or of the moment. Of notices are those
// that waited when the export was made, which people were told of since, most likely.
var unexported = []string{"leases", "notices", "commits", "migrations", "goose_db_version", "sqlite_sequence"}

// bulk is what moving whole tables asks of a database, with no limit of time but the
// context's.
type bulk interface {
	// snapshot starts a transaction that sees the database as of one moment, and
	// changes nothing. close is called after it.
	snapshot(ctx context.Context) (tx *sql.Tx, close func() error, err error)
	// replace starts a transaction that keeps all others out.
	replace(ctx context.Context) (tx *sql.Tx, conn *sql.Conn, close func() error, err error)
	// tables is the query of the names of the tables.
	tables() string
	// load inserts rows until next returns io.EOF.
	load(ctx context.Context, tx *sql.Tx, conn *sql.Conn, table Table, next func() ([]any, error)) error
	// loaded is called after the last row of a table.
	loaded(ctx context.Context, tx *sql.Tx, table Table) error
}

// Export hands over every table as of one moment, while others go on reading and
// writing. The form does not depend on the kind of database.
func (s *Registry) Export(ctx context.Context, to Export) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("export registry: %w", s.explain(err))
		}
	}()
	db := s.dialect.(bulk)
	tx, end, err := db.snapshot(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tx.Rollback(), end()) }()
	names, err := tableNames(ctx, tx, db.tables())
	if err == nil && to.Began != nil {
		err = to.Began()
	}
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := exportTable(ctx, tx, name, to); err != nil {
			return fmt.Errorf("table %s: %w", name, err)
		}
	}
	return nil
}

// tableNames lists the tables that are exported. Reading them fixes the moment.
func tableNames(ctx context.Context, q querier, query string) ([]string, error) {
	names, err := list(ctx, q, func(row scanner) (name string, err error) { return name, row.Scan(&name) }, query)
	return slices.DeleteFunc(names, func(name string) bool { return slices.Contains(unexported, name) }), err
}

func exportTable(ctx context.Context, tx *sql.Tx, name string, to Export) (err error) {
	rows, err := tx.QueryContext(ctx, `SELECT * FROM `+name+` ORDER BY 1`) // a name of our own schema
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	if err := to.Table(Table{name, columns}); err != nil {
		return err
	}
	for rows.Next() {
		values := make([]any, len(columns))
		into := make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return err
		}
		if err := to.Row(values); err != nil {
			return err
		}
	}
	return rows.Err()
}

// ErrNotEmpty reports a registry that holds something already.
var ErrNotEmpty = errors.New("the registry is not empty")

// Import says where a registry's tables come from.
type Import struct {
	Force bool // replace what is there
	// Next returns the next table, or the next row of the last one; io.EOF at the end.
	Next func() (*Table, []any, error)
	// Why is the audit row of a restore of which this is the first step, stored behind those
	// that come in; until FinishRestore the registry is Unfinished. Nil: this is all of it.
	Why *feature.Audit
}

// Import puts exported tables in place of those that are there, in one transaction:
// after an error nothing is changed. Every owner that worked on either registry is
// fenced. The error is ErrNotEmpty if something is defined, judged or logged already,
// unless Force is set, and ErrForeign for tables or columns that this release does not
// know.
func (s *Registry) Import(ctx context.Context, from Import) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("import registry: %w", s.explain(err))
		}
	}()
	db := s.dialect.(bulk)
	tx, conn, end, err := db.replace(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	if err := importAll(ctx, db, tx, conn, from); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	s.announce()
	return nil
}

func importAll(ctx context.Context, db bulk, tx *sql.Tx, conn *sql.Conn, from Import) error {
	known, err := tableNames(ctx, tx, db.tables())
	if err != nil {
		return err
	}
	if err := checkEmpty(ctx, tx, from.Force); err != nil {
		return err
	}
	epochs, err := ownerEpochs(ctx, tx)
	if err != nil {
		return err
	}
	for _, name := range append(slices.Clone(known), "leases", "notices") {
		if _, err := tx.ExecContext(ctx, `DELETE FROM `+name); err != nil {
			return fmt.Errorf("empty table %s: %w", name, err)
		}
	}
	if err := loadTables(ctx, db, tx, conn, known, from.Next); err != nil {
		return err
	}
	if err := fenceAll(ctx, tx, epochs); err != nil || from.Why == nil {
		return err
	}
	return beginRestore(ctx, tx, *from.Why)
}

// checkEmpty refuses a registry in which anything was done.
func checkEmpty(ctx context.Context, tx *sql.Tx, force bool) error {
	if force {
		return nil
	}
	for _, name := range []string{"definitions", "versions", "verdicts", "audit"} {
		var there bool
		if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM `+name+`)`).Scan(&there); err != nil {
			return err
		}
		if there {
			return fmt.Errorf("%w: it has %s", ErrNotEmpty, name)
		}
	}
	return nil
}

// loadTables puts the tables in, one after another.
func loadTables(ctx context.Context, db bulk, tx *sql.Tx, conn *sql.Conn, known []string, next func() (*Table, []any, error)) error {
	table, row, err := next()
	for err == nil {
		if row != nil || table == nil {
			return fmt.Errorf("a row without its table: %w", ErrCorrupt)
		}
		if !slices.Contains(known, table.Name) {
			return fmt.Errorf("table %.64q: %w: restore it with the release that wrote it, or a newer one", table.Name, ErrForeign)
		}
		var following *Table
		current, ended := *table, error(nil)
		loadErr := db.load(ctx, tx, conn, current, func() ([]any, error) {
			if following != nil || ended != nil {
				return nil, io.EOF
			}
			t, values, err := next()
			switch {
			case err != nil:
				ended = err
				return nil, io.EOF
			case t != nil:
				following = t
				return nil, io.EOF
			case len(values) != len(current.Columns):
				ended = fmt.Errorf("table %s: a row of %d values for %d columns: %w", current.Name, len(values), len(current.Columns), ErrCorrupt)
				return nil, io.EOF
			}
			return values, nil
		})
		if loadErr == nil && (ended == nil || errors.Is(ended, io.EOF)) {
			loadErr = db.loaded(ctx, tx, current)
		}
		if loadErr != nil {
			return fmt.Errorf("table %s: %w", current.Name, loadErr)
		}
		if table, row, err = following, nil, ended; following == nil && ended == nil {
			return fmt.Errorf("table %s: rows are left: %w", current.Name, ErrCorrupt)
		}
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func ownerEpochs(ctx context.Context, tx *sql.Tx) (map[string]int64, error) {
	type owner struct {
		name  string
		epoch int64
	}
	owners, err := list(ctx, tx, func(row scanner) (o owner, err error) { return o, row.Scan(&o.name, &o.epoch) }, `SELECT owner, epoch FROM owners`)
	epochs := map[string]int64{}
	for _, o := range owners {
		epochs[o.name] = o.epoch
	}
	return epochs, err
}

// fenceAll raises the epoch of every owner above those of both registries.
func fenceAll(ctx context.Context, tx *sql.Tx, before map[string]int64) error {
	now, err := ownerEpochs(ctx, tx)
	if err != nil {
		return err
	}
	for name, epoch := range before {
		now[name] = max(now[name], epoch)
	}
	for name, epoch := range now {
		if _, err := tx.ExecContext(ctx, `INSERT INTO owners (owner, epoch) VALUES ($1, $2) ON CONFLICT (owner) DO UPDATE SET epoch = excluded.epoch`, name, epoch+1); err != nil {
			return fmt.Errorf("fence owner %s: %w", name, err)
		}
	}
	// A tap that stood still meanwhile must not find itself named as whose a partition was read
	// last: others have read on, in the time that is undone.
	if _, err := tx.ExecContext(ctx, `UPDATE settings SET value = $1 WHERE name LIKE $2`, []byte("import "+rand.Text()), settingOwner+"%"); err != nil {
		return fmt.Errorf("fence the owners of source partitions: %w", err)
	}
	return nil
}

// checkColumns refuses columns that a table does not have: their names become part of a
// statement.
func checkColumns(ctx context.Context, tx *sql.Tx, table Table) (err error) {
	rows, err := tx.QueryContext(ctx, `SELECT * FROM `+table.Name+` WHERE 1 = 0`)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	have, err := rows.Columns()
	if err != nil {
		return err
	}
	for _, c := range table.Columns {
		if !slices.Contains(have, c) {
			return fmt.Errorf("column %.64q: %w: restore it with the release that wrote it, or a newer one", c, ErrForeign)
		}
	}
	return rows.Err()
}

// insertQuery is the statement that inserts one row.
func insertQuery(table Table) string {
	places := make([]string, len(table.Columns))
	for i := range places {
		places[i] = fmt.Sprintf("$%d", i+1)
	}
	return `INSERT INTO ` + table.Name + ` (` + strings.Join(table.Columns, ", ") + `) VALUES (` + strings.Join(places, ", ") + `)`
}
