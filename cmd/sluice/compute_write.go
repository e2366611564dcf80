package main

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// rowWriter writes rows as JSON lines or CSV. A file takes its name once it is whole.
type rowWriter struct {
	path string
	file *os.File // nil: standard output
	out  *bufio.Writer
	csv  *csv.Writer // nil: JSON lines
	head []string
	line []byte
}

// newRowWriter returns a writer of the file at path, by its ending; of JSON lines to
// stdout if path is empty.
func newRowWriter(stdout io.Writer, path string) (*rowWriter, error) {
	w := &rowWriter{path: path, out: bufio.NewWriterSize(stdout, 256<<10)}
	ending := strings.ToLower(filepath.Ext(path))
	if path != "" && ending != ".jsonl" && ending != ".ndjson" && ending != ".csv" {
		return nil, fmt.Errorf("%w: write %s: ending %q: want .jsonl, .ndjson or .csv", errUsage, path, ending)
	}
	if path != "" {
		file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
		if err != nil {
			return nil, err
		}
		w.file = file
		w.out.Reset(file)
	}
	if ending == ".csv" {
		w.csv = csv.NewWriter(w.out)
	}
	return w, nil
}

func (w *rowWriter) write(row *fileRow) error {
	if w.csv != nil {
		return w.record(row)
	}
	w.line = append(w.line[:0], '{')
	for i, name := range row.names {
		if i > 0 {
			w.line = append(w.line, ',')
		}
		key, err := json.Marshal(name)
		if err != nil {
			return err
		}
		w.line = append(append(append(w.line, key...), ':'), row.values[i]...)
	}
	_, err := w.out.Write(append(w.line, '}', '\n'))
	return err
}

// record writes a row as CSV, with the columns of the first one.
func (w *rowWriter) record(row *fileRow) error {
	if w.head == nil {
		w.head = slices.Clone(row.names)
		if err := w.csv.Write(w.head); err != nil {
			return err
		}
	}
	record := make([]string, len(w.head))
	n := 0
	for i, name := range w.head {
		raw := row.value(name)
		if raw == nil {
			continue
		}
		n++
		switch raw[0] {
		case 'n':
		case '"':
			if err := json.Unmarshal(raw, &record[i]); err != nil {
				return fmt.Errorf("column %s: %w", name, err)
			}
		default:
			record[i] = string(raw)
		}
	}
	if n < len(row.names) {
		for _, name := range row.names {
			if !slices.Contains(w.head, name) {
				return fmt.Errorf("column %.100q is not in the first row: write .jsonl, or give every row the same columns", name)
			}
		}
	}
	return w.csv.Write(record)
}

// close writes what is left and gives the file its name.
func (w *rowWriter) close() error {
	if w.csv != nil {
		w.csv.Flush()
		if err := w.csv.Error(); err != nil {
			return errors.Join(err, w.discard())
		}
	}
	if err := w.out.Flush(); err != nil {
		return errors.Join(err, w.discard())
	}
	if w.file == nil {
		return nil
	}
	if err := errors.Join(w.file.Chmod(0o644), w.file.Close()); err != nil {
		return errors.Join(err, os.Remove(w.file.Name()))
	}
	return os.Rename(w.file.Name(), w.path)
}

// discard removes an unfinished file. What went to standard output stays.
func (w *rowWriter) discard() error {
	if w.file == nil {
		if w.csv == nil {
			return w.out.Flush()
		}
		return nil
	}
	return errors.Join(w.file.Close(), os.Remove(w.file.Name()))
}
