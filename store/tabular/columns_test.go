package tabular

import (
	"bytes"
	"errors"
	"math"
	"os"
	"reflect"
	"testing"
	"time"
)

func TestColumns(t *testing.T) {
	data, err := os.ReadFile("testdata/types.parquet")
	if err != nil {
		t.Fatal(err)
	}
	table, err := Columns(data, "small", "double", "text", "at", "local")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := table.Strings("text"), []string{"a \"quoted\" é\n", "", ""}; !reflect.DeepEqual(got, want) {
		t.Errorf("Strings = %q, want %q", got, want)
	}
	if got := table.Floats("small"); len(got) != 3 || got[0] != -7 || !math.IsNaN(got[1]) || got[2] != 0 {
		t.Errorf("Floats of integers = %v, want -7, NaN, 0", got)
	}
	if got := table.Floats("double"); len(got) != 3 || got[0] != 0.1 || !math.IsNaN(got[1]) || !math.IsNaN(got[2]) {
		t.Errorf("Floats = %v, want 0.1, NaN, NaN", got)
	}
	at := []time.Time{time.Date(2013, 1, 2, 3, 4, 5, 678e6, time.UTC), {}, time.Date(1969, 12, 31, 23, 59, 59, 999e6, time.UTC)}
	if got := table.Times("at"); !reflect.DeepEqual(got, at) {
		t.Errorf("Times = %v, want %v", got, at)
	}
	if table.Rows() != 3 || table.Strings("none") != nil || table.Floats("text") != nil || table.Times("small") != nil {
		t.Error("a column that is not there, or of another kind, is not nil")
	}
}

func TestColumnsRefuse(t *testing.T) {
	good := orders(t, 250)
	for name, tc := range map[string]struct {
		data   []byte
		column string
		want   error
	}{
		"no such column": {good, "none", ErrFormat},
		"a list":         {good, "parts", ErrFormat},
		"a group":        {good, "named", ErrFormat},
		"truncated":      {good[:len(good)/2], "id", ErrCorrupt},
		"no file":        {nil, "id", ErrCorrupt},
		"damaged page":   {damaged(good), "id", ErrCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Columns(tc.data, tc.column); !errors.Is(err, tc.want) {
				t.Errorf("Columns(%q) gave %v, want %v", tc.column, err, tc.want)
			}
		})
	}
}

// damaged changes the first bytes of the first page.
func damaged(data []byte) []byte {
	data = bytes.Clone(data)
	copy(data[4:], bytes.Repeat([]byte{0xff}, 40))
	return data
}
