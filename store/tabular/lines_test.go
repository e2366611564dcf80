package tabular

import (
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestLines(t *testing.T) {
	for name, tc := range map[string]struct {
		text       string
		lines, ids []string
	}{
		"as they stand":      {"{\"a\": 1}\n{broken\n\"x\"", []string{`{"a": 1}`, "{broken", `"x"`}, []string{"", "", ""}},
		"blank lines":        {"\n{}\n  \r\n\n[]\r\n", []string{"{}", "[]"}, []string{"", ""}},
		"event id":           {`{"event_id":"a\"b","v":1}`, []string{`{"event_id":"a\"b","v":1}`}, []string{`a"b`}},
		"event id, a number": {`{"event_id":12.50}`, []string{`{"event_id":12.50}`}, []string{"12.50"}},
		"event id, no text":  {`{"event_id":[1]}`, []string{`{"event_id":[1]}`}, []string{""}},
		"event id, nested":   {`{"v":{"event_id":"a"}}`, []string{`{"v":{"event_id":"a"}}`}, []string{""}},
		"event id, broken":   {`{"event_id":"a"`, []string{`{"event_id":"a"`}, []string{""}},
		"event id, in capitals": {
			`{"Event_ID":"a","event_id":"b"}`, []string{`{"Event_ID":"a","event_id":"b"}`}, []string{"b"}},
		"nothing": {"", nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			lines, ids, err := readFile(write(t, "x.jsonl", []byte(tc.text)), nil)
			if err != nil || !slices.Equal(lines, tc.lines) || !slices.Equal(ids, tc.ids) {
				t.Errorf("lines %q, ids %q, %v; want %q, %q", lines, ids, err, tc.lines, tc.ids)
			}
		})
	}
}

// repeat reads as n times text.
func repeat(text string, n int) io.Reader {
	readers := make([]io.Reader, n)
	for i := range readers {
		readers[i] = strings.NewReader(text)
	}
	return io.MultiReader(readers...)
}

func TestLinesLimit(t *testing.T) {
	block := strings.Repeat("x", 1<<20)
	at := newLines(io.MultiReader(repeat(block, 16), strings.NewReader("\r\n{}\n")), io.NopCloser(nil), "x.jsonl")
	if lines, _, err := readAll(at); err != nil || len(lines) != 2 || len(lines[0]) != MaxLine {
		t.Errorf("a line of 16 MiB: %d lines, %v, want it and the next", len(lines), err)
	}
	over := newLines(io.MultiReader(strings.NewReader("{}\n"), repeat(block, 17)), io.NopCloser(nil), "x.jsonl")
	lines, _, err := readAll(over)
	if !errors.Is(err, ErrLimit) || len(lines) != 1 || !strings.Contains(err.Error(), "x.jsonl: line 2 ") {
		t.Errorf("a line of 17 MiB: %d lines, %v, want ErrLimit that names line 2", len(lines), err)
	}
	if _, _, again := over.Next(); !errors.Is(again, err) {
		t.Errorf("Next() after an error: %v, want the same error", again)
	}
}

func TestOpenRefuses(t *testing.T) {
	folder := t.TempDir()
	if err := os.Mkdir(folder+"/x.csv", 0o700); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		path string
		want error
	}{
		"no such file":    {folder + "/none.csv", os.ErrNotExist},
		"no such Parquet": {folder + "/none.parquet", os.ErrNotExist},
		"unknown ending":  {write(t, "x.xlsx", nil), ErrFormat},
		"no ending":       {write(t, "x", nil), ErrFormat},
		"a directory":     {folder + "/x.csv", ErrFormat},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Open(tc.path); !errors.Is(err, tc.want) || !strings.HasPrefix(err.Error(), "open ") {
				t.Errorf("Open gave %v, want %v", err, tc.want)
			}
		})
	}
}
