package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"sluice/feature"
	"sluice/internal/comparison"
)

type profileCmd struct {
	File    string `arg:"" help:"File to describe: .parquet, .csv, .jsonl or .ndjson."`
	Suggest bool   `help:"Print a view with expectations that the file keeps, to start from."`
	Format  string `enum:"table,json" default:"table" help:"Output format: table or json." placeholder:"table|json"`
}

// Help shows examples.
func (*profileCmd) Help() string {
	return "No server is needed. Null and NaN are dropped and counted; moments and quantiles are those of the finite numbers.\n\nExamples:\n  sluice profile payments.parquet\n  sluice profile payments.csv --format json\n  sluice profile payments.csv --suggest > definitions/payments.yaml"
}

func (c *profileCmd) Run(e *env) error {
	contents, err := readValues(e, c.File)
	if err != nil {
		return err
	}
	d := comparison.Describe(contents)
	if err := e.ctx.Err(); err != nil {
		return err
	}
	if c.Suggest {
		name := strings.TrimSuffix(filepath.Base(c.File), filepath.Ext(c.File))
		if !feature.ValidName(name) {
			name = "view"
		}
		text, err := comparison.Suggest(d, name)
		if err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(c.File), err)
		}
		_, err = fmt.Fprint(e.stdout, text)
		return err
	}
	if c.Format == "json" {
		return printJSON(e.stdout, d)
	}
	fmt.Fprintf(e.stdout, "%s: %s\n\n", filepath.Base(c.File), rowCount(d.Rows))
	var rows [][]string
	row := func(c *comparison.Described) {
		rows = append(rows, []string{partOf(c.Column, c.Part), kindOf(c.Kind, c.Type, c.Part), percentage(share(c.Nulls, c.N+c.Nulls)), distinct(c), comparison.Spark(c.Bins), valuesOf(c)})
	}
	for i := range d.Columns {
		c := &d.Columns[i]
		row(c)
		for k := range c.Parts[:min(len(c.Parts), mostParts)] {
			row(&c.Parts[k])
		}
		rows = append(rows, more(c.Column, len(c.Parts)+c.PartsLeft)...)
	}
	return table(e.stdout, "COLUMN KIND NULLS DISTINCT SHAPE VALUES", rows)
}

func share(n, of uint64) float64 {
	if of == 0 {
		return 0
	}
	return float64(n) / float64(of)
}

// distinct shows how many different values there are, where they are told apart.
func distinct(c *comparison.Described) string {
	if c.Distinct == 0 && c.N > 0 {
		return "-"
	}
	return thousands(int(c.Distinct))
}

// valuesOf says in words what values a column has.
func valuesOf(c *comparison.Described) string {
	var parts []string
	if c.Kind == comparison.Numeric && c.Min.Defined() {
		show, what := threeDigits, ""
		if c.Times {
			show = day
		}
		if c.Type != "" {
			what = "lengths "
		}
		if c.Part == "age" {
			show = ageText
		}
		parts = append(parts, fmt.Sprintf("%s%s to %s, median %s", what, show(c.Min), show(c.Max), show(c.Quantiles["0.5"])))
		if !c.Times && c.Part != "age" {
			parts = append(parts, fmt.Sprintf("mean %s, sd %s", threeDigits(c.Mean), threeDigits(c.Std)))
		}
	}
	if c.Infinite > 0 {
		parts = append(parts, thousands(int(c.Infinite))+" infinite")
	}
	if strings.HasPrefix(c.Part, "$") {
		parts = append(parts, "in "+percentage(share(c.N, c.N+c.Nulls))+" of values")
	}
	for _, f := range c.Top[:min(3, len(c.Top))] {
		if c.Times || c.Part == "age" || c.Part == "hours of the day" {
			break // the share of one of so many says little; the shape shows hours
		}
		if s := share(f.N, c.N); c.Kind == comparison.Categorical || s >= 0.05 {
			parts = append(parts, fmt.Sprintf("%s %s", brief(f.Value), percentage(s)))
		}
	}
	return strings.Join(parts, "; ")
}
