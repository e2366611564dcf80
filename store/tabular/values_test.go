package tabular

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"sluice/feature"
)

// TestColumnsWithoutRows: a file without rows has the columns that its header or schema
// names.
func TestColumnsWithoutRows(t *testing.T) {
	var parquet bytes.Buffer
	w := NewWriter(&parquet, []Column{{"b", feature.Int64}, {EventID, feature.String}, {"a", feature.ListOf(feature.String)}})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		data []byte
		want []string
	}{
		"rows.parquet": {parquet.Bytes(), []string{"b", EventID, "a"}},
		"rows.csv":     {[]byte("b,event_id,\"a \"\"q\"\"\"\n"), []string{"b", EventID, `a "q"`}},
		"rows.jsonl":   {[]byte("\n\n"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, name, tc.data)
			file, err := ReadValues(t.Context(), path, nil)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, v := range file.Columns {
				names = append(names, v.Name)
				if v.Rows != 0 || v.Nulls != 0 || !v.Empty() {
					t.Errorf("column %+v, want an empty one", v)
				}
			}
			if file.Rows != 0 || !slices.Equal(names, tc.want) {
				t.Errorf("%d rows, columns %q, want none of %q", file.Rows, names, tc.want)
			}
			kinds, err := ReadKinds(t.Context(), path)
			if err != nil || len(kinds) != len(tc.want) {
				t.Errorf("ReadKinds = %+v, %v, want %d", kinds, err, len(tc.want))
			}
		})
	}
	var wide strings.Builder
	for i := range maxColumns + 1 {
		fmt.Fprintf(&wide, "c%d,", i)
	}
	if _, err := ReadValues(t.Context(), write(t, "wide.csv", []byte(wide.String()+"z\n")), nil); !errors.Is(err, ErrLimit) {
		t.Errorf("a header of %d columns: %v, want ErrLimit", maxColumns+2, err)
	}
}

// TestNegativeZeroAmongTexts: -0 and 0 are one value, also where a column of texts has numbers.
func TestNegativeZeroAmongTexts(t *testing.T) {
	all, err := ReadValues(t.Context(), write(t, "a.jsonl", []byte(`{"a":-0}`+"\n"+`{"a":0}`+"\n"+`{"a":-0.0}`+"\n"+`{"a":"x"}`+"\n")), nil)
	if err != nil || len(all.Columns) != 1 || all.Columns[0].Counts["0"] != 3 || len(all.Columns[0].Counts) != 2 {
		t.Errorf("ReadValues = %+v, %v, want three 0 and an x", all, err)
	}
}
