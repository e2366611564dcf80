package court

import (
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"sluice/drift"
	"sluice/feature"
	"sluice/internal/judge"
	"sluice/materialize"
	"sluice/rules"
)

// InForceFunc returns the definitions in force, which nobody may change, and their
// generation, which rises with every change.
type InForceFunc func() (*feature.Definitions, uint64)

// Judges turns the gate's evidence into verdicts. It is safe for concurrent use;
// one view's are made one after another.
type Judges struct {
	inForce InForceFunc

	mu         sync.Mutex
	views      map[feature.ViewID]*viewJudge
	generation uint64
	known      bool
	rules      []rules.Rule
	budgets    map[string]float64 // level by project
}

type viewJudge struct {
	mu      sync.Mutex
	builder *judge.Builder
	pinned  *judge.Pinned
	read    *materialize.Reference // that pinned is
}

// reference returns what stands beside a view's history, decoded once; nil for nil.
func (v *viewJudge) reference(e *materialize.Evidence) (*judge.Pinned, error) {
	r := e.Pinned
	if r == nil || r == v.read {
		if r == nil {
			v.pinned, v.read = nil, nil
		}
		return v.pinned, nil
	}
	p, err := judge.NewPinned(r.Reference, r.Baseline, e.Layout, r.Windows, feature.Window{Start: r.From, End: r.To})
	if err != nil {
		return nil, fmt.Errorf("baseline of %s: %w", e.View.Name, err)
	}
	p.Reference.Prepare(e.View, e.Layout, p.Baseline)
	v.pinned, v.read = p, r
	return p, nil
}

// New returns judges of the definitions in force.
func New(inForce InForceFunc) *Judges {
	return &Judges{inForce: inForce, views: map[feature.ViewID]*viewJudge{}}
}

// of returns the judge of a view.
func (j *Judges) of(view feature.ViewID) *viewJudge {
	j.mu.Lock()
	defer j.mu.Unlock()
	v := j.views[view]
	if v == nil {
		v = &viewJudge{builder: judge.NewBuilder()}
		j.views[view] = v
	}
	return v
}

// law returns the rules in force, the default ones where the definitions name none, and
// the level that a project's budget leaves for one comparison.
func (j *Judges) law(project string) ([]rules.Rule, float64, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	defs, generation := j.inForce()
	if !j.known || j.generation != generation {
		list, err := RulesOf(defs)
		if err != nil {
			return nil, 0, err
		}
		j.rules, j.generation, j.known, j.budgets = list, generation, true, map[string]float64{}
	}
	level, known := j.budgets[project]
	if !known {
		level = BudgetLevel(defs, project)
		j.budgets[project] = level
	}
	return j.rules, level, nil
}

// RulesOf returns the rules of definitions; the default ones where they name none.
func RulesOf(defs *feature.Definitions) ([]rules.Rule, error) {
	if defs.Rules == "" {
		return rules.Default(), nil
	}
	list, err := rules.Parse(defs.Rules)
	if err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	return list, nil
}

// Judge is a materialize.JudgeFunc.
func (j *Judges) Judge(e materialize.Evidence) (materialize.Opinion, error) {
	of := j.of(e.View.ID)
	of.mu.Lock()
	defer of.mu.Unlock()
	evidence, err := j.evidence(e)
	if err != nil {
		return materialize.Opinion{}, err
	}
	if evidence.Pinned, err = of.reference(&e); err != nil {
		return materialize.Opinion{}, err
	}
	c, err := of.builder.Case(evidence)
	if err != nil {
		return materialize.Opinion{}, err
	}
	v, record, err := judge.Examine(c)
	if err != nil {
		return materialize.Opinion{}, err
	}
	opinion := materialize.Opinion{Verdict: v, Alarms: e.Alarms, Spread: e.Spread}
	if opinion.Record, err = record.MarshalBinary(); err != nil {
		return opinion, err
	}
	if opinion.Case, opinion.Blobs, err = c.Encode(); err != nil {
		return opinion, err
	}
	if e.Kind != judge.KindWindow {
		return opinion, nil
	}
	if opinion.Alarms, err = json.Marshal(c.Remember(&v)); err != nil {
		return opinion, err
	}
	if c.Reference != nil && c.Reference.Calibrated() && !c.Reference.Borrowed {
		if opinion.Spread, err = json.Marshal(c.Reference); err != nil {
			return opinion, err
		}
	}
	opinion.Summary, err = judge.Summaries(e.View, e.Current[0].Profile, &v)
	return opinion, err
}

// evidence adds to the gate's evidence what only the judge knows to read.
func (j *Judges) evidence(e materialize.Evidence) (judge.Evidence, error) {
	list, level, err := j.law(e.View.Project)
	if err != nil {
		return judge.Evidence{}, err
	}
	out := judge.Evidence{Kind: e.Kind, View: e.View, Window: e.Window, Versions: e.Versions, Layout: e.Layout,
		Current: windowProfiles(e.Current), History: fitted(windowProfiles(e.History), e.Fitted),
		Recent: windowProfiles(e.Recent), Baseline: e.Baseline, Rules: list,
		Level: Level(level, len(e.History))}
	if len(e.Alarms) > 0 {
		if err := json.Unmarshal(e.Alarms, &out.Memory); err != nil {
			return out, fmt.Errorf("alarms of %s: %w", e.View.Name, err)
		}
	}
	if len(e.Spread) > 0 && len(e.History) < drift.MinWindows { // else history has a spread of its own
		out.Old = &drift.Reference{}
		if err := json.Unmarshal(e.Spread, out.Old); err != nil {
			return out, fmt.Errorf("spread of %s: %w", e.View.Name, err)
		}
	}
	return out, nil
}

func windowProfiles(in []materialize.WindowProfile) []drift.WindowProfile {
	out := make([]drift.WindowProfile, len(in))
	for i, w := range in {
		out[i] = drift.WindowProfile{Window: w.Window, Profile: w.Profile}
	}
	return out
}

// fitted marks the windows of history that the layout was built from: those that start
// up to then.
func fitted(history []drift.WindowProfile, until time.Time) []drift.WindowProfile {
	for i := range history {
		history[i].Fitted = !history[i].Window.Start.After(until)
	}
	return history
}
