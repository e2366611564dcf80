package tabular

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/parquet-go/parquet-go"

	"sluice/feature"
)

// rows reads the rows of a Parquet file in this process.
type rows struct {
	file    *parquet.File
	columns []*node
	id      int // position of the column event_id; -1: none
	group   int // next row group
	open    parquet.Rows
	batch   []parquet.Row
	filled  int // rows of batch that are read
	used    int // rows of batch that are returned
	last    bool
	leaves  [][]parquet.Value
	row     int64
	left    int64 // bytes of JSON that may still come
}

func newRows(in io.ReaderAt, size int64, types map[string]feature.Type) (r *rows, err error) {
	defer caught(&err)
	f, err := openFile(in, size)
	if err != nil {
		return nil, err
	}
	r = &rows{file: f, id: -1, batch: make([]parquet.Row, 64), left: 64<<20 + size*MaxGrowth}
	for i, c := range f.Root().Columns() {
		n, err := newNode(c, 0, types)
		if err != nil {
			return nil, err
		}
		if c.Name() == EventID {
			r.id = i
		}
		r.columns = append(r.columns, n)
		r.leaves = append(r.leaves, make([][]parquet.Value, n.last-n.first)...)
	}
	if len(r.columns) == 0 {
		return nil, fmt.Errorf("no columns: %w", ErrCorrupt)
	}
	return r, nil
}

// next returns the next row as a line and its event id; io.EOF after the last.
func (r *rows) next() (line []byte, id string, err error) {
	defer caught(&err)
	if err := r.fill(); err != nil {
		return nil, "", err
	}
	clear(r.leaves)
	seen := 0
	r.batch[r.used].Range(func(column int, values []parquet.Value) bool {
		r.leaves[column] = values
		seen++
		return len(values) > 0
	})
	r.used++
	r.row++
	if seen != len(r.leaves) {
		return nil, "", fmt.Errorf("row %d has %d of %d columns: %s ends before: %w", r.row, seen, len(r.leaves), r.shortest(), ErrCorrupt)
	}
	line = []byte{'{'}
	for i, n := range r.columns {
		if i == r.id {
			id = eventText(n.append(nil, r.leaves))
			continue
		}
		if len(line) > 1 {
			line = append(line, ',')
		}
		line = n.append(append(line, n.key...), r.leaves)
	}
	line = append(line, '}')
	if r.left -= int64(len(line)); r.left < 0 || len(line) > MaxLine {
		return nil, "", fmt.Errorf("row %d: a line of %d bytes; at most %d, and in all %d times the file's size, are read: %w", r.row, len(line), MaxLine, MaxGrowth, ErrLimit)
	}
	return line, id, nil
}

// eventText turns the JSON form of an event id into its text.
func eventText(form []byte) string {
	if string(form) == "null" {
		return ""
	}
	if form[0] == '"' && !bytes.ContainsRune(form, '\\') {
		return string(form[1 : len(form)-1])
	}
	if text, err := strconv.Unquote(string(form)); err == nil {
		return text
	}
	return string(form)
}

// fill reads rows until one is there to be returned.
func (r *rows) fill() error {
	for r.used == r.filled {
		if r.open == nil {
			groups := r.file.RowGroups()
			if r.group == len(groups) {
				return r.end()
			}
			group := groups[r.group]
			r.group++
			if group.NumRows() == 0 {
				continue // pyarrow writes such groups; parquet-go cannot read their pages
			}
			r.open, r.last = group.Rows(), false
		}
		if r.last {
			r.close()
			continue
		}
		n, err := r.readRows()
		if err != nil && !errors.Is(err, io.EOF) {
			return r.located(err)
		}
		if n == 0 && err == nil {
			return r.located(fmt.Errorf("no progress: %w", ErrCorrupt))
		}
		r.filled, r.used, r.last = n, 0, err != nil
	}
	return nil
}

// readRows reads the next rows of the open group into batch.
func (r *rows) readRows() (n int, err error) {
	defer caught(&err)
	if n, err = r.open.ReadRows(r.batch); err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("%w: %w", err, ErrCorrupt)
	}
	return n, err
}

// end checks that as many rows came as were promised.
func (r *rows) end() error {
	if r.row != r.file.NumRows() {
		return fmt.Errorf("%d of %d rows: %w", r.row, r.file.NumRows(), ErrCorrupt)
	}
	return io.EOF
}

// close ends the row group that is open.
func (r *rows) close() {
	if r.open != nil {
		r.open.Close()
		r.open = nil
	}
}
