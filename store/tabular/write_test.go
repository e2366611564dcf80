package tabular

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/feature"
)

// TestWriter writes values of every kind, in groups of rows, and reads them again.
func TestWriter(t *testing.T) {
	var out bytes.Buffer
	w := NewWriter(&out, []Column{{"z", feature.Int64}, {"a", feature.ListOf(feature.String)}, {"at", feature.Timestamp}, {"doc", feature.JSON}, {"f", feature.Float64}})
	rows := [][]Cell{
		{{Value: feature.Int64Value(math.MinInt64)}, {Value: feature.ListValue(feature.String, []feature.Value{feature.StringValue("x"), feature.StringValue("")})}, {Time: time.UnixMicro(1_500_000)}, {JSON: []byte(`{"k":[1]}`)}, {Value: feature.Float64Value(math.Inf(1))}},
		{{}, {}, {}, {}, {}},
		{{Value: feature.Int64Value(0)}, {Value: feature.ListValue(feature.String, nil)}, {Value: feature.TimestampValue(time.Time{})}, {JSON: []byte(`null`)}, {Value: feature.Float64Value(-0.5)}},
	}
	const times = groupRows/3 + 5
	for range times {
		for _, row := range rows {
			if err := w.Write(row); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, tc := range map[string]struct {
		row  []Cell
		want string
	}{
		"too few":     {make([]Cell, 4), "4 cells for 5 columns"},
		"of another":  {[]Cell{{Value: feature.Int32Value(1)}, {}, {}, {}, {}}, "column z: a value of type int32 where int64 is wanted"},
		"a document":  {[]Cell{{}, {}, {}, {Value: feature.StringValue("x")}, {}}, "column doc: a value of type string"},
		"of far away": {[]Cell{{}, {}, {Value: feature.UnixSecondsValue(math.MaxInt64)}, {}, {}}, "column at: a time that 64 bits"},
	} {
		if err := w.Write(tc.row); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: Write = %v, want %s", name, err, tc.want)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "rows.parquet")
	if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	in, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	want := []string{
		`{"z":-9223372036854775808,"a":["x",""],"at":"1970-01-01T00:00:01.5Z","doc":{"k":[1]},"f":"Infinity"}`,
		`{"z":null,"a":null,"at":null,"doc":null,"f":null}`,
		`{"z":0,"a":[],"at":"0001-01-01T00:00:00Z","doc":null,"f":-0.5}`,
	}
	for i := range 3 * times {
		if line, _, err := in.Next(); err != nil || string(line) != want[i%3] {
			t.Fatalf("row %d is %s, %v, want %s", i, line, err, want[i%3])
		}
	}
}
