package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/internal/comparison"
	"sluice/internal/definition"
	"sluice/internal/replay"
)

// TestCompareAndProfile runs both commands on files, and on what is none.
func TestCompareAndProfile(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	var before, now strings.Builder
	before.WriteString("amount,country,at\n")
	for i := range 500 {
		before.WriteString(strings.ReplaceAll("#.5,NL,2026-01-01T00:00:00Z\n", "#", string(rune('1'+i%9))))
		now.WriteString(strings.ReplaceAll(`{"amount":#00,"country":"DE","at":"2026-02-01T00:00:00Z","more":1}`+"\n", "#", string(rune('1'+i%9))))
	}
	a, b := write("before.csv", before.String()), write("now.jsonl", now.String())
	for name, tc := range map[string]struct {
		args []string
		code int
		want []string
	}{
		"compare": {[]string{"compare", a, b}, 0, []string{"before.csv: 500 rows; now.jsonl: 500 rows", "LARGE 10.0", "KS 1", "median 5.5 → 500",
			"NL 100 % → 0, DE 0 → 100 %", "2026-01-01T00:00:00Z to 2026-01-01T00:00:00Z → 2026-02-01T00:00:00Z", "only in the current file: more"}},
		"profile":                {[]string{"profile", b}, 0, []string{"now.jsonl: 500 rows", "100 to 900, median 500", "DE 100 %", "2026-02-01T00:00:00Z"}},
		"no file":                {[]string{"compare", a, filepath.Join(dir, "none.csv")}, 1, []string{"none.csv: no such file"}},
		"another kind":           {[]string{"profile", write("x.xlsx", "")}, 1, []string{"want .jsonl, .ndjson, .csv or .parquet"}},
		"no Parquet":             {[]string{"profile", write("x.parquet", "no Parquet at all, just text")}, 1, []string{"x.parquet", "corrupt file"}},
		"empty":                  {[]string{"profile", write("x.csv", "")}, 0, []string{"x.csv: no rows"}},
		"empty as JSON":          {[]string{"profile", write("x.csv", ""), "--format", "json"}, 0, []string{`{"rows":0,"problem":"no rows","columns":[]}`}},
		"empty, suggested":       {[]string{"profile", write("x.csv", ""), "--suggest"}, 1, []string{"x.csv: no rows: nothing to suggest a view from"}},
		"empty Parquet":          {[]string{"profile", "../../store/tabular/testdata/empty.parquet"}, 0, []string{"empty.parquet: no rows"}},
		"empty compared":         {[]string{"compare", write("x.csv", ""), a}, 0, []string{"x.csv: no rows; before.csv: 500 rows", "no rows in the baseline"}},
		"empty both":             {[]string{"compare", write("x.csv", ""), write("none.jsonl", "")}, 1, []string{"no rows in either file: no column is in both files"}},
		"header alone":           {[]string{"profile", write("y.csv", "a,b\n")}, 0, []string{"no rows"}},
		"header alone described": {[]string{"profile", write("y.csv", "a,b\n")}, 0, []string{"y.csv: no rows", "\na ", "\nb "}},
		"nothing in both":        {[]string{"compare", a, write("others.csv", "price\n1\n")}, 1, []string{"compare others.csv with before.csv: no column is in both files", "only in the current file: price"}},
		"nothing in both, JSON":  {[]string{"compare", a, write("others.csv", "price\n1\n"), "--format", "json"}, 1, []string{`"problem":"no column is in both files","columns":[]`, "compare others.csv"}},
		"header alone compared":  {[]string{"compare", a, write("head.csv", "amount,at\n")}, 0, []string{"before.csv: 500 rows; head.csv: no rows", "not compared", "no rows in the current file", "only in the baseline: country"}},
		"no lines compared":      {[]string{"compare", write("none.jsonl", ""), a, "--format", "json"}, 0, []string{`{"rows_baseline":0,"rows_current":500,"problem":"no rows in the baseline","columns":[{"column":"amount"`, `"only_baseline":[],"only_current":[]`}},
		"no lines described":     {[]string{"profile", write("none.jsonl", ""), "--format", "json"}, 0, []string{`{"rows":0,"problem":"no rows","columns":[]}`}},
		"one file only":          {[]string{"compare", a}, 2, []string{`expected "<current>"`}},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if code := execute(t.Context(), tc.args, &out, &out); code != tc.code {
				t.Errorf("exit %d, want %d", code, tc.code)
			}
			for _, part := range tc.want {
				if !strings.Contains(out.String(), part) {
					t.Errorf("no %q in:\n%s", part, out.String())
				}
			}
		})
	}
	var out, progress bytes.Buffer
	var r comparison.Result
	if code := execute(t.Context(), []string{"compare", a, b, "--format", "json"}, &out, &progress); code != 0 {
		t.Fatalf("exit %d: %s", code, progress.String())
	}
	if err := json.Unmarshal(out.Bytes(), &r); err != nil || len(r.Columns) != 3 || r.Columns[0].KS.Statistic != 1 {
		t.Errorf("as JSON (%v): %+v", err, r)
	}
}

// TestNestedColumns shows lists by their lengths and elements, and objects by their paths.
func TestNestedColumns(t *testing.T) {
	dir := t.TempDir()
	var b, c strings.Builder
	for i := range 400 {
		fmt.Fprintf(&b, `{"items":[%d.5,2],"doc":{"a":1,"b":[{"c":%d}]}}`+"\n", i%7, i)
		fmt.Fprintf(&c, `{"items":[%d.5,2,9],"doc":{"a":1}}`+"\n", i%7)
	}
	before, now := filepath.Join(dir, "b.jsonl"), filepath.Join(dir, "c.jsonl")
	for path, text := range map[string]string{before: b.String(), now: c.String()} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, tc := range map[string]struct{ args, want []string }{
		"profile": {[]string{"profile", before}, []string{"items            list<float64>", "lengths 2 to 2, median 2", "items, elements  numeric", "0.5 to 6.5, median 2", "doc              json", "doc, $.b[].c     path", "in 100 % of values"}},
		"compare": {[]string{"compare", before, now}, []string{"median length 2 → 3, sd 0 → 0", "items, elements", "doc, $.b[].c", "in 100 % → 0 of values", "its paths"}},
		"suggest": {[]string{"profile", before, "--suggest"}, []string{"{name: items, type: list<float64>", "{name: doc, type: json"}},
		"JSON":    {[]string{"compare", before, now, "--format", "json"}, []string{`"column":"items","kind":"numeric"`, `"type":"list<float64>","parts":[{"column":"items","kind":"numeric","n_baseline":800,"n_current":1200`, `"part":"$.b[].c"`}},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if code := execute(t.Context(), tc.args, &out, &out); code != 0 {
				t.Fatalf("exit %d: %s", code, out.String())
			}
			for _, part := range tc.want {
				if !strings.Contains(out.String(), part) {
					t.Errorf("no %q in:\n%s", part, out.String())
				}
			}
		})
	}
}

// TestReplay judges a folder through the command, in all its forms.
func TestReplay(t *testing.T) {
	dir := t.TempDir()
	for n := range 15 {
		var text strings.Builder
		text.WriteString("x\n")
		for i := range 200 {
			value := (i*7919 + n*104729) % 1009
			if n == 12 {
				value *= 100
			}
			fmt.Fprintln(&text, value)
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("w%02d.csv", n)), []byte(text.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(want int, more ...string) string {
		t.Helper()
		var out, said bytes.Buffer
		if code := execute(t.Context(), append([]string{"replay", dir, "--baseline-windows", "10"}, more...), &out, &said); code != want {
			t.Fatalf("exit %d, want %d: %s", code, want, said.String())
		}
		return out.String() + said.String()
	}
	for _, part := range []string{"15 files: 10 of history with 2,000 rows, 5 to judge; 1 features", "··█··", "w12.csv  200   BLOCKED  x: ", "5 windows judged: 4 pass (·), 0 warn (!), 1 would have been blocked (█)", "kept 200 of 1,000 rows from readers", "  w10.csv to w14.csv", "without a new version: 1 window, from w12.csv."} {
		if text := run(0); !strings.Contains(text, part) {
			t.Errorf("no %q in:\n%s", part, text)
		}
	}
	lines := strings.Split(strings.TrimSpace(run(0, "--format", "jsonl")), "\n")
	var l replay.Line
	if err := json.Unmarshal([]byte(lines[2]), &l); err != nil || len(lines) != 5 || l.Window != "w12.csv" || l.Feature != "x" || l.State != "fail" || l.Severity <= 1 {
		t.Errorf("%d lines, the third %s", len(lines), lines[2])
	}
	if text := run(0, "--format=json"); !strings.HasPrefix(text, `{"items":[{"window":"w10.csv","feature":"x","state":"pass"`) {
		t.Errorf("as JSON: %.200s", text)
	}
	for name, text := range map[string]string{"w15.csv": "x\n", "w16.csv": "", "w17.csv": "x\n1\n2\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, part := range []string{"··█··???", "1 would have been blocked (█); 3 could not be judged (?).", "5 windows judged", "1 of 5 features in windows alarm; by chance about 0.0 would",
		"w15.csv  0     held     no rows", "w16.csv  0     held     no rows", "too few rows to judge: 2"} {
		if text := run(0); !strings.Contains(text, part) {
			t.Errorf("no %q in:\n%s", part, text)
		}
	}
	run(2, "--alpha", "7")
	run(1, "--baseline-windows", "18")
}

// TestReplayOfTimes: the output says which column places windows in time, which windows it
// does not place, and why timestamps are left out.
func TestReplayOfTimes(t *testing.T) {
	dir := t.TempDir()
	for n := range 12 {
		var text strings.Builder
		for i := range 60 {
			event := time.Date(2026, 3, 2+n, i%24, n, i, 0, time.UTC)
			name := "event_time"
			if n == 11 {
				name = "more"
			}
			fmt.Fprintf(&text, `{"%s":"%s","ordered":"%s"}`+"\n", name, event.Format(time.RFC3339), event.Add(-time.Duration(i%7)*time.Hour).Format(time.RFC3339))
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("w%02d.jsonl", n)), []byte(text.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, tc := range map[string]struct {
		args []string
		code int
		want []string
	}{
		"table":    {nil, 0, []string{"left out: event_time\nwindows of 24h by event_time, from whose start", "By event_time the rows of w11.jsonl are of no time that follows"}},
		"JSON":     {[]string{"--format", "json"}, 0, []string{`"feature":"ordered"`, "By event_time the rows of w11.jsonl"}},
		"named":    {[]string{"--time", "ordered"}, 0, []string{"windows of 24h by ordered"}},
		"no times": {[]string{"--time", "more"}, 2, []string{"usage: --time more", "no column of timestamps in the first 9 files"}},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if code := execute(t.Context(), append([]string{"replay", dir, "--baseline-windows", "9"}, tc.args...), &out, &out); code != tc.code {
				t.Errorf("exit %d, want %d", code, tc.code)
			}
			for _, part := range tc.want {
				if !strings.Contains(out.String(), part) {
					t.Errorf("no %q in:\n%s", part, out.String())
				}
			}
		})
	}
}

// TestSuggest suggests a view from a file; the definition is a valid one, and says what
// the file shows.
func TestSuggest(t *testing.T) {
	dir := t.TempDir()
	var text strings.Builder
	text.WriteString("id,amount,score,country,paid,at,note,gone,a b\n")
	for i := range 400 {
		fmt.Fprintf(&text, "k%d,%d.5,0.%d,%s,%v,2026-01-01T00:00:00Z,n%d,,x\n", i, i-20, i%97, []string{"NL", "DE", ""}[i%3], i%2 == 0, i%150)
	}
	file := filepath.Join(dir, "payments.csv")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if code := execute(t.Context(), []string{"profile", file, "--suggest"}, &out, &out); code != 0 {
		t.Fatalf("exit %d: %s", code, out.String())
	}
	for _, line := range []string{
		"  - name: payments\n",
		"  - {name: id, type: string}  # the join key, if that is what rows are looked up by: 400 values in 400 rows\n",
		"    source: {event_time: \"at\"}",
		"      # id: the join key\n",
		"      # at: the event time\n",
		"      - {name: amount, type: float64, expect: {nulls: 0.01}}  # -20.5 to 379.5",
		"      - {name: score, type: float64, expect: {min: 0, max: 1, nulls: 0.01}}",
		`      - {name: country, type: string, expect: {in: ["NL", "DE"], nulls: 0.67}}`,
		"      - {name: paid, type: bool, expect: {nulls: 0.01}}",
		"      - {name: note, type: string, expect: {length: {max: 8}, nulls: 0.01}}\n",
		"      # - {name: gone, type: float64}  # nothing but nulls",
		`      # - {name: "a b", type: string, expect: {in: ["x"], nulls: 0.01}}`,
	} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("no %q in:\n%s", line, out.String())
		}
	}
	if _, err := definition.Parse([]definition.File{{Name: "payments.yaml", Text: out.String()}}); err != nil {
		t.Errorf("the definition is refused: %v\n%s", err, out.String())
	}
}

// TestTablesOfBrokenText: bytes that are no UTF-8 are shown as escapes, and what comes
// after them stays in its column.
func TestTablesOfBrokenText(t *testing.T) {
	dir := t.TempDir()
	file, other := filepath.Join(dir, "broken.csv"), filepath.Join(dir, "other.csv")
	for path, text := range map[string]string{file: "c,n\xff,d\na\xff,x,p\nb,x,q\n", other: "c,n\xff,d\nb,x,p\nb,x,long\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, args := range map[string][]string{"profile": {"profile", file}, "compare": {"compare", file, other}} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if code := execute(t.Context(), args, &out, &out); code != 0 {
				t.Fatalf("exit %d: %s", code, out.String())
			}
			_, text, _ := strings.Cut(out.String(), "\n\n")
			lines := strings.Split(strings.TrimSpace(text), "\n")
			if len(lines) != 4 || !strings.Contains(text, `a\xff 50 %`) || !strings.Contains(text, `n\xff `) {
				t.Fatalf("a table of %d lines, want 4 with escapes:\n%s", len(lines), text)
			}
			for _, line := range lines[1:] {
				if at, want := strings.Index(line, "categorical"), strings.Index(lines[0], "KIND"); at != want {
					t.Errorf("the kind is at %d, want %d:\n%s", at, want, text)
				}
			}
		})
	}
}
