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

// rowSink takes rows in their order. After the last one it is closed, or discarded if it
// is not to be used; both may fail, and leave no unfinished file.
type rowSink interface {
	write(row *fileRow) error
	close() error
	discard() error
}

// Formats of rows that are written, by the ending of a file.
const (
	formatLines   = "jsonl"
	formatCSV     = "csv"
	formatParquet = "parquet"
)

var formatOf = map[string]string{".jsonl": formatLines, ".ndjson": formatLines, ".csv": formatCSV, ".parquet": formatParquet}

// newRowSink returns a writer of the file at path, or of stdout if path is empty. An empty
// format is told by the file's ending, and is JSON lines for stdout. types are those that
// are declared for columns, by name, and computed those that there are without a row.
func newRowSink(stdout io.Writer, path, format string, types declaredTypes, computed []string) (rowSink, error) {
	ending := strings.ToLower(filepath.Ext(path))
	switch {
	case format != "":
	case path == "":
		format = formatLines
	default:
		if format = formatOf[ending]; format == "" {
			return nil, fmt.Errorf("%w: write %s: ending %q: want .jsonl, .ndjson, .csv or .parquet, or say --format", errUsage, path, ending)
		}
	}
	out, err := newOutput(stdout, path)
	if err != nil {
		return nil, err
	}
	switch format {
	case formatParquet:
		return newParquetSink(out, types, computed)
	case formatCSV:
		return &csvSink{output: out, csv: csv.NewWriter(out)}, nil
	}
	return &lineSink{output: out}, nil
}

// output is standard output, or a file that takes its name once it is whole.
type output struct {
	*bufio.Writer
	path string
	file *os.File // nil: standard output
}

func newOutput(stdout io.Writer, path string) (*output, error) {
	const size = 256 << 10
	if path == "" {
		return &output{Writer: bufio.NewWriterSize(stdout, size)}, nil
	}
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return nil, err
	}
	return &output{bufio.NewWriterSize(file, size), path, file}, nil
}

// close writes what is left and gives the file its name.
func (o *output) close() error {
	if err := o.Flush(); err != nil {
		return errors.Join(err, o.discard())
	}
	if o.file == nil {
		return nil
	}
	err := errors.Join(o.file.Chmod(0o644), o.file.Close())
	if err == nil {
		err = os.Rename(o.file.Name(), o.path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(o.file.Name()))
	}
	return nil
}

// discard removes an unfinished file. What went to standard output stays.
func (o *output) discard() error {
	if o.file == nil {
		return nil
	}
	return errors.Join(o.file.Close(), os.Remove(o.file.Name()))
}

// lineSink writes JSON lines.
type lineSink struct {
	*output
	line []byte
}

func (s *lineSink) write(row *fileRow) (err error) {
	if s.line, err = row.appendLine(s.line[:0]); err != nil {
		return err
	}
	_, err = s.Write(s.line)
	return err
}

// discard writes the rows before the one that failed.
func (s *lineSink) discard() error {
	if s.file == nil {
		return s.Flush()
	}
	return s.output.discard()
}

// appendLine appends the row as a line of JSON.
func (r *fileRow) appendLine(dst []byte) ([]byte, error) {
	dst = append(dst, '{')
	for i, name := range r.names {
		if i > 0 {
			dst = append(dst, ',')
		}
		key, err := json.Marshal(name)
		if err != nil {
			return dst, err
		}
		dst = append(append(append(dst, key...), ':'), r.values[i]...)
	}
	return append(dst, '}', '\n'), nil
}

// csvSink writes CSV with the columns of the first row.
type csvSink struct {
	*output
	csv  *csv.Writer
	head []string
}

func (s *csvSink) write(row *fileRow) error {
	if s.head == nil {
		s.head = slices.Clone(row.names)
		if err := s.csv.Write(s.head); err != nil {
			return err
		}
	}
	record := make([]string, len(s.head))
	n := 0
	for i, name := range s.head {
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
			if !slices.Contains(s.head, name) {
				return fmt.Errorf("column %.100q is not in the first row: write .jsonl or .parquet, or give every row the same columns", name)
			}
		}
	}
	return s.csv.Write(record)
}

func (s *csvSink) close() error {
	s.csv.Flush()
	if err := s.csv.Error(); err != nil {
		return errors.Join(err, s.output.discard())
	}
	return s.output.close()
}
