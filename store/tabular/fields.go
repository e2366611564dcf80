package tabular

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Field is a member of a row's JSON object. Both are parts of the row, or copies.
type Field struct {
	Name  []byte // without quotes and escapes
	Value []byte // JSON as it stands, without white space around it
}

// Fields takes rows apart. Its memory is used again.
type Fields struct {
	fields []Field
}

// Of returns the members of a row that Reader.Next returned, until the next call. The
// error wraps ErrCorrupt if the row is no JSON object.
func (f *Fields) Of(line []byte) ([]Field, error) {
	if f.flat(line) {
		return f.fields, nil
	}
	return f.any(line)
}

// flat takes an object of numbers, words and strings apart, as most rows are; false for
// any other, and for what is no JSON.
func (f *Fields) flat(line []byte) bool {
	f.fields = f.fields[:0]
	at := space(line, 0)
	if at == len(line) || line[at] != '{' {
		return false
	}
	if at = space(line, at+1); at < len(line) && line[at] == '}' {
		return space(line, at+1) == len(line)
	}
	for {
		name, next, ok := text(line, at)
		if !ok || bytes.IndexByte(name, '\\') >= 0 {
			return false
		}
		if at = space(line, next); at == len(line) || line[at] != ':' {
			return false
		}
		at = space(line, at+1)
		end, ok := scalar(line, at)
		if !ok {
			return false
		}
		f.fields = append(f.fields, Field{name[1 : len(name)-1], line[at:end]})
		if at = space(line, end); at == len(line) {
			return false
		}
		switch line[at] {
		case '}':
			return space(line, at+1) == len(line)
		case ',':
			at = space(line, at+1)
		default:
			return false
		}
	}
}

func space(line []byte, at int) int {
	for at < len(line) && (line[at] == ' ' || line[at] == '\t' || line[at] == '\n' || line[at] == '\r') {
		at++
	}
	return at
}

// text returns the string that begins at a position, with its quotes.
func text(line []byte, at int) (s []byte, end int, ok bool) {
	if at >= len(line) || line[at] != '"' {
		return nil, 0, false
	}
	for i := at + 1; i < len(line); i++ {
		switch c := line[i]; {
		case c == '"':
			return line[at : i+1], i + 1, true
		case c == '\\':
			i++
		case c < 0x20:
			return nil, 0, false
		}
	}
	return nil, 0, false
}

// scalar returns where a string, number or word ends.
func scalar(line []byte, at int) (end int, ok bool) {
	if at >= len(line) {
		return 0, false
	}
	switch line[at] {
	case '"':
		s, end, ok := text(line, at)
		if ok && bytes.IndexByte(s, '\\') >= 0 {
			ok = json.Valid(s)
		}
		return end, ok
	case 't', 'f', 'n':
		for _, word := range []string{"true", "false", "null"} {
			if bytes.HasPrefix(line[at:], []byte(word)) {
				return at + len(word), true
			}
		}
		return 0, false
	}
	for end = at; end < len(line) && line[end] != ',' && line[end] != '}' && line[end] > ' '; end++ {
	}
	return end, isNumber(string(line[at:end]))
}

// any takes any object apart.
func (f *Fields) any(line []byte) ([]Field, error) {
	f.fields = f.fields[:0]
	d := json.NewDecoder(bytes.NewReader(line))
	if token, err := d.Token(); err != nil || token != json.Delim('{') {
		return nil, fmt.Errorf("no JSON object: %w", ErrCorrupt)
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("no JSON: %w: %w", err, ErrCorrupt)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, fmt.Errorf("column %.100q: no JSON: %w: %w", name, err, ErrCorrupt)
		}
		f.fields = append(f.fields, Field{[]byte(name.(string)), value})
	}
	if _, err := d.Token(); err != nil {
		return nil, fmt.Errorf("no JSON: %w: %w", err, ErrCorrupt)
	}
	if len(bytes.TrimSpace(line[d.InputOffset():])) > 0 {
		return nil, fmt.Errorf("more than one JSON value: %w", ErrCorrupt)
	}
	return f.fields, nil
}
