package tabular

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"sluice/feature"
)

// lines reads a file of JSON lines.
type lines struct {
	name string
	file io.Closer
	in   *bufio.Reader
	line int
	err  error
}

func openLines(f *os.File, name string, _ map[string]feature.Type) (Reader, error) {
	return newLines(f, f, name), nil
}

func newLines(in io.Reader, file io.Closer, name string) *lines {
	return &lines{name: name, file: file, in: bufio.NewReaderSize(in, 256<<10)}
}

func (l *lines) Next() ([]byte, string, error) {
	for l.err == nil {
		line, err := l.read()
		if err != nil {
			l.err = err
			break
		}
		if len(bytes.TrimSpace(line)) > 0 {
			return line, eventID(line), nil
		}
	}
	return nil, "", l.err
}

// read returns the next line without its end.
func (l *lines) read() ([]byte, error) {
	var line []byte
	l.line++
	for {
		part, err := l.in.ReadSlice('\n')
		if line = append(line, part...); len(line) > MaxLine+2 {
			return nil, fmt.Errorf("read %s: line %d is longer than %d bytes: %w", l.name, l.line, MaxLine, ErrLimit)
		}
		switch {
		case err == nil, errors.Is(err, io.EOF) && len(line) > 0:
			return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r")), nil
		case errors.Is(err, io.EOF):
			return nil, io.EOF
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, fmt.Errorf("read %s: line %d: %w", l.name, l.line, err)
		}
	}
}

// eventID returns the text of a line's top-level event_id, a string or a number;
// empty for any other and for a line that is no JSON object.
func eventID(line []byte) string {
	if !bytes.Contains(line, []byte(EventID)) {
		return ""
	}
	var row map[string]json.RawMessage
	if json.Unmarshal(line, &row) != nil {
		return ""
	}
	var text string
	if raw := row[EventID]; json.Unmarshal(raw, &text) != nil && isNumber(string(raw)) {
		return string(raw)
	}
	return text
}

func (l *lines) Rows() (int64, bool) { return 0, false }

func (l *lines) Close() error { return l.file.Close() }
