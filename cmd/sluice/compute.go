package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"sluice/expression"
	"sluice/feature"
	"sluice/internal/definition"
	"sluice/serving/jsonform"
	"sluice/store/tabular"
)

type computeCmd struct {
	View     string   `arg:"" help:"View with computed features."`
	Rows     string   `arg:"" help:"File of rows: .jsonl, .ndjson, .csv or .parquet."`
	Dir      string   `short:"f" name:"file" help:"Folder with definitions, or one file; else the server is asked." placeholder:"DIR"`
	Out      string   `short:"o" help:"File to write: .jsonl, .ndjson, .csv or .parquet; else rows go to standard output." placeholder:"FILE"`
	Format   string   `help:"Form of the rows: jsonl, csv or parquet; without it the ending of the file says it, and standard output gets JSON lines." enum:",jsonl,csv,parquet" default:"" placeholder:"FORMAT"`
	Features []string `help:"Only these computed features." placeholder:"NAME"`
	Strict   bool     `help:"Exit with 1 if a value could not be computed."`
	Server   string   `help:"Server to ask." default:"http://127.0.0.1:6566" env:"SLUICE_SERVER" placeholder:"URL"`
	Token    string   `help:"Token, where the server wants one." env:"SLUICE_TOKEN" placeholder:"TOKEN"`
}

// Help shows examples.
func (*computeCmd) Help() string {
	return "The rows have a column per feature and context value that is read, by name; other columns are passed on. What is computed is what serving gives for the same values, bit for bit: null where that is NULL_VALUE or FAILED. Columns that no row has are an error. " +
		"In Parquet a column has the type that the view declares for a column of its name; others have the narrowest of bool, int64, double and text that holds every value, or else are JSON." +
		"\n\nExamples:\n  sluice compute payments rows.parquet -f features -o training.parquet\n  sluice compute payments training.csv --features amount_z > out.jsonl"
}

func (c *computeCmd) Run(e *env) error {
	view, err := c.view(e)
	if err != nil {
		return err
	}
	work, err := newComputing(view, c.Features)
	if err != nil {
		return err
	}
	types := work.types()
	in, err := tabular.OpenTyped(c.Rows, types)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := tabular.RequireHeader(in); err != nil {
		return err
	}
	out, err := newRowSink(e.stdout, c.Out, c.Format, types, work.names())
	if err != nil {
		return err
	}
	if err := work.all(e, in, out); err != nil {
		return errors.Join(fmt.Errorf("compute %s: %w", filepath.Base(c.Rows), err), out.discard())
	}
	if err := out.close(); err != nil {
		return err
	}
	return work.summary(e.stderr, c.Strict)
}

// view returns the view's definition, of files or of the server.
func (c *computeCmd) view(e *env) (*feature.View, error) {
	if c.Dir != "" {
		defs, err := definition.Load(c.Dir)
		if err != nil {
			return nil, err
		}
		if v := defs.View(c.View); v != nil {
			return v, nil
		}
		var known []string
		for i := range defs.Views {
			known = append(known, defs.Views[i].Name)
		}
		return nil, fmt.Errorf("there is no view %s in %s%s", c.View, c.Dir, didYouMean(c.View, known))
	}
	server := connection{Server: c.Server, Token: c.Token}
	var shown shownView
	if err := server.get(e.ctx, viewPath(c.View), &shown); err != nil {
		return nil, err
	}
	text, err := json.Marshal(map[string]any{"views": []definition.ViewForm{shown.ViewForm}})
	if err != nil {
		return nil, fmt.Errorf("definition of %s: %w", c.View, err)
	}
	defs, err := definition.Parse([]definition.File{{Name: c.View, Text: string(text)}})
	if err != nil {
		return nil, fmt.Errorf("definition of %s: %w", c.View, err)
	}
	return &defs.Views[0], nil
}

func didYouMean(name string, known []string) string {
	if near := feature.Nearest(name, known); near != "" {
		return ": did you mean " + near + "?"
	}
	return ""
}

// computing is the state of one file.
type computing struct {
	view   *feature.View
	set    *expression.Set
	row    *expression.Row
	wanted []int // positions of computed features
	inputs []computingInput
	rows   int
	failed map[int]*failures // by computed feature
}

// computingInput is a column that is read.
type computingInput struct {
	names   []string // the first that a row has: its name, or what the view's source calls it
	typ     feature.Type
	at      int // among the view's features, or in the set's context
	context bool
	seen    bool
	reader  string // computed feature that needs it, the first
}

type failures struct {
	n     int
	row   int
	first *expression.Failure
}

func newComputing(view *feature.View, names []string) (*computing, error) {
	if len(view.Computed) == 0 {
		return nil, fmt.Errorf("view %s computes no features: give it some under the key computed", view.Name)
	}
	set, err := expression.Compile(view)
	if err != nil {
		return nil, err
	}
	c := &computing{view: view, set: set, row: set.NewRow(), failed: map[int]*failures{}}
	var known []string
	for i := range view.Computed {
		known = append(known, view.Computed[i].Name)
		if len(names) == 0 {
			c.wanted = append(c.wanted, i)
		}
	}
	for _, name := range names {
		i := view.ComputedAt(name)
		if i < 0 {
			return nil, fmt.Errorf("view %s has no computed feature %s%s", view.Name, name, didYouMean(name, known))
		}
		c.wanted = append(c.wanted, i)
	}
	for _, i := range c.wanted {
		c.need(i)
	}
	return c, nil
}

// need adds the columns that the computed feature i reads.
func (c *computing) need(i int) {
	add := func(in computingInput) {
		if !slices.ContainsFunc(c.inputs, func(other computingInput) bool { return other.at == in.at && other.context == in.context }) {
			in.reader = c.view.Computed[i].Name
			c.inputs = append(c.inputs, in)
		}
	}
	for _, at := range c.set.Features(i) {
		f := &c.view.Features[at]
		names := []string{f.Name}
		if column := c.view.Source.Map[f.Name]; column != "" {
			names = append(names, column)
		}
		add(computingInput{names: names, typ: f.Type, at: at})
	}
	for _, at := range c.set.Needs(i) {
		name := c.set.Context()[at]
		add(computingInput{names: []string{name}, typ: c.view.Context[name], at: at, context: true})
	}
}

// types returns the types that the view declares for columns: those that are read and
// computed, and those that are passed on.
func (c *computing) types() declaredTypes {
	types, v := declaredTypes{}, c.view
	add := func(name string, t feature.Type) {
		types[name] = t
		if column := v.Source.Map[name]; column != "" {
			types[column] = t
		}
	}
	if name := v.Source.EventTime; name != "" {
		types[name] = feature.Timestamp
	}
	for _, e := range v.Entities {
		add(e.Name, e.Type)
	}
	for _, f := range v.Features {
		add(f.Name, f.Type)
	}
	for name, t := range v.Context {
		types[name] = t
	}
	for _, f := range v.Computed {
		types[f.Name] = f.Type
	}
	return types
}

// names returns the names of what is computed.
func (c *computing) names() []string {
	var names []string
	for _, i := range c.wanted {
		names = append(names, c.view.Computed[i].Name)
	}
	return names
}

// all computes every row.
func (c *computing) all(e *env, in tabular.Reader, out rowSink) error {
	for {
		if err := e.ctx.Err(); err != nil {
			return err
		}
		line, id, err := in.Next()
		if errors.Is(err, io.EOF) {
			return c.unseen()
		}
		if err != nil {
			return err
		}
		c.rows++
		row, err := readRow(line)
		if err == nil {
			err = c.one(&row)
		}
		if err == nil {
			if id != "" && row.value(tabular.EventID) == nil {
				text, _ := json.Marshal(id) // a string
				row.add(tabular.EventID, text)
			}
			err = out.write(&row)
		}
		if err != nil {
			return fmt.Errorf("row %d: %w", c.rows, err)
		}
	}
}

// one computes a row and appends its columns.
func (c *computing) one(row *fileRow) error {
	c.row.Reset()
	for i := range c.inputs {
		in := &c.inputs[i]
		name, raw := in.names[0], []byte(nil)
		for _, n := range in.names {
			if raw == nil {
				name, raw = n, row.value(n)
			}
		}
		if raw == nil {
			continue // absent is null, as in a write
		}
		in.seen = true
		v, err := jsonform.Parse(in.typ, raw)
		if err != nil {
			return fmt.Errorf("column %s: %w", name, err)
		}
		if in.context {
			c.row.SetContext(in.at, v)
		} else {
			c.row.SetFeature(in.at, v)
		}
	}
	for _, i := range c.wanted {
		name := c.view.Computed[i].Name
		if row.value(name) != nil {
			return fmt.Errorf("column %s is there already: rename it, or leave it out with --features", name)
		}
		v, failure := c.row.Compute(i)
		if failure != nil {
			if c.failed[i] == nil {
				c.failed[i] = &failures{row: c.rows, first: failure}
			}
			c.failed[i].n++
		}
		row.add(name, jsonform.AppendValue(nil, v))
	}
	return nil
}

// unseen is the error of columns that no row has.
func (c *computing) unseen() error {
	if c.rows == 0 {
		return nil
	}
	var errs []error
	for _, in := range c.inputs {
		if !in.seen {
			errs = append(errs, fmt.Errorf("no row has the column %s (%s), which %s is computed from", strings.Join(in.names, " or "), in.typ, in.reader))
		}
	}
	return errors.Join(errs...)
}

// summary says what was done, and which values failed.
func (c *computing) summary(w io.Writer, strict bool) error {
	fmt.Fprintf(w, "%s rows, %d computed features\n", thousands(c.rows), len(c.wanted))
	var failed []string
	for _, i := range c.wanted {
		if f := c.failed[i]; f != nil {
			fmt.Fprintf(w, "%s failed in %s rows and is null there: %s, first in row %d (%v)\n", c.view.Computed[i].Name, thousands(f.n), f.first.Reason, f.row, f.first)
			failed = append(failed, c.view.Computed[i].Name)
		}
	}
	if strict && len(failed) > 0 {
		return fmt.Errorf("could not be computed for every row: %s", strings.Join(failed, ", "))
	}
	return nil
}

// fileRow is a row of a file, its columns in their order.
type fileRow struct {
	names  []string
	values [][]byte
	at     map[string]int
}

// readRow reads a line of flat JSON.
func readRow(line []byte) (fileRow, error) {
	row := fileRow{at: map[string]int{}}
	in := json.NewDecoder(bytes.NewReader(line))
	in.UseNumber()
	if token, err := in.Token(); err != nil || token != json.Delim('{') {
		return row, errors.New("no JSON object")
	}
	for in.More() {
		token, err := in.Token()
		name, ok := token.(string)
		var raw json.RawMessage
		if err == nil && ok {
			err = in.Decode(&raw)
		}
		if err != nil || !ok {
			return row, fmt.Errorf("no JSON object: %w", err)
		}
		if row.value(name) != nil {
			return row, fmt.Errorf("column %.100q is there twice", name)
		}
		row.add(name, raw)
	}
	if _, err := in.Token(); err != nil {
		return row, errors.New("no JSON object: it does not end")
	}
	if _, err := in.Token(); !errors.Is(err, io.EOF) {
		return row, errors.New("more than one JSON object")
	}
	return row, nil
}

// value returns a column as JSON; nil if there is none.
func (r *fileRow) value(name string) []byte {
	if at, ok := r.at[name]; ok {
		return r.values[at]
	}
	return nil
}

func (r *fileRow) add(name string, raw []byte) {
	r.at[name] = len(r.names)
	r.names, r.values = append(r.names, name), append(r.values, raw)
}
