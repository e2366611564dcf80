package tabular

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
)

// rowsAtOnce is after how many rows somebody who waits no longer is heard.
const rowsAtOnce = 1000

// maxColumns is how many columns of a file are read.
const maxColumns = 10_000

// taker takes the values of one column, row by row.
type taker interface {
	add(value []byte) error // JSON, for as long as the call
}

// roster is a file on its way into columns, in the order in which they first appear.
type roster[C taker] struct {
	fresh   func(name string) C // makes a column when it is met
	fields  Fields
	rows    uint64
	at      map[string]int
	columns []rostered[C]
}

type rostered[C taker] struct {
	name string
	row  uint64 // of the last value, to find a name that comes twice
	c    C
}

// headed is a reader of a format that names its columns apart from the rows; of a file
// without rows, header returns all of them once the end is read.
type headed interface{ header() []string }

// read gives every value of the file at path to its column, and calls told, which may be
// nil, with the number of rows so far now and then. A file without rows has the columns
// that its header or schema names. It ends with the error of ctx soon after that has one.
func (r *roster[C]) read(ctx context.Context, path string, told func(rows int)) error {
	in, err := Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	r.at = map[string]int{}
	for row := 1; ; row++ {
		line, id, err := in.Next()
		if errors.Is(err, io.EOF) {
			return r.end(in, filepath.Base(path))
		}
		if err != nil {
			return err
		}
		if err := r.line(line, id); err != nil {
			return fmt.Errorf("read %s: row %d: %w", filepath.Base(path), row, err)
		}
		if row%rowsAtOnce == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if told != nil && row%50_000 == 0 {
			told(row)
		}
	}
}

// end makes the columns that a file without rows names.
func (r *roster[C]) end(in Reader, name string) error {
	h, ok := in.(headed)
	if !ok || r.rows > 0 {
		return nil
	}
	for _, column := range h.header() {
		if _, known := r.at[column]; known {
			return fmt.Errorf("read %s: column %.100q is there twice: %w", name, column, ErrCorrupt)
		}
		if _, err := r.column(column); err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
	}
	return nil
}

func (r *roster[C]) line(line []byte, id string) error {
	r.rows++
	members, err := r.fields.Of(line)
	if err != nil {
		return err
	}
	for i, m := range members {
		if err := r.value(i, m.Name, m.Value); err != nil {
			return err
		}
	}
	at, known := r.at[EventID]
	if id == "" || known && r.columns[at].row == r.rows {
		return nil
	}
	return r.value(len(members), []byte(EventID), appendString(nil, id)) // CSV and Parquet leave it out of their lines
}

// value takes the i-th member of a row; most rows have their columns in one order.
func (r *roster[C]) value(i int, name, value []byte) error {
	if i >= len(r.columns) || r.columns[i].name != string(name) {
		known := false
		if i, known = r.at[string(name)]; !known {
			var err error
			if i, err = r.column(string(name)); err != nil {
				return err
			}
		}
	}
	c := &r.columns[i]
	if c.row == r.rows {
		return fmt.Errorf("column %.100q is there twice: %w", name, ErrCorrupt)
	}
	c.row = r.rows
	return c.c.add(value)
}

// column makes a column that is not there yet, and returns its place.
func (r *roster[C]) column(name string) (int, error) {
	if len(r.columns) == maxColumns {
		return 0, fmt.Errorf("more than %d columns: %w", maxColumns, ErrLimit)
	}
	r.at[name] = len(r.columns)
	r.columns = append(r.columns, rostered[C]{name: name, c: r.fresh(name)})
	return len(r.columns) - 1, nil
}

// textIn returns the text of a JSON string of a column, which shares value's memory if
// it can.
func textIn(column string, value []byte) ([]byte, error) {
	inner := value[1 : len(value)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return inner, nil
	}
	var text string
	if err := json.Unmarshal(value, &text); err != nil {
		return nil, fmt.Errorf("column %.100q: %w: %w", column, err, ErrCorrupt)
	}
	return []byte(text), nil
}
