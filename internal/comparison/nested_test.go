package comparison

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/feature"
	"sluice/store/tabular"
)

// TestMain serves the children that read Parquet.
func TestMain(m *testing.M) {
	if tabular.ServeChild() {
		return
	}
	os.Exit(m.Run())
}

// rowsOfLists returns a file of JSON lines with a list of each length in turn, of numbers
// that begin with one.
func rowsOfLists(t *testing.T, from float64, lengths ...int) *tabular.Contents {
	t.Helper()
	var text strings.Builder
	for i := range 300 {
		text.WriteString(`{"x":[`)
		for k := range lengths[i%len(lengths)] {
			fmt.Fprintf(&text, "%s%v", strings.Repeat(",", min(k, 1)), from+float64((i*7+k*3)%11))
		}
		text.WriteString("]}\n")
	}
	return file(t, "lists.jsonl", text.String())
}

// TestLists: a list is judged by its length and by its elements, each as numbers of their
// own would be.
func TestLists(t *testing.T) {
	base := rowsOfLists(t, 0, 1, 2, 3, 4)
	for name, tc := range map[string]struct {
		current          *tabular.Contents
		lengths, element bool // that shift
	}{
		"the same":       {rowsOfLists(t, 0, 1, 2, 3, 4), false, false},
		"longer":         {rowsOfLists(t, 0, 4, 4, 3, 3), true, false},
		"other elements": {rowsOfLists(t, 5, 1, 2, 3, 4), false, true},
	} {
		t.Run(name, func(t *testing.T) {
			c := Compare(base, tc.current).Columns[0]
			if c.Kind != Numeric || c.Type != "list<float64>" || len(c.Parts) != 1 || c.Parts[0].Part != "elements" || c.NBaseline != 300 {
				t.Fatalf("compared as %+v", c)
			}
			e := c.Parts[0]
			if lengths := c.KS.Statistic >= 0.1; lengths != tc.lengths || (e.Severity >= 1) != tc.element || (c.Severity >= 1) != (tc.lengths || tc.element) {
				t.Errorf("severity %v, lengths KS %v, elements %v", c.Severity, c.KS.Statistic, e.Severity)
			}
		})
	}
	d := Describe(base).Columns[0]
	if d.Type != "list<float64>" || d.Mean != 2.5 || d.Min != 1 || d.Max != 4 || len(d.Parts) != 1 || d.Parts[0].N != 750 || d.Parts[0].Max != 10 || d.Parts[0].Part != "elements" {
		t.Errorf("described as %+v", d)
	}
}

// TestListsOfParquet: a LIST column of Parquet is what an array of JSON is, null elements
// and lists without any among them.
func TestListsOfParquet(t *testing.T) {
	var out bytes.Buffer
	w := tabular.NewWriter(&out, []tabular.Column{{Name: "x", Type: feature.ListOf(feature.String)}})
	for i := range 60 {
		list := make([]feature.Value, i%3)
		for k := range list {
			list[k] = feature.StringValue(fmt.Sprint("v", k))
		}
		if err := w.Write([]tabular.Cell{{Value: feature.ListValue(feature.String, list)}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Write([]tabular.Cell{{}}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "x.parquet")
	if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	all, err := tabular.ReadValues(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	d := Describe(all).Columns[0]
	e := d.Parts[0]
	if d.Type != "list<string>" || d.N != 60 || d.Nulls != 1 || d.Mean != 1 || e.Kind != Categorical || e.N != 60 || e.Distinct != 2 || e.Top[0].Value != "v0" || e.Top[0].N != 40 {
		t.Errorf("described as %+v", d)
	}
}

// TestObjects: json is judged by which paths are there.
func TestObjects(t *testing.T) {
	rows := func(missing int) *tabular.Contents {
		var text strings.Builder
		for i := range 400 {
			if i < missing {
				text.WriteString(`{"x":{"a":1,"b":null,"more":"4111111111111111"}}` + "\n")
			} else {
				fmt.Fprintf(&text, `{"x":{"a":%d,"b":[{"c":true},{}]}}`+"\n", i)
			}
		}
		return file(t, "x.jsonl", text.String())
	}
	c := Compare(rows(0), rows(40)).Columns[0]
	shares := map[string]Number{}
	for _, p := range c.Parts {
		shares[p.Part] = p.TVD
		if p.Severity >= 1 != (p.Part != "$.a") || p.NCurrent != 400 {
			t.Errorf("path %s: severity %v of %d", p.Part, p.Severity, p.NCurrent)
		}
	}
	if c.Type != "json" || c.Kind != Categorical || c.TVD != 0 || c.Severity < 1.9 || len(shares) != 5 || shares["$.a"] != 0 || math.Abs(float64(shares["$.b[].c"])-.1) > 1e-12 || math.Abs(float64(shares["$.more"])-.1) > 1e-12 {
		t.Errorf("%s, severity %v, paths %v", c.Type, c.Severity, shares)
	}
	if d := Describe(rows(40)).Columns[0]; d.Type != "json" || d.N != 400 || d.Cards != 40 || len(d.Parts) != 5 || d.Parts[0].Part != "$.a" || d.Parts[4].N != 40 || d.Parts[4].Nulls != 360 {
		t.Errorf("described as %+v", d)
	}
}

// TestOtherTypes: what is nested on one side alone is told, and is a shift.
func TestOtherTypes(t *testing.T) {
	of := func(value string) *tabular.Contents {
		return file(t, "x.jsonl", strings.Repeat(`{"x":`+value+`}`+"\n", 100))
	}
	for name, tc := range map[string]struct {
		b, c, problem string
		severity      Number
	}{
		"lists and numbers":             {`[1]`, `1`, "lists in the baseline, numbers in the current file", 10},
		"texts and objects":             {`"a"`, `{"a":1}`, "texts in the baseline, objects in the current file", 10},
		"lists and objects":             {`[1]`, `[1,"a"]`, "lists in the baseline, objects in the current file", 10},
		"times and lists":               {`"2026-01-01T00:00:00Z"`, `[1]`, "timestamps in the baseline, lists", 10},
		"lists and nulls":               {`[1]`, `null`, "nothing but nulls in the current file", 20},
		"nulls and objects":             {`null`, `{}`, "nothing but nulls in the baseline", 20},
		"lists of numbers and of texts": {`[1]`, `["a"]`, "", 10},
		"empty lists":                   {`[]`, `[]`, "", 0},
		"empty objects":                 {`{}`, `{}`, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			c := Compare(of(tc.b), of(tc.c)).Columns[0]
			if !strings.HasPrefix(c.Problem, tc.problem) || tc.problem == "" && c.Problem != "" || c.Severity != tc.severity {
				t.Errorf("problem %q, severity %v; want %q, %v", c.Problem, c.Severity, tc.problem, tc.severity)
			}
		})
	}
}
