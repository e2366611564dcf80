package tabular

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// Table holds columns of a Parquet file, each as one slice with an element per
// row. Its slices belong to it; callers must not change them.
type Table struct {
	rows    int
	columns map[string]*column
}

// column is one column of a Table; the slice of its kind is filled.
type column struct {
	strings []string
	ints    []int64
	floats  []float64
	nulls   []bool // nil: none is null
	unit    time.Duration
}

// Columns reads the named columns of the Parquet file in data, which the caller
// trusts as it trusts the program: it is read in this process. The columns must
// lie at the top level and be of a scalar type. The error wraps ErrFormat or
// ErrCorrupt.
func Columns(data []byte, names ...string) (t *Table, err error) {
	defer caught(&err)
	f, err := openFile(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, fmt.Errorf("read columns: %w", err)
	}
	t = &Table{rows: int(f.NumRows()), columns: map[string]*column{}}
	for _, name := range names {
		leaf := f.Root().Column(name)
		if leaf == nil || !leaf.Leaf() || leaf.MaxRepetitionLevel() > 0 {
			return nil, fmt.Errorf("read columns: no scalar column %q: %w", name, ErrFormat)
		}
		c, err := readColumn(f, leaf)
		if err != nil {
			return nil, fmt.Errorf("read column %s: %w", name, err)
		}
		t.columns[name] = c
	}
	return t, nil
}

// Rows returns the number of rows.
func (t *Table) Rows() int { return t.rows }

// Strings returns a column of text, with "" for null; nil if name is no such column.
func (t *Table) Strings(name string) []string {
	if c := t.columns[name]; c != nil {
		return c.strings
	}
	return nil
}

// Floats returns a column of numbers, with NaN for null; nil if name is no such
// column. Integers beyond 2^53 are rounded.
func (t *Table) Floats(name string) []float64 {
	c := t.columns[name]
	switch {
	case c == nil:
		return nil
	case c.ints == nil:
		return c.floats
	}
	floats := make([]float64, len(c.ints))
	for i, v := range c.ints {
		if floats[i] = float64(v); c.nulls != nil && c.nulls[i] {
			floats[i] = math.NaN()
		}
	}
	return floats
}

// Times returns a column of timestamps in UTC, with the zero time for null; nil
// if name is no such column.
func (t *Table) Times(name string) []time.Time {
	c := t.columns[name]
	if c == nil || c.unit == 0 {
		return nil
	}
	times := make([]time.Time, len(c.ints))
	perSecond := int64(time.Second / c.unit)
	for i, v := range c.ints {
		if c.nulls == nil || !c.nulls[i] {
			times[i] = time.Unix(v/perSecond, v%perSecond*int64(c.unit)).UTC()
		}
	}
	return times
}

// readColumn reads the whole of a scalar column.
func readColumn(f *parquet.File, leaf *parquet.Column) (*column, error) {
	c := &column{}
	if logical := leaf.Type().LogicalType(); logical != nil {
		if stamp, ok := logical.Value.(*format.TimestampType); ok {
			c.unit = unitOf(stamp.Unit)
		}
	}
	add, err := c.adder(leaf.Type().Kind(), int(f.NumRows()))
	if err != nil {
		return nil, err
	}
	n := 0
	values := make([]parquet.Value, 1024)
	for at, group := range f.RowGroups() {
		pages := group.ColumnChunks()[leaf.Index()].Pages()
		read, err := readPages(pages, values, func(v parquet.Value) {
			if v.IsNull() {
				if c.nulls == nil {
					c.nulls = make([]bool, f.NumRows())
				}
				c.nulls[n] = true
			}
			add(v)
			n++
		})
		if err = errors.Join(err, pages.Close()); err != nil {
			return nil, fmt.Errorf("row group %d: %w", at, err)
		}
		if read != group.NumRows() {
			return nil, fmt.Errorf("row group %d: %d values for %d rows: %w", at, read, group.NumRows(), ErrCorrupt)
		}
	}
	return c, nil
}

// adder returns what appends one value to the slice of the column's kind.
func (c *column) adder(kind parquet.Kind, rows int) (func(parquet.Value), error) {
	switch kind {
	case parquet.Int32:
		c.ints = make([]int64, 0, rows)
		return func(v parquet.Value) { c.ints = append(c.ints, int64(v.Int32())) }, nil
	case parquet.Int64:
		c.ints = make([]int64, 0, rows)
		return func(v parquet.Value) { c.ints = append(c.ints, v.Int64()) }, nil
	case parquet.Double:
		c.floats = make([]float64, 0, rows)
		return func(v parquet.Value) {
			f := v.Double()
			if v.IsNull() {
				f = math.NaN()
			}
			c.floats = append(c.floats, f)
		}, nil
	case parquet.ByteArray:
		c.strings = make([]string, 0, rows)
		known := map[string]string{} // one copy of a text, however often it comes
		return func(v parquet.Value) {
			b := v.ByteArray()
			text, ok := known[string(b)]
			if !ok {
				text = string(b)
				known[text] = text
			}
			c.strings = append(c.strings, text)
		}, nil
	}
	return nil, fmt.Errorf("kind %s: %w", kind, ErrFormat)
}

// readPages calls fn with every value of pages and returns how many there were.
func readPages(pages parquet.Pages, values []parquet.Value, fn func(parquet.Value)) (read int64, err error) {
	for {
		page, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			return read, nil
		}
		if err != nil {
			return read, fmt.Errorf("%w: %w", err, ErrCorrupt)
		}
		for in := page.Values(); err == nil; {
			var n int
			n, err = in.ReadValues(values)
			for _, v := range values[:n] {
				fn(v)
			}
			read += int64(n)
		}
		parquet.Release(page)
		if !errors.Is(err, io.EOF) {
			return read, fmt.Errorf("%w: %w", err, ErrCorrupt)
		}
	}
}
