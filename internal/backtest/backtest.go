package backtest

import (
	"fmt"
	"slices"
	"time"

	"sluice/feature"
	"sluice/rules"
)

// mostListed bounds the verdicts that a report lists.
const mostListed = 1000

// Backtest is rules on their way through the past.
type Backtest struct {
	list    []rules.Rule
	from    time.Time // of windows that count by their end; those before fill memories
	views   map[feature.ViewID]*view
	reader  rules.RecordReader
	record  rules.Record
	byRule  map[string]*Line
	fired   map[string]map[*incident]bool // by rule
	total   Line
	listed  []Verdict
	more    int
	differs int
	windows int
}

// view is what the backtest keeps of one view.
type view struct {
	def       *feature.View
	reader    *rules.Reader
	memory    rules.Memory
	incidents map[feature.Version]*incident
	judged    map[feature.Version]bool // by a record within the time
	first     time.Time                // end of the first window within the time
	last      time.Time
	windows   int
}

// incident is a version that was settled: by a person, or by the gate and left so.
type incident struct {
	view    string
	version feature.Version
	window  feature.Window
	fault   bool // else a false alarm
	alarmed bool
}

// Line is what a rule, or all together, would have done. Windows are counted, and of
// settled ones those that a record of is there.
type Line struct {
	Rule    string     `json:"rule"` // empty: all together
	Mode    rules.Mode `json:"mode,omitempty"`
	Windows int        `json:"windows"` // of views that it reads
	Days    float64    `json:"days"`    // from the first of them to the last
	Fired   int        `json:"fired"`   // windows in which it alarmed, whatever that did
	Warned  int        `json:"warned"`  // of those, in which it would have warned and no more
	Blocked int        `json:"blocked"` // would have failed the window
	Undone  int        `json:"undone"`  // verdicts on windows already published, in probation, that it would have failed
	Caught  int        `json:"caught"`  // faults that it alarmed on
	Missed  int        `json:"missed"`  // faults in windows of views that it reads, that it did not
	False   int        `json:"false"`   // alarms on windows that a person approved or marked as false alarm
	Unknown int        `json:"unknown"` // alarms on windows that nobody settled
	// Of Blocked, those on windows of either kind.
	BlockedFalse   int `json:"blocked_false"`
	BlockedUnknown int `json:"blocked_unknown"`
}

// Verdict is one that alarmed, then or now.
type Verdict struct {
	Verdict  string         `json:"verdict"`
	View     string         `json:"view"`
	Kind     string         `json:"kind"`
	Version  uint64         `json:"version"`
	Window   feature.Window `json:"window"`
	Was      rules.State    `json:"was"`
	Would    rules.State    `json:"would"`
	Severity float64        `json:"severity"` // of the worst reason
	Rules    []string       `json:"rules"`    // that alarm
}

// Report is what a backtest found.
type Report struct {
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	Windows  int       `json:"windows"` // judged windows with a record
	Faults   int       `json:"faults"`  // rejected or rolled back, and not approved or marked since
	Cleared  int       `json:"cleared"` // approved or marked as false alarm
	Differ   int       `json:"differ"`  // verdicts whose state would have been another
	Items    []Line    `json:"items"`   // by rule
	Total    Line      `json:"total"`
	Verdicts []Verdict `json:"verdicts"` // the first thousand that alarmed, then or now
	More     int       `json:"more"`     // that are not listed
}

// New returns a backtest of rules on the windows of views that end after from.
func New(list []rules.Rule, from time.Time) *Backtest {
	b := &Backtest{list: list, from: from, views: map[feature.ViewID]*view{}, byRule: map[string]*Line{}, fired: map[string]map[*incident]bool{}}
	for i := range list {
		b.byRule[list[i].Name] = &Line{Rule: list[i].Name, Mode: list[i].Mode}
		b.fired[list[i].Name] = map[*incident]bool{}
	}
	return b
}

// View adds a view, which must not change, with its versions as they are now: what became
// of them says what was a fault. Rules select it by the tags, owner and types that it has now.
func (b *Backtest) View(def *feature.View, versions []feature.VersionInfo) {
	v := &view{def: def, reader: rules.NewReader(b.list, def), memory: rules.Memory{}, incidents: map[feature.Version]*incident{}, judged: map[feature.Version]bool{}}
	approved := map[feature.Version]bool{}
	for i := range versions {
		if of := versions[i].ApprovedOf; of > 0 {
			approved[of] = true
		}
	}
	for i := range versions {
		x := &versions[i]
		if x.Kind != feature.KindWindow || !x.Window.End.After(b.from) {
			continue
		}
		cleared := approved[x.Version] || x.FalseAlarm || x.State == feature.StateVisible && x.DecidedBy != "gate" && x.DecidedBy != ""
		if fault := x.State == feature.StateRejected || x.State == feature.StateRolledBack; fault || cleared {
			v.incidents[x.Version] = &incident{view: def.Name, version: x.Version, window: x.Window, fault: fault && !cleared}
		}
	}
	b.views[def.ID] = v
}

// Add applies the rules to one record. Records come in the order of their numbers;
// those of views that were not added are passed over. The error is rules.ErrRecord.
func (b *Backtest) Add(row *feature.RecordRow) error {
	v := b.views[row.View]
	if v == nil {
		return nil
	}
	if err := b.reader.Read(row.Body, &b.record); err != nil {
		return fmt.Errorf("verdict %s of %s: %w", row.Verdict, v.def.Name, err)
	}
	reasons, state, _ := v.reader.Reasons(b.record.Scores, v.memory)
	if row.Kind == "probation" && state != rules.Fail && len(b.record.Since) > 0 {
		if since, slow, _ := v.reader.Reasons(b.record.Since, v.memory); slow == rules.Fail {
			reasons, state = since, slow
		}
	}
	rules.Steady(reasons)
	if row.Kind == "window" {
		v.memory = v.memory.Next(b.list, &rules.Verdict{Reasons: reasons})
	}
	if row.Window.End.After(b.from) {
		b.count(v, row, reasons, state)
	}
	return nil
}

// count adds one verdict to the report.
func (b *Backtest) count(v *view, row *feature.RecordRow, reasons []rules.Reason, state rules.State) {
	if string(state) != row.State {
		b.differs++
	}
	window := row.Kind == "window"
	if window {
		b.windows++
		v.windows++
		if v.first.IsZero() || row.Window.End.Before(v.first) {
			v.first = row.Window.End
		}
		if row.Window.End.After(v.last) {
			v.last = row.Window.End
		}
		for _, version := range b.record.Versions {
			v.judged[version] = true
		}
	}
	worst := map[string]rules.Outcome{} // by rule, of those that alarm
	for i := range reasons {
		r := &reasons[i]
		if r.Outcome == rules.Undecided || r.Outcome == rules.Broken {
			continue
		}
		if _, seen := worst[r.Rule]; !seen { // the worst comes first
			worst[r.Rule] = r.Outcome
		}
	}
	for name, outcome := range worst {
		line := b.byRule[name]
		b.add(line, v, row, outcome)
		for _, x := range b.of(v) {
			if window || outcome == rules.Failed {
				b.fired[name][x] = true
			}
		}
	}
	b.addTotal(v, row, worst, state)
	b.enlist(v, row, reasons, state, worst)
}

// of returns what was settled of the versions that the record is on.
func (b *Backtest) of(v *view) (found []*incident) {
	for _, version := range b.record.Versions {
		if x := v.incidents[version]; x != nil {
			found = append(found, x)
		}
	}
	return found
}

// add counts an alarm of a rule.
func (b *Backtest) add(line *Line, v *view, row *feature.RecordRow, outcome rules.Outcome) {
	if row.Kind != "window" {
		if outcome == rules.Failed {
			line.Undone++
		}
		return
	}
	line.Fired++
	switch outcome {
	case rules.Failed:
		line.Blocked++
	case rules.Warned:
		line.Warned++
	}
	switch settled := v.incidents[row.Version]; {
	case settled == nil:
		line.Unknown++
		if outcome == rules.Failed {
			line.BlockedUnknown++
		}
	case !settled.fault:
		line.False++
		if outcome == rules.Failed {
			line.BlockedFalse++
		}
	}
}

// addTotal counts a verdict for all rules together.
func (b *Backtest) addTotal(v *view, row *feature.RecordRow, worst map[string]rules.Outcome, state rules.State) {
	if len(worst) == 0 {
		return
	}
	outcome := rules.Observed
	switch state {
	case rules.Fail:
		outcome = rules.Failed
	case rules.Warn:
		outcome = rules.Warned
	}
	b.add(&b.total, v, row, outcome)
	for _, x := range b.of(v) {
		if row.Kind == "window" || outcome == rules.Failed {
			x.alarmed = true
		}
	}
}

// enlist lists a verdict that alarmed, then or now.
func (b *Backtest) enlist(v *view, row *feature.RecordRow, reasons []rules.Reason, state rules.State, worst map[string]rules.Outcome) {
	if len(worst) == 0 && string(state) == row.State && state == rules.Pass {
		return
	}
	if len(b.listed) >= mostListed {
		b.more++
		return
	}
	out := Verdict{Verdict: row.Verdict, View: v.def.Name, Kind: row.Kind, Version: uint64(row.Version), Window: row.Window, Was: rules.State(row.State), Would: state, Rules: []string{}}
	for i := range reasons {
		if i == 0 {
			out.Severity = reasons[i].Severity
		}
		if _, alarms := worst[reasons[i].Rule]; alarms && !slices.Contains(out.Rules, reasons[i].Rule) {
			out.Rules = append(out.Rules, reasons[i].Rule)
		}
	}
	b.listed = append(b.listed, out)
}

// Report returns what was found of windows that end up to to.
func (b *Backtest) Report(to time.Time) Report {
	r := Report{From: b.from, To: to, Windows: b.windows, Differ: b.differs, Items: []Line{}, Total: b.total, Verdicts: b.listed, More: b.more}
	if r.Verdicts == nil {
		r.Verdicts = []Verdict{}
	}
	for _, v := range b.views {
		for version, x := range v.incidents {
			switch {
			case !v.judged[version]:
			case !x.fault:
				r.Cleared++
			default:
				r.Faults++
				b.settle(v, x, &r.Total)
			}
		}
	}
	for i := range b.list {
		line := b.byRule[b.list[i].Name]
		b.reach(line, &b.list[i])
		r.Items = append(r.Items, *line)
	}
	b.reach(&r.Total, &rules.Rule{View: "*", Feature: "*"})
	return r
}

// reach fills in how many windows a rule read, and over how many days.
func (b *Backtest) reach(line *Line, rule *rules.Rule) {
	line.Windows, line.Days = 0, 0
	for _, v := range b.views {
		if rule.Applies(v.def) && v.windows > 0 {
			line.Windows += v.windows
			line.Days = max(line.Days, v.last.Sub(v.first).Hours()/24)
		}
	}
}

// settle counts a fault as caught or missed, by every rule that reads its view.
func (b *Backtest) settle(v *view, x *incident, total *Line) {
	if x.alarmed {
		total.Caught++
	} else {
		total.Missed++
	}
	for i := range b.list {
		rule := &b.list[i]
		switch {
		case b.fired[rule.Name][x]:
			b.byRule[rule.Name].Caught++
		case rule.Applies(v.def):
			b.byRule[rule.Name].Missed++
		}
	}
}
