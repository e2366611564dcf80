package tabular

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/parquet-go/parquet-go"

	"sluice/feature"
)

// TestMain serves the children that the tests start.
func TestMain(m *testing.M) {
	if os.Getenv(lowEnv) != "" {
		if err := limitMemory(childMemory * 3 / 4); err != nil {
			panic(err)
		}
	}
	if ServeChild() {
		return
	}
	if os.Getenv(hogEnv) != "" {
		hog()
		return
	}
	os.Exit(m.Run())
}

// readAll reads every row; the error is nil at a proper end.
func readAll(r Reader) (lines, ids []string, err error) {
	for {
		line, id, err := r.Next()
		if errors.Is(err, io.EOF) {
			return lines, ids, nil
		}
		if err != nil {
			return lines, ids, err
		}
		lines, ids = append(lines, string(line)), append(ids, id)
	}
}

// readFile reads the file at path through Open.
func readFile(path string, types map[string]feature.Type) (lines, ids []string, err error) {
	r, err := OpenTyped(path, types)
	if err != nil {
		return nil, nil, err
	}
	lines, ids, err = readAll(r)
	return lines, ids, errors.Join(err, r.Close())
}

// TestParquetTypes reads what testdata/make.py wrote with pyarrow.
func TestParquetTypes(t *testing.T) {
	want := []string{
		`{"flag":true,"small":-7,"big":9223372036854775807,"natural":18446744073709551615,"half":"ADg=","single":0.1,"double":0.1,` +
			`"text":"a \"quoted\" é\n","blob":"AP8=","day":"2013-01-02T00:00:00Z","clock":"03:04:05.678","at":"2013-01-02T03:04:05.678Z",` +
			`"local":"2013-01-02T03:04:05.678Z","price":-0.042,"words":["a",null,""],"grid":[[1,2],[],null,[3]],` +
			`"point":{"x":1.5,"tags":["t"]},"counts":{"one":1,"none":null},"ids":{"7":"seven"},` +
			`"points":[{"x":1,"y":2},null,{"x":null,"y":4}]}`,
		`{"flag":null,"small":null,"big":null,"natural":null,"half":null,"single":null,"double":null,"text":null,"blob":null,"day":null,` +
			`"clock":null,"at":null,"local":null,"price":null,"words":null,"grid":null,"point":null,"counts":null,"ids":null,"points":null}`,
		`{"flag":false,"small":0,"big":-9223372036854775808,"natural":0,"half":"APw=","single":"Infinity","double":"NaN",` +
			`"text":"","blob":"","day":"1969-12-31T00:00:00Z","clock":"23:59:59.999999","at":"1969-12-31T23:59:59.999Z",` +
			`"local":"1970-01-01T00:00:00Z","price":123456789.000,"words":[],"grid":[],"point":{"x":null,"tags":[]},"counts":{},"ids":{},"points":[]}`,
	}
	r, err := Open("testdata/types.parquet")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if n, known := r.Rows(); n != 3 || !known {
		t.Errorf("Rows() = %d, %t, want 3, true", n, known)
	}
	lines, ids, err := readAll(r)
	if err != nil || !slices.Equal(ids, []string{"a-1", "", ""}) {
		t.Fatalf("event ids %q, %v", ids, err)
	}
	for i := range want {
		if i >= len(lines) || lines[i] != want[i] {
			t.Errorf("row %d is\n%s\nwant\n%s", i, lines[i], want[i])
		}
	}
	if _, _, err := r.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("Next() after the end: %v, want io.EOF", err)
	}
}

// order is a row as Go programs write it: lists and maps without annotation.
type order struct {
	ID    int64            `parquet:"id"`
	Text  []byte           `parquet:"text"`
	Parts []int32          `parquet:"parts"`
	Kinds []string         `parquet:"kinds,list"`
	Named map[string]int64 `parquet:"named"`
	Price *float64         `parquet:"price,optional"`
	Extra string           `parquet:"extra,json"`
}

// orders returns n rows as a Parquet file of several row groups.
func orders(tb testing.TB, n int, options ...parquet.WriterOption) []byte {
	tb.Helper()
	var out bytes.Buffer
	w := parquet.NewGenericWriter[order](&out, options...)
	for i := range n {
		price := float64(i) / 4
		row := order{ID: int64(i), Text: fmt.Appendf(nil, "%03d", i), Price: &price, Extra: `{"a": [1,` + "\n" + `2]}`}
		if i%3 == 0 {
			row.Parts, row.Kinds, row.Named = []int32{1, int32(i)}, []string{"x", "y"}, map[string]int64{"k": int64(i)}
			row.Price, row.Extra = nil, "{"
		}
		if _, err := w.Write([]order{row}); err != nil {
			tb.Fatal(err)
		}
		if i%100 == 99 {
			if err := w.Flush(); err != nil {
				tb.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

// write puts data into a file of the test.
func write(tb testing.TB, name string, data []byte) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

// TestParquetGroupsWithoutRows: pyarrow writes a table without rows as a row group without
// rows, and may write such a group between others; the file is not corrupt.
func TestParquetGroupsWithoutRows(t *testing.T) {
	for name, want := range map[string][]string{
		"empty.parquet": nil,
		"gaps.parquet":  {`{"n":1,"text":"a"}`, `{"n":2,"text":"b"}`, `{"n":3,"text":null}`},
	} {
		path := filepath.Join("testdata", name)
		lines, _, err := readFile(path, nil)
		if err != nil || !slices.Equal(lines, want) {
			t.Errorf("%s: rows %q, %v; want %q", name, lines, err, want)
		}
		kinds, err := ReadKinds(t.Context(), path)
		if err != nil || len(kinds) != 2 {
			t.Errorf("%s: columns %+v, %v; want two", name, kinds, err)
		}
	}
}

func TestParquetOfParquetGo(t *testing.T) {
	path := write(t, "orders.parquet", orders(t, 250))
	lines, ids, err := readFile(path, map[string]feature.Type{"text": feature.String})
	if err != nil || len(lines) != 250 || len(ids) != 250 {
		t.Fatalf("%d lines, %d ids, %v; want 250", len(lines), len(ids), err)
	}
	for i, want := range map[int]string{
		0: `{"id":0,"text":"000","parts":[1,0],"kinds":["x","y"],"named":{"k":0},"price":null,"extra":"{"}`,
		7: `{"id":7,"text":"007","parts":[],"kinds":[],"named":{},"price":1.75,"extra":{"a": [1, 2]}}`,
	} {
		if lines[i] != want {
			t.Errorf("row %d is\n%s\nwant\n%s", i, lines[i], want)
		}
	}
	if untyped, _, err := readFile(path, nil); err != nil || untyped[0][:21] != `{"id":0,"text":"MDAw"` {
		t.Errorf("bytes that nothing declares a string: %.21s, %v, want base64", untyped[0], err)
	}
}

func TestParquetCloseInTheMidst(t *testing.T) {
	r, err := Open(write(t, "orders.parquet", orders(t, 20_000)))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func TestParquetEventID(t *testing.T) {
	type row struct {
		ID string `parquet:"event_id"`
		N  int64  `parquet:"n"`
	}
	var out bytes.Buffer
	w := parquet.NewGenericWriter[row](&out)
	if _, err := w.Write([]row{{"a\\\"b", 1}, {"", 2}, {"\xff", 3}}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	lines, ids, err := readFile(write(t, "ids.parquet", out.Bytes()), nil)
	if want := []string{"a\\\"b", "", "\xff"}; err != nil || !slices.Equal(ids, want) || lines[2] != `{"n":3}` {
		t.Errorf("event ids %q of %q, %v, want %q", ids, lines, err, want)
	}
}
