package main

import (
	"cmp"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sluice/internal/comparison"
	"sluice/store/tabular"
)

type compareCmd struct {
	Baseline string `arg:"" help:"File to compare with: .parquet, .csv, .jsonl or .ndjson."`
	Current  string `arg:"" help:"File that is judged."`
	Format   string `enum:"table,json" default:"table" help:"Output format: table or json." placeholder:"table|json"`
}

// Help shows examples and what the columns mean.
func (*compareCmd) Help() string {
	return "No server is needed. SEVERITY is how many times a shift is past a floor (a distance of 0.1, or 5 points of nulls) if a test at p = 0.001 tells it from chance: 1 and more is a shift. Two files do not show what is usual for a column; `sluice replay` judges a folder of them by their own history." +
		"\n\nNull and NaN are dropped and counted, infinities kept for the Kolmogorov-Smirnov distance and the bins alone. Bins are the baseline's deciles. In a column of texts null is a category. Lists are compared by their lengths and by their elements, objects by which of their paths are there. Timestamps count as shifted if both their place in time and their age are; age is told where the files have event_time, of whose median it is counted from." +
		"\n\nExamples:\n  sluice compare january.parquet february.parquet\n  sluice compare january.csv february.csv --format json"
}

func (c *compareCmd) Run(e *env) error {
	baseline, err := readValues(e, c.Baseline)
	if err != nil {
		return err
	}
	current, err := readValues(e, c.Current)
	if err != nil {
		return err
	}
	r := comparison.Compare(baseline, current)
	if err := e.ctx.Err(); err != nil {
		return err
	}
	if err := c.print(e, r); err != nil {
		return err
	}
	if err := r.Err(); err != nil {
		return fmt.Errorf("compare %s with %s: %w", filepath.Base(c.Current), filepath.Base(c.Baseline), err)
	}
	return nil
}

func (c *compareCmd) print(e *env, r comparison.Result) error {
	if c.Format == "json" {
		return printJSON(e.stdout, r)
	}
	fmt.Fprintf(e.stdout, "%s: %s; %s: %s\n", filepath.Base(c.Baseline), rowCount(r.RowsBaseline), filepath.Base(c.Current), rowCount(r.RowsCurrent))
	return printComparison(e, r)
}

// readValues reads a file, and says how far it is.
func readValues(e *env, path string) (*tabular.Contents, error) {
	p := newProgress(e.stderr)
	defer p.done()
	began := time.Now()
	return tabular.ReadValues(e.ctx, path, func(rows int) {
		if time.Since(began) > time.Second {
			p.say("%s: %s rows read", filepath.Base(path), thousands(rows))
		}
	})
}

func rowCount(rows uint64) string {
	if rows == 0 {
		return "no rows"
	}
	return thousands(int(rows)) + " rows"
}

// thousands writes a number with commas.
func thousands(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// printComparison writes the table, what shifted most first.
func printComparison(e *env, r comparison.Result) error {
	columns := slices.Clone(r.Columns)
	slices.SortStableFunc(columns, func(a, b comparison.Column) int { return cmp.Compare(rank(b), rank(a)) })
	var rows [][]string
	row := func(c *comparison.Column) {
		rows = append(rows, []string{partOf(c.Column, c.Part), kindOf(c.Kind, c.Type, c.Part), bar(c.Severity), grade(c.Severity), distance(c), threeDigits(c.PSI), shares(c), c.Spark(), happened(c)})
	}
	for i := range columns {
		row(&columns[i])
		parts := slices.DeleteFunc(slices.Clone(columns[i].Parts), func(p comparison.Column) bool { return columns[i].Times && !p.Severity.Defined() })
		slices.SortStableFunc(parts, func(a, b comparison.Column) int { return cmp.Compare(rank(b), rank(a)) })
		for k := range parts[:min(len(parts), mostParts)] {
			row(&parts[k])
		}
		rows = append(rows, more(columns[i].Column, len(parts)+columns[i].PartsLeft)...)
	}
	if len(rows) > 0 {
		fmt.Fprintln(e.stdout)
		if err := table(e.stdout, "COLUMN KIND SEVERITY  DISTANCE PSI NULLS CURRENT WHAT_CHANGED", rows); err != nil {
			return err
		}
	}
	for _, side := range []struct {
		what  string
		names []string
	}{{"only in the baseline", r.OnlyBaseline}, {"only in the current file", r.OnlyCurrent}} {
		if len(side.names) > 0 {
			fmt.Fprintf(e.stdout, "\n%s: %s\n", side.what, plain(strings.Join(side.names, ", ")))
		}
	}
	return nil
}

// mostParts is how many paths of a column a table shows.
const mostParts = 5

// more is the row that says how many of so many paths of a column the table leaves out.
func more(column string, parts int) [][]string {
	if parts <= mostParts {
		return nil
	}
	return [][]string{{partOf(column, fmt.Sprintf("and %d paths more", parts-mostParts))}}
}

// partOf names a column, or a part of one.
func partOf(column, part string) string {
	if part == "" {
		return column
	}
	return column + ", " + part
}

// kindOf says what a column holds, or a part of one.
func kindOf(kind, typ, part string) string {
	switch {
	case typ != "":
		return typ
	case strings.HasPrefix(part, "$"):
		return "path"
	}
	return kind
}

func rank(c comparison.Column) float64 {
	if !c.Severity.Defined() {
		return -1
	}
	return float64(c.Severity)
}

// bar draws a severity: full at 10.
func bar(severity comparison.Number) string {
	if !severity.Defined() {
		return "?"
	}
	const cells = 10
	full := min(cells, int(math.Round(float64(severity))))
	return strings.Repeat("█", full) + strings.Repeat("·", cells-full)
}

// grade names a severity.
func grade(severity comparison.Number) string {
	switch {
	case !severity.Defined():
		return "not compared"
	case severity >= 3:
		return fmt.Sprintf("LARGE %.1f", severity)
	case severity >= 1:
		return fmt.Sprintf("shift %.1f", severity)
	}
	return "ok"
}

func distance(c *comparison.Column) string {
	if c.Kind == comparison.Numeric {
		return "KS " + threeDigits(c.KS.Statistic)
	}
	return "TVD " + threeDigits(c.TVD)
}

func threeDigits(n comparison.Number) string {
	if !n.Defined() {
		return "-"
	}
	return fmt.Sprintf("%.3g", n)
}

// shares shows the shares of nulls on both sides.
func shares(c *comparison.Column) string {
	b, n := c.NullShares()
	if b == n {
		return percentage(b)
	}
	return percentage(b) + " → " + percentage(n)
}

func percentage(share float64) string {
	if share == 0 {
		return "0"
	}
	return fmt.Sprintf("%.3g %%", 100*share)
}

// happened says what changed in words.
func happened(c *comparison.Column) string {
	switch {
	case c.Problem != "":
		return c.Problem
	case c.Times:
		return fmt.Sprintf("%s to %s → %s to %s", day(c.Before.Min), day(c.Before.Max), day(c.Min), day(c.Max))
	case c.Part == "age":
		return fmt.Sprintf("median age %s → %s", ageText(c.Before.Quantiles["0.5"]), ageText(c.Quantiles["0.5"]))
	case c.Kind == comparison.Numeric && c.Type != "":
		return fmt.Sprintf("median length %s → %s, sd %s → %s", threeDigits(c.Before.Quantiles["0.5"]), threeDigits(c.Quantiles["0.5"]), threeDigits(c.Before.Std), threeDigits(c.Std))
	case c.Kind == comparison.Numeric:
		return fmt.Sprintf("median %s → %s, sd %s → %s", threeDigits(c.Before.Quantiles["0.5"]), threeDigits(c.Quantiles["0.5"]), threeDigits(c.Before.Std), threeDigits(c.Std))
	case strings.HasPrefix(c.Part, "$"):
		b, n := c.NullShares()
		return fmt.Sprintf("in %s → %s of values", percentage(1-b), percentage(1-n))
	case len(c.Parts) > 0 && len(c.Changed) > 0 && c.Changed[0].Baseline == c.Changed[0].Current && c.Severity >= 1:
		return "its paths"
	case len(c.Changed) == 0 || c.Changed[0].Baseline == c.Changed[0].Current:
		return "nothing"
	}
	var parts []string
	for _, m := range c.Changed[:min(2, len(c.Changed))] {
		if m.Baseline != m.Current {
			parts = append(parts, fmt.Sprintf("%s %s → %s", brief(m.Name), percentage(float64(m.Baseline)), percentage(float64(m.Current))))
		}
	}
	return strings.Join(parts, ", ")
}

// ageText shows a length of time in seconds.
func ageText(n comparison.Number) string {
	switch size := math.Abs(float64(n)); {
	case !n.Defined():
		return "-"
	case size >= 2*86400:
		return threeDigits(n/86400) + " days"
	case size >= 2*3600:
		return threeDigits(n/3600) + " h"
	}
	return threeDigits(n) + " s"
}

// day shows seconds since 1970.
func day(n comparison.Number) string { return when(time.Unix(int64(n), 0)) }

// brief cuts a text for a table.
func brief(text string) string {
	const most = 24
	if letters := []rune(text); len(letters) > most {
		return string(letters[:most-1]) + "…"
	}
	return text
}
