package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"sluice/store/tabular"
)

const maxColumns = 10_000

// parquetSink writes Parquet. A file of it says the types of its columns first, and those
// that nothing declares are known after the last row: until then rows are in a file beside,
// as JSON lines.
type parquetSink struct {
	out      *output
	spool    *os.File
	lines    *bufio.Writer
	line     []byte
	types    declaredTypes
	computed []string
	columns  []*typedColumn
	at       map[string]*typedColumn
}

func newParquetSink(out *output, types declaredTypes, computed []string) (rowSink, error) {
	dir := os.TempDir()
	if out.path != "" {
		dir = filepath.Dir(out.path)
	}
	spool, err := os.CreateTemp(dir, ".sluice-rows-*")
	if err != nil {
		return nil, errors.Join(err, out.discard())
	}
	return &parquetSink{out: out, spool: spool, lines: bufio.NewWriterSize(spool, 256<<10), types: types, computed: computed, at: map[string]*typedColumn{}}, nil
}

// column returns the column of that name, which is made if it is new.
func (s *parquetSink) column(name string) (*typedColumn, error) {
	c := s.at[name]
	if c != nil {
		return c, nil
	}
	if len(s.columns) == maxColumns {
		return nil, fmt.Errorf("more than %d columns: write .jsonl", maxColumns)
	}
	c = &typedColumn{name: name, declared: s.types[name]}
	s.columns, s.at[name] = append(s.columns, c), c
	return c, nil
}

func (s *parquetSink) write(row *fileRow) (err error) {
	for i, name := range row.names {
		c, err := s.column(name)
		if err != nil {
			return err
		}
		c.see(row.values[i])
	}
	if s.line, err = row.appendLine(s.line[:0]); err != nil {
		return err
	}
	_, err = s.lines.Write(s.line)
	return err
}

// close writes the file.
func (s *parquetSink) close() error {
	err := s.lines.Flush()
	if err == nil {
		_, err = s.spool.Seek(0, io.SeekStart)
	}
	if err == nil {
		err = s.convert()
	}
	if err != nil {
		return errors.Join(err, s.discard())
	}
	return errors.Join(s.forget(), s.out.close())
}

func (s *parquetSink) discard() error { return errors.Join(s.forget(), s.out.discard()) }

// forget removes the rows that were kept.
func (s *parquetSink) forget() error { return errors.Join(s.spool.Close(), os.Remove(s.spool.Name())) }

// convert writes the kept rows as Parquet.
func (s *parquetSink) convert() error {
	if len(s.columns) == 0 {
		for _, name := range s.computed {
			if _, err := s.column(name); err != nil {
				return err
			}
		}
	}
	columns := make([]tabular.Column, len(s.columns))
	for i, c := range s.columns {
		c.typ = c.settle()
		columns[i] = tabular.Column{Name: c.name, Type: c.typ}
	}
	w := tabular.NewWriter(s.out, columns)
	in := bufio.NewReaderSize(s.spool, 256<<10)
	cells := make([]tabular.Cell, len(columns))
	for {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return w.Close()
		}
		if err != nil {
			return err
		}
		row, err := readRow(line)
		if err != nil {
			return err
		}
		for i, c := range s.columns {
			if cells[i], err = cellOf(c.typ, row.value(c.name)); err != nil {
				return fmt.Errorf("column %s: %w", c.name, err)
			}
		}
		if err := w.Write(cells); err != nil {
			return err
		}
	}
}
