package tabular

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
)

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

// read gives every value of the file at path to its column, and calls told, which may be
// nil, with the number of rows so far now and then.
func (r *roster[C]) read(path string, told func(rows int)) error {
	in, err := Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	r.at = map[string]int{}
	for row := 1; ; row++ {
		line, id, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := r.line(line, id); err != nil {
			return fmt.Errorf("read %s: row %d: %w", filepath.Base(path), row, err)
		}
		if told != nil && row%50_000 == 0 {
			told(row)
		}
	}
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
			if len(r.columns) == maxColumns {
				return fmt.Errorf("more than %d columns: %w", maxColumns, ErrLimit)
			}
			i = len(r.columns)
			r.at[string(name)] = i
			r.columns = append(r.columns, rostered[C]{name: string(name), c: r.fresh(string(name))})
		}
	}
	c := &r.columns[i]
	if c.row == r.rows {
		return fmt.Errorf("column %.100q is there twice: %w", name, ErrCorrupt)
	}
	c.row = r.rows
	return c.c.add(value)
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
