package comparison

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sluice/feature"
	"sluice/store/tabular"
)

func read(t *testing.T, path string) *tabular.Contents {
	t.Helper()
	all, err := tabular.ReadValues(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// file writes a file and reads it.
func file(t *testing.T, name, text string) *tabular.Contents {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return read(t, path)
}

// TestReference compares two pairs of files as SciPy and NumPy do: every field that
// testdata/reference.py writes, to 1e-9.
func TestReference(t *testing.T) {
	text, err := os.ReadFile("testdata/reference.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases map[string]map[string]map[string]any
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	for prefix, columns := range cases {
		r := Compare(read(t, "testdata/"+prefix+"baseline.csv"), read(t, "testdata/"+prefix+"current.csv"))
		if len(r.Columns) != len(columns) {
			t.Errorf("%d columns, want %d", len(r.Columns), len(columns))
		}
		for _, c := range r.Columns {
			body, err := json.Marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			var got map[string]any
			if err := json.Unmarshal(body, &got); err != nil {
				t.Fatal(err)
			}
			agree(t, prefix+c.Column, got, columns[c.Column])
		}
	}
}

// agree wants every field of want in got.
func agree(t *testing.T, where string, got any, want any) {
	t.Helper()
	switch want := want.(type) {
	case map[string]any:
		fields, ok := got.(map[string]any)
		if !ok {
			t.Errorf("%s: %v, want an object", where, got)
			return
		}
		for name, w := range want {
			g, there := fields[name]
			if !there {
				t.Errorf("%s has no %s", where, name)
			}
			agree(t, where+" "+name, g, w)
		}
	case float64:
		if g, ok := got.(float64); !ok || !(math.Abs(g-want) <= 1e-9*max(1, math.Abs(want))) {
			t.Errorf("%s: %v, want %v", where, got, want)
		}
	default:
		if got != want {
			t.Errorf("%s: %v, want %v", where, got, want)
		}
	}
}

// TestOddFiles compares what nobody hopes for: an answer each, and no silent zero.
func TestOddFiles(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	for name, tc := range map[string]struct {
		baseline, current string
		want              func(c Column) bool
	}{
		"one row": {"x\n1\n", "x\n2\n", func(c Column) bool {
			return c.KS.Statistic == 1 && c.KS.PValueExact == 1 && !c.KS.PValue.Defined() && !c.Std.Defined()
		}},
		"all null": {"x\n1\n2\n", "x,y\n,1\n,1\n", func(c Column) bool {
			return c.Problem == "nothing but nulls in the current file" && c.NullsCurrent == 2 && c.Severity > 1 && !c.KS.Statistic.Defined()
		}},
		"null on both": {"x,y\n,1\n", "x,y\n,1\n", func(c Column) bool { return c.Problem == "nothing but nulls in the baseline" && c.Severity == 0 }},
		"constant":     {"x\n3\n3\n", "x\n3\n3\n", func(c Column) bool { return c.KS.Statistic == 0 && c.PSI == 0 && c.Entropy >= 0 && c.Severity == 0 }},
		"infinities alone": {"x\ninf\n-inf\ninf\n", "x\ninf\n", func(c Column) bool {
			return c.NBaseline == 3 && !c.Mean.Defined() && c.KS.Statistic > 0.3 && noFinite(c)
		}},
		"infinities before": {"x\n" + strings.Repeat("inf\n-inf\n", 250), "x\n" + strings.Repeat("0.5\n-1\n", 250), func(c Column) bool {
			return noFinite(c) && c.KS.Statistic == 0.5 && c.Severity > 3 && c.Mean == -0.25 && c.Spark() == "" && len(c.Changed) == 0
		}},
		"infinities after": {"x\n1\n2\n", "x\n-inf\n-inf\n", func(c Column) bool { return c.Problem == "" && c.PSI > 1 && c.TVD == 0.5 && c.Entropy == 0 }},
		"subnormal":        {"x\n5e-324\n1e-320\n", "x\n5e-324\n", func(c Column) bool { return c.Mean == 5e-324 && c.KS.Statistic == 0.5 }},
		"1e308":            {"x\n1e308\n1.7e308\n", "x\n1e308\n1.7e308\n-1e308\n", func(c Column) bool { return c.Max == 1.7e308 && c.Quantiles["0.5"] == 1e308 && c.KS.Statistic > 0.3 }},
		"beyond the range": {"x\n1e999\n1\n", "x\n2\n", func(c Column) bool { return c.NBaseline == 2 && c.Before.Max == 1 }},
		"another type": {"x\n1\n2\n", "x\na\n2\n", func(c Column) bool {
			return c.Kind == Categorical && c.Problem == "numbers in the baseline, texts in the current file: compared as categories" && c.UnseenShare == 0.5
		}},
		"no rows": {"x\n", "x\n1\n", func(c Column) bool {
			return c.Problem == "no rows in the baseline" && c.NBaseline == 0 && c.NCurrent == 1 && c.Mean == 1 && !c.PSI.Defined() && !c.Severity.Defined()
		}},
		"a text of 1 MiB":   {"x\n" + long + "\n", "x\nshort\n", func(c Column) bool { return c.UnseenShare == 1 && c.TVD == 1 }},
		"null and the text": {"x\nnull\nnull\n\"\"\n", "x\nnull\n\"\"\n\"\"\n", func(c Column) bool { return c.ChiSquare.DOF == 1 && c.NullsBaseline == 1 && c.NullsCurrent == 2 }},
	} {
		t.Run(name, func(t *testing.T) {
			r := Compare(file(t, "b.csv", tc.baseline), file(t, "c.csv", tc.current))
			if !tc.want(r.Columns[0]) {
				t.Errorf("compared %+v", r.Columns[0])
			}
			if _, err := json.Marshal(r); err != nil {
				t.Error(err)
			}
		})
	}
}

// noFinite reports whether a column says that there are no bins to measure by.
func noFinite(c Column) bool {
	return c.Problem == "no finite number in the baseline" && !c.PSI.Defined() && !c.TVD.Defined() && !c.JS.Defined() && !c.Entropy.Defined()
}

// TestFilesWithoutRows: that a file has no rows is the answer, for every column of the
// other; columns are missing only where a header says so.
func TestFilesWithoutRows(t *testing.T) {
	full := file(t, "full.csv", "x,y\n1,a\n2,b\n")
	header, none := file(t, "header.csv", "y,z\n"), file(t, "none.jsonl", "\n")
	bare := file(t, "bare.jsonl", "{}\n{}\n")
	for name, tc := range map[string]struct {
		baseline, current *tabular.Contents
		problem           string
		columns           []string
		onlyB, onlyC      []string
	}{
		"a header as current":         {full, header, "no rows in the current file", []string{"y"}, []string{"x"}, []string{"z"}},
		"a header as baseline":        {header, full, "no rows in the baseline", []string{"y"}, []string{"z"}, []string{"x"}},
		"JSON lines as current":       {full, none, "no rows in the current file", []string{"x", "y"}, nil, nil},
		"JSON lines as baseline":      {none, full, "no rows in the baseline", []string{"x", "y"}, nil, nil},
		"neither":                     {none, header, "no rows in either file", []string{"y", "z"}, nil, nil},
		"nothing at all":              {none, none, "no rows in either file", nil, nil, nil},
		"rows without a column":       {full, bare, "no column is in both files", nil, []string{"x", "y"}, nil},
		"no rows and bare ones":       {none, bare, "no rows in the baseline", nil, nil, nil},
		"the same file on both sides": {full, full, "", []string{"x", "y"}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := Compare(tc.baseline, tc.current)
			if r.RowsBaseline != tc.baseline.Rows || r.RowsCurrent != tc.current.Rows || r.Problem != tc.problem {
				t.Errorf("%d and %d rows, problem %q; want %d and %d, %q", r.RowsBaseline, r.RowsCurrent, r.Problem, tc.baseline.Rows, tc.current.Rows, tc.problem)
			}
			if err := r.Err(); errors.Is(err, ErrNoColumn) != (len(tc.columns) == 0) || err != nil && !strings.Contains(err.Error(), tc.problem) {
				t.Errorf("error %v of %d columns", err, len(tc.columns))
			}
			var columns []string
			for _, c := range r.Columns {
				columns = append(columns, c.Column)
				if c.Problem != tc.problem || c.Severity.Defined() != (tc.problem == "") {
					t.Errorf("column %s: problem %q, severity %v; want %q", c.Column, c.Problem, c.Severity, tc.problem)
				}
			}
			if !slices.Equal(columns, tc.columns) || !slices.Equal(r.OnlyBaseline, tc.onlyB) || !slices.Equal(r.OnlyCurrent, tc.onlyC) {
				t.Errorf("columns %q, only in the baseline %q, only in the current file %q; want %q, %q, %q", columns, r.OnlyBaseline, r.OnlyCurrent, tc.columns, tc.onlyB, tc.onlyC)
			}
		})
	}
	if d := Describe(header); d.Rows != 0 || d.Problem != "no rows" || len(d.Columns) != 2 || d.Columns[1].Column != "z" {
		t.Errorf("a header alone is described as %+v", d)
	}
	if d := Describe(none); d.Problem != "no rows" || len(d.Columns) != 0 {
		t.Errorf("JSON lines without rows are described as %+v", d)
	}
	if d := Describe(bare); d.Rows != 2 || d.Problem != "" {
		t.Errorf("two rows without a column are described as %+v", d)
	}
}

// TestManyCategories compares two thousand of them, of which the answer names few.
func TestManyCategories(t *testing.T) {
	var b, c strings.Builder
	b.WriteString("x\n")
	c.WriteString("x\n")
	for i := range 20_000 {
		b.WriteString(strings.Repeat("k", 1+i%2000) + "\n")
		c.WriteString(strings.Repeat("k", 1+i*7%2000) + "\n")
	}
	got := Compare(file(t, "b.csv", b.String()), file(t, "c.csv", c.String())).Columns[0]
	if got.ChiSquare.DOF != 1999 || got.Severity >= 1 || len(got.Changed) != mostChanged {
		t.Errorf("chi-square %+v, severity %v, %d named", got.ChiSquare, got.Severity, len(got.Changed))
	}
}

// TestJSONLines reads what pandas and Python write: numbers, nulls, nested values, and
// columns that come and go.
func TestJSONLines(t *testing.T) {
	all := file(t, "x.jsonl", `{"a":1,"b":"2026-01-02T03:04:05Z","c":[1,2],"d":true}`+"\n"+
		`{"a":2.5,"b":null,"c":{"k":1},"e":"NaN"}`+"\n"+`{"a":null,"b":"2026-01-02T03:04:06.5Z","event_id":"7"}`+"\n").Columns
	if len(all) != 6 {
		t.Fatalf("%d columns", len(all))
	}
	a, b, c, d, e := all[0], all[1], all[2], all[3], all[4]
	switch {
	case !a.Numeric() || a.Nulls != 1 || len(a.Numbers) != 2:
		t.Errorf("a: %+v", a)
	case !b.Times || b.Nulls != 1 || b.Numbers[1]-b.Numbers[0] != 1.5:
		t.Errorf("b: %+v", b)
	case c.Type != feature.JSON || len(c.Documents) != 2 || c.Documents[`{"k":1}`] != 1 || c.Nulls != 1:
		t.Errorf("c: %+v", c)
	case d.Counts["true"] != 1 || d.Nulls != 2:
		t.Errorf("d: %+v", d)
	case !e.Empty() || e.Nulls != 3:
		t.Errorf("e: %+v", e)
	}
	for name, text := range map[string]string{"array": "[1]\n", "no JSON": "{\"a\":\n", "twice": `{"a":1,"a":2}` + "\n", "two": "{} {}\n"} {
		path := filepath.Join(t.TempDir(), "x.jsonl")
		if err := os.WriteFile(path, []byte(`{"a":1}`+"\n"+text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := tabular.ReadValues(t.Context(), path, nil); err == nil || !strings.Contains(err.Error(), "row 2") {
			t.Errorf("%s: %v, want an error that names row 2", name, err)
		}
	}
}
