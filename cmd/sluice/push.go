package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sluice/feature"
	"sluice/internal/control"
	"sluice/store/tabular"
)

type pushCmd struct {
	connection
	View     string        `arg:"" help:"View."`
	File     string        `arg:"" help:"File of rows: .jsonl, .ndjson, .csv or .parquet."`
	Seal     bool          `help:"End with a watermark in every partition, so that the touched windows close."`
	Wait     bool          `help:"Return when the touched windows are judged; exit with 3 if one was not published."`
	Backfill bool          `help:"Rows of long ago: they are kept and served by event time, but no window is judged by them and none of them enters history."`
	Timeout  time.Duration `help:"How long to wait at most." default:"10m" placeholder:"10m"`
}

// Help shows examples.
func (*pushCmd) Help() string {
	return "Rows are flat: a column per join key and feature, the event time, and optionally op and event_id. Every row is written as it stands: what cannot be read becomes a dead letter. Rows with an event_id that were written before are duplicates and change nothing." +
		"\n\nExamples:\n  sluice push carrier_delays day1.parquet\n  sluice push carrier_delays day1.csv --seal --wait --format json\n  sluice push carrier_delays 2012.parquet --backfill"
}

// A batch is sent when it holds so many lines or bytes.
const (
	batchLines = 5000
	batchBytes = 4 << 20
)

// pushing is the state of one push.
type pushing struct {
	cmd      *pushCmd
	env      *env
	view     shownView
	progress *progress
	insertID bool // rows come without their event_id

	horizon time.Time // event times behind it are refused as future; zero: none is

	lines []byte
	count int
	total control.Push
}

func (c *pushCmd) Run(e *env) error {
	p := &pushing{cmd: c, env: e, progress: newProgress(e.stderr)}
	defer p.progress.done()
	if err := c.get(e.ctx, viewPath(c.View), &p.view); err != nil {
		return err
	}
	p.total = control.Push{View: p.view.Name, Offsets: map[string][2]int64{}, Windows: []control.PushedWindow{}}
	if err := p.file(); err != nil {
		return err
	}
	if c.Seal || c.Wait {
		if err := p.readClock(); err != nil {
			return err
		}
	}
	if c.Seal {
		if err := p.seal(); err != nil {
			return err
		}
	}
	if c.Wait {
		if err := p.wait(); err != nil {
			return err
		}
	}
	p.progress.done()
	if err := p.print(); err != nil {
		return err
	}
	if c.Wait {
		return p.blocked()
	}
	return nil
}

// file sends every row of the file.
func (p *pushing) file() error {
	rows, err := tabular.OpenTyped(p.cmd.File, columnTypes(p.view))
	if err != nil {
		return err
	}
	defer rows.Close()
	if err := tabular.RequireHeader(rows); err != nil {
		return err
	}
	ext := strings.ToLower(filepath.Ext(p.cmd.File))
	p.insertID = ext != ".jsonl" && ext != ".ndjson"
	for row := 1; ; row++ {
		line, id, err := rows.Next()
		if errors.Is(err, io.EOF) {
			return p.flush()
		}
		if err != nil {
			return errors.Join(fmt.Errorf("after %d rows: %w", row-1, err), p.flush())
		}
		if row == 1 {
			p.warnOfColumns(line)
		}
		if err := p.add(row, line, id); err != nil {
			return err
		}
	}
}

// columnTypes returns the declared types by the columns of flat rows.
func columnTypes(v shownView) map[string]feature.Type {
	types := map[string]feature.Type{}
	for _, e := range v.Entities {
		types[column(v, e.Name)] = e.Type
	}
	for _, f := range v.Features {
		types[column(v, f.Name)] = f.Type
	}
	return types
}

// column returns the column that a join key or feature is read from.
func column(v shownView, name string) string {
	if mapped := v.Source.Map[name]; mapped != "" {
		return mapped
	}
	return name
}

// warnOfColumns says which columns of a first row make every row a dead letter:
// the default topic refuses what the view does not have.
func (p *pushing) warnOfColumns(line []byte) {
	var row map[string]json.RawMessage
	if p.view.Source.Topic != "" || json.Unmarshal(line, &row) != nil || row["values"] != nil || row["key"] != nil {
		return
	}
	known := columnTypes(p.view)
	var extra []string
	for name := range row {
		if _, ok := known[name]; !ok && name != p.view.Source.EventTime && name != "op" && name != tabular.EventID {
			extra = append(extra, fmt.Sprintf("%q", name))
		}
	}
	if len(extra) > 0 {
		slices.Sort(extra)
		p.progress.say("column %s is not of view %s: rows with it become dead letters; leave it out, or add it to the definition", strings.Join(extra, ", "), p.view.Name)
		p.progress.done()
	}
}

// add puts a row into the batch, and sends the batch when it is full.
func (p *pushing) add(row int, line []byte, id string) error {
	if p.insertID && id != "" {
		line = withID(line, id)
	}
	if len(line) > control.MaxLine {
		return errors.Join(p.flush(), fmt.Errorf("row %d has %d bytes, and a record takes at most %d: shorten it or leave it out; %d rows before it were sent", row, len(line), control.MaxLine, row-1))
	}
	if p.count == batchLines || len(p.lines)+len(line) > batchBytes {
		if err := p.flush(); err != nil {
			return err
		}
	}
	p.lines = append(append(p.lines, line...), '\n')
	p.count++
	return nil
}

// withID puts the column event_id into a row of flat JSON.
func withID(line []byte, id string) []byte {
	text, err := json.Marshal(id)
	if err != nil || len(line) < 2 || line[0] != '{' {
		return line
	}
	head := append([]byte(`{"`+tabular.EventID+`":`), text...)
	if rest := strings.TrimSpace(string(line[1:])); rest != "}" {
		head = append(head, ',')
	}
	return append(head, line[1:]...)
}

// flush sends the batch and adds what the server answers to the total.
func (p *pushing) flush() error {
	if p.count == 0 {
		return nil
	}
	var answer control.Push
	path := viewPath(p.view.Name, "writes")
	if p.cmd.Backfill {
		path += "?backfill=true"
	}
	if err := p.cmd.post(p.env.ctx, path, p.lines, &answer); err != nil {
		return fmt.Errorf("after %d rows: %w", p.total.Sent, err)
	}
	p.lines, p.count = p.lines[:0], 0
	p.total.Sent += answer.Sent
	for partition, span := range answer.Offsets {
		if had, ok := p.total.Offsets[partition]; ok {
			span = [2]int64{min(had[0], span[0]), max(had[1], span[1])}
		}
		p.total.Offsets[partition] = span
	}
	for _, w := range answer.Windows {
		at, found := slices.BinarySearchFunc(p.total.Windows, w, func(a, b control.PushedWindow) int { return a.Start.Compare(b.Start) })
		if found {
			p.total.Windows[at] = w
			continue
		}
		p.total.Windows = slices.Insert(p.total.Windows, at, w)
	}
	p.progress.say("%d rows sent, windows touched: %d", p.total.Sent, len(p.total.Windows))
	return nil
}
