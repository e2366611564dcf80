package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/feature"
	"sluice/internal/definition"
	"sluice/materialize"
	"sluice/rules"
)

// listFlags is what the listing commands share.
type listFlags struct {
	connection
	Limit int `help:"At most so many items; 0: all." default:"0" placeholder:"N"`
}

// show prints a list: as it is, or each item as a row.
func show[T any](e *env, c *listFlags, path string, query url.Values, header string, row func(T) []string) error {
	page, err := c.pages(e.ctx, path, query, c.Limit)
	if err != nil {
		return err
	}
	if c.Format == "json" {
		return printJSON(e.stdout, page)
	}
	var items []T
	if err := json.Unmarshal(page["items"], &items); err != nil {
		return fmt.Errorf("answer of %s: %w", path, err)
	}
	var rows [][]string
	for _, item := range items {
		rows = append(rows, row(item))
	}
	return table(e.stdout, header, rows)
}

// shownView is a view as the server describes it.
type shownView struct {
	Project       string                     `json:"project"`
	Mode          string                     `json:"mode"`
	State         string                     `json:"state"`
	Generation    uint64                     `json:"generation"`
	ServedVersion feature.Version            `json:"served_version"`
	AgeSeconds    float64                    `json:"age_seconds"`
	Score         *float64                   `json:"score"`
	Impact        rules.Impact               `json:"impact"`
	Producers     []materialize.ProducerSkew `json:"producers"`
	definition.ViewForm
}

func (v shownView) row() []string {
	var keys, features []string
	for _, e := range v.Entities {
		keys = append(keys, e.Name)
	}
	for _, f := range v.Features {
		features = append(features, f.Name)
	}
	for _, f := range v.Computed {
		features = append(features, f.Name)
	}
	age := (time.Duration(v.AgeSeconds) * time.Second).String()
	return []string{
		v.Project, v.Name, strings.Join(keys, ","), strings.Join(features, ","), v.Mode, v.State,
		number(uint64(v.ServedVersion)), age, scoreText(v.Score),
	}
}

func number[T ~uint64 | ~int64 | ~int](n T) string { return fmt.Sprint(n) }

type viewsCmd struct {
	listFlags
	View string `arg:"" optional:"" help:"One view."`
}

// Help shows examples.
func (*viewsCmd) Help() string {
	return "SCORE is how much of what matters in the view moved in its newest window, from 0 to 100: see sluice score.\n\nExamples:\n  sluice views\n  sluice views carrier_delays --format json"
}

func (c *viewsCmd) Run(e *env) error {
	if c.View == "" {
		return show(e, &c.listFlags, "/api/v1/views", nil, "PROJECT NAME KEYS FEATURES MODE STATE SERVED AGE SCORE", shownView.row)
	}
	var raw json.RawMessage
	if err := c.get(e.ctx, viewPath(c.View), &raw); err != nil {
		return err
	}
	if c.Format == "json" {
		return printJSON(e.stdout, raw)
	}
	var v shownView
	if err := json.Unmarshal(raw, &v); err != nil {
		return fmt.Errorf("answer about view %s: %w", c.View, err)
	}
	var rows [][]string
	for _, f := range v.Features {
		expect := ""
		if f.Expect != nil {
			if b, err := json.Marshal(f.Expect); err == nil {
				expect = string(b)
			}
		}
		if f.NotFinite != "" {
			expect = strings.TrimSpace("not_finite: " + f.NotFinite + " " + expect)
		}
		rows = append(rows, []string{f.Name, f.Type.String(), f.Unit, expect, f.Description})
	}
	group := ""
	if v.Group != "" {
		group = ", group " + plain(v.Group)
	}
	fmt.Fprintf(e.stdout, "%s: %s, %s, generation %d, serving version %d, online store %s%s\n", plain(v.Name), plain(v.Mode), plain(v.State), v.Generation, v.ServedVersion, plain(cmp.Or(v.Online, feature.DefaultOnline)), group)
	if err := table(e.stdout, "FEATURE TYPE UNIT EXPECT DESCRIPTION", rows); err != nil {
		return err
	}
	if len(v.Computed) > 0 {
		if err := v.printComputed(e); err != nil {
			return err
		}
	}
	return v.printProducers(e)
}

// printProducers prints who wrote last, and how far their clocks are off.
func (v shownView) printProducers(e *env) error {
	if len(v.Producers) == 0 {
		return nil
	}
	var rows [][]string
	for _, p := range v.Producers {
		name := p.Producer
		if p.Other {
			name = "(others)"
		}
		rows = append(rows, []string{cmp.Or(name, "(not named)"), number(p.Records), seconds(p.Delay), seconds(p.Ahead), seconds(p.Behind)})
	}
	fmt.Fprintln(e.stdout)
	return table(e.stdout, "PRODUCER RECORDS DELAY AHEAD BEHIND", rows)
}

// seconds shows a time to the tenth of a second.
func seconds(s float64) string { return fmt.Sprintf("%.1f s", s) }

// printComputed prints what is computed when it is read, and from which values of
// requests.
func (v shownView) printComputed(e *env) error {
	var rows [][]string
	for _, c := range v.Computed {
		rows = append(rows, []string{c.Name, c.Type.String(), c.Unit, strings.Join(c.Reads, ","), c.Expr, c.Description})
	}
	fmt.Fprintln(e.stdout)
	if err := table(e.stdout, "COMPUTED TYPE UNIT READS EXPRESSION DESCRIPTION", rows); err != nil {
		return err
	}
	var context []string
	for _, name := range slices.Sorted(maps.Keys(v.Context)) {
		context = append(context, name+" "+v.Context[name].String())
	}
	if len(context) > 0 {
		fmt.Fprintf(e.stdout, "\nrequests bring: %s\n", plain(strings.Join(context, ", ")))
	}
	return nil
}

type versionsCmd struct {
	listFlags
	View  string `arg:"" help:"View."`
	After uint64 `help:"Only versions behind this one." placeholder:"N"`
}

// Help shows examples.
func (*versionsCmd) Help() string {
	return "Examples:\n  sluice versions carrier_delays\n  sluice versions carrier_delays --after 40"
}

func (c *versionsCmd) Run(e *env) error {
	query := url.Values{}
	if c.After > 0 {
		query.Set("after", strconv.FormatUint(c.After, 10))
	}
	return show(e, &c.listFlags, viewPath(c.View, "versions"), query, "VERSION KIND WINDOW STEP STATE ROWS VERDICT BY AT REASON",
		func(v feature.VersionInfo) []string {
			return []string{
				number(v.Version), string(v.Kind), when(v.Window.Start), string(v.Step), string(v.State), number(v.Rows),
				v.Verdict, v.DecidedBy, when(v.DecidedAt), v.Reason,
			}
		})
}

type windowsCmd struct {
	listFlags
	View  string        `arg:"" help:"View."`
	Start string        `help:"Only the window that starts then." placeholder:"TIME"`
	Wait  time.Duration `help:"Wait so long for it to be judged." placeholder:"30s"`
}

// Help shows examples.
func (*windowsCmd) Help() string {
	return "BEHIND names the partitions that hold a window open.\n\nExamples:\n  sluice windows carrier_delays\n  sluice windows carrier_delays --start 2013-01-01T05:00:00Z --wait 30s"
}

func (c *windowsCmd) Run(e *env) error {
	query := url.Values{}
	if c.Start != "" {
		query.Set("start", c.Start)
	}
	if c.Wait > 0 {
		if err := c.await(e.ctx, viewPath(c.View, "windows"), query, c.Wait); err != nil {
			return err
		}
	}
	return show(e, &c.listFlags, viewPath(c.View, "windows"), query, "START END STATE VERSION ROWS VERDICT BEHIND",
		func(w materialize.WindowStatus) []string {
			return []string{
				when(w.Start), when(w.End), w.State, number(w.Version), number(w.Rows), w.Verdict, strings.Join(w.Behind, ","),
			}
		})
}

type verdictsCmd struct {
	listFlags
	View  string        `arg:"" help:"View."`
	After string        `help:"Only verdicts behind this cursor, the next of an answer." placeholder:"CURSOR"`
	Wait  time.Duration `help:"Wait so long for one." placeholder:"30s"`
}

// Help shows examples.
func (*verdictsCmd) Help() string {
	return "Examples:\n  sluice verdicts carrier_delays\n  sluice verdicts carrier_delays --after 17 --wait 30s --format json"
}

func (c *verdictsCmd) Run(e *env) error {
	query := url.Values{}
	if c.After != "" {
		query.Set("after", c.After)
	}
	if c.Wait > 0 {
		if err := c.await(e.ctx, viewPath(c.View, "verdicts"), query, c.Wait); err != nil {
			return err
		}
	}
	return show(e, &c.listFlags, viewPath(c.View, "verdicts"), query, "VERDICT KIND WINDOW VERSION STATE DECISION ROWS WORST",
		func(v rules.Verdict) []string {
			worst := ""
			if len(v.Reasons) > 0 {
				worst = fmt.Sprintf("%s %s %.3g", v.Reasons[0].Feature, v.Reasons[0].Method, v.Reasons[0].Severity)
			}
			return []string{v.ID, v.Kind, when(v.Window.Start), number(v.Version), string(v.State), v.Decision, number(v.Rows), worst}
		})
}

type auditCmd struct {
	listFlags
}

// Help shows examples.
func (*auditCmd) Help() string {
	return "Examples:\n  sluice audit\n  sluice audit --limit 20 --format json"
}

func (c *auditCmd) Run(e *env) error {
	return show(e, &c.listFlags, "/api/v1/audit", nil, "AT BY ACTION VIEW VERSION REASON ID", func(a feature.Audit) []string {
		return []string{when(a.At), a.By, a.Action, a.View, number(a.Version), a.Reason, a.ID}
	})
}
