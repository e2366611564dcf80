package tabular

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"sluice/feature"
)

// csvRows reads a CSV file with a header, as RFC 4180 has it: every record has
// the header's number of fields, and quotes stand at both ends of a field or
// nowhere. A field that is empty, quoted or not, is null. A file without a header has no rows.
type csvRows struct {
	name  string
	file  io.Closer
	bound *bound
	in    *csv.Reader
	names []string
	keys  [][]byte // `"name":` per column
	types []feature.Type
	id    int // position of the column event_id; -1: none
	err   error
}

func openCSV(f *os.File, name string, columns map[string]feature.Type) (Reader, error) {
	return newCSV(f, f, name, columns)
}

func newCSV(in io.Reader, file io.Closer, name string, columns map[string]feature.Type) (*csvRows, error) {
	b := &bound{in: in}
	b.reset()
	text := bufio.NewReader(b)
	if mark, _ := text.Peek(len(byteOrderMark)); string(mark) == byteOrderMark {
		_, _ = text.Discard(len(byteOrderMark)) // these bytes are there
	}
	start, _ := text.Peek(text.Size()) // or as much as there is; reading on finds the error
	if err := refused(start); err != nil {
		return nil, err
	}
	r := &csvRows{name: name, file: file, bound: b, in: csv.NewReader(text)}
	r.in.ReuseRecord = true
	header, err := r.in.Read()
	if errors.Is(err, io.EOF) {
		r.err = io.EOF // neither rows nor columns, as a file of JSON lines without any
		return r, nil
	}
	if err != nil {
		return nil, csvError(err)
	}
	return r, r.columns(slices.Clone(header), columns)
}

// columns takes the header.
func (r *csvRows) columns(header []string, types map[string]feature.Type) error {
	r.names, r.id = header, slices.Index(header, EventID)
	for i, name := range header {
		if name == "" {
			return fmt.Errorf("line 1: column %d has no name: %w", i+1, ErrCorrupt)
		}
		if slices.Contains(header[:i], name) {
			return fmt.Errorf("line 1: column %.100q is there twice: %w", name, ErrCorrupt)
		}
		r.keys = append(r.keys, append(appendString(nil, name), ':'))
		r.types = append(r.types, types[name])
	}
	return nil
}

// separators are what other programs put between fields, and how they are called.
var separators = []struct {
	byte byte
	name string
}{{';', "semicolons"}, {'\t', "tabs"}, {'|', "vertical bars"}}

// refused says why a file that begins so is none that is read; nil if it is one. A header that
// something else than commas separates would be one column, or a few, of whole lines. In such
// files commas may stand for decimal points, so they are not read by guess. Names of columns may
// hold the same characters in quotes, or no more of them than there are commas.
func refused(start []byte) error {
	if mark := string(start[:min(2, len(start))]); mark == "\xff\xfe" || mark == "\xfe\xff" {
		return fmt.Errorf("line 1: the file is in UTF-16: %w: write it in UTF-8", ErrFormat)
	}
	header, _, _ := bytes.Cut(bytes.TrimLeft(start, "\r\n"), []byte("\n"))
	var found [256]int
	quoted := false
	for _, c := range header {
		if quoted = quoted != (c == '"'); !quoted {
			found[c]++
		}
	}
	for _, s := range separators {
		if found[s.byte] > found[','] {
			return fmt.Errorf("line 1: %s, not commas, separate the columns of the header %.100q: %w: write the file with commas, and numbers with decimal points", s.name, bytes.TrimRight(header, "\r"), ErrFormat)
		}
	}
	return nil
}

func (r *csvRows) Next() ([]byte, string, error) {
	if r.err != nil {
		return nil, "", r.err
	}
	r.bound.reset()
	record, err := r.in.Read()
	if errors.Is(err, io.EOF) {
		r.err = io.EOF
		return nil, "", io.EOF
	}
	if err != nil {
		r.err = fmt.Errorf("read %s: %w", r.name, csvError(err))
		return nil, "", r.err
	}
	line, id := []byte{'{'}, ""
	for i, text := range record {
		if i == r.id {
			id = text
			continue
		}
		if len(line) > 1 {
			line = append(line, ',')
		}
		line = append(line, r.keys[i]...)
		line = appendText(line, text, r.types[i])
	}
	return append(line, '}'), id, nil
}

func (r *csvRows) Rows() (int64, bool) { return 0, false }

func (r *csvRows) header() []string { return r.names }

// RequireHeader returns an error that wraps ErrCorrupt if a reader is of a CSV file without
// a header line. Whoever describes a file finds no rows in it; who writes its rows elsewhere
// would take a file that was cut short to nothing for one that has none.
func RequireHeader(in Reader) error {
	if r, ok := in.(*csvRows); ok && len(r.names) == 0 {
		return fmt.Errorf("open %s: no header line: %w", r.name, ErrCorrupt)
	}
	return nil
}

func (r *csvRows) Close() error { return r.file.Close() }

// csvError names line and column of what is malformed.
func csvError(err error) error {
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		return fmt.Errorf("line %d, column %d: %w: %w", parse.Line, parse.Column, parse.Err, ErrCorrupt)
	}
	return err
}

// byteOrderMark is what spreadsheets put before the header.
const byteOrderMark = "\ufeff"

// bound ends reading when one record takes more than MaxLine bytes: without it a
// quote that is never closed would bring the whole file into memory.
type bound struct {
	in   io.Reader
	left int
}

// reset grants the next record, and what the reader behind it reads ahead.
func (b *bound) reset() { b.left = MaxLine + 64<<10 }

func (b *bound) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("a record is longer than %d bytes; is a quote not closed? %w", MaxLine, ErrLimit)
	}
	n, err := b.in.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}
