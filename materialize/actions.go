package materialize

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"sluice/feature"
)

// Action is what a person asks of a view.
type Action struct {
	View         *feature.View
	Version      feature.Version
	By           string
	Reason       string
	IfGeneration *uint64 // nil: whatever is in force
	AsNormal     bool    // approve: also admit the window to history
}

// Result is what an action left in force.
type Result struct {
	Generation uint64            `json:"generation"`
	Visible    []feature.Version `json:"visible"`
	Audit      string            `json:"audit"`
}

// Actions does what people ask for. Every action is one compare-and-set with its
// audit row; a lost race is tried again unless the caller named a generation. It
// is safe for concurrent use.
type Actions struct {
	deps    Deps
	metrics *metrics
	gate    *Gate // of this process; nil if it runs elsewhere
}

// NewActions returns the actions of a platform; gate may be nil if it runs elsewhere.
func NewActions(deps Deps, gate *Gate) *Actions {
	if gate == nil {
		return &Actions{deps: deps, metrics: newMetrics(deps.Registerer)}
	}
	return &Actions{deps: deps, metrics: gate.metrics, gate: gate}
}

const actionTries = 5

// change is what an action does to a desk.
type change func(ctx context.Context, d *Desk, act Action) error

// Act does one of approve, reject, rollback, freeze, thaw and false_alarm. Errors are
// *feature.Error with a code of the contract.
func (a *Actions) Act(ctx context.Context, name string, act Action) (Result, error) {
	if act.Reason == "" && name != "thaw" && name != "freeze" {
		return Result{}, &feature.Error{Code: feature.CodeInvalidArgument, Message: name + " without a reason", Hint: "say why, for the audit log: --reason TEXT"}
	}
	act.By = person(act.By)
	switch name {
	case "approve":
		return a.approve(ctx, act)
	case "reject":
		return a.do(ctx, name, act, a.reject)
	case "rollback":
		return a.rollback(ctx, act)
	case "freeze":
		return a.do(ctx, name, act, a.freeze)
	case "thaw":
		return a.do(ctx, name, act, a.thaw)
	case "false_alarm":
		return a.do(ctx, name, act, a.falseAlarm)
	}
	return Result{}, &feature.Error{Code: feature.CodeInvalidArgument, Message: fmt.Sprintf("action %q", name), Hint: "use approve, reject, rollback, freeze, thaw or false_alarm"}
}

// person names who acts, so that it is told from the gate and from nobody.
func person(by string) string {
	switch by {
	case "":
		return "anonymous"
	case byGate:
		return "person:" + by
	}
	return by
}

// do makes a change, again if the view changed meanwhile.
func (a *Actions) do(ctx context.Context, name string, act Action, make change) (Result, error) {
	return a.retry(ctx, name, act, func() (Result, error) { return a.once(ctx, act, make) })
}

func (a *Actions) retry(ctx context.Context, name string, act Action, try func() (Result, error)) (result Result, err error) {
	for range actionTries {
		result, err = try()
		if !errors.Is(err, feature.ErrConflict) || act.IfGeneration != nil || ctx.Err() != nil {
			break
		}
	}
	if errors.Is(err, feature.ErrConflict) {
		err = &feature.Error{Code: feature.CodeConflict, Message: fmt.Sprintf("%s %s: the view changed meanwhile", name, act.View.Name), Hint: "look at its versions and try again"}
	}
	return result, err
}

// desk reads the state of this moment for a person.
func (a *Actions) desk(ctx context.Context, act Action) (*Desk, error) {
	now, _ := a.deps.Clock.Now()
	desk, err := readDesk(ctx, a.deps.Registry, act.View, now.UTC())
	if err != nil {
		return nil, err
	}
	if act.IfGeneration != nil && *act.IfGeneration != desk.before.Generation {
		return nil, feature.ErrConflict
	}
	desk.by = act.By
	return desk, nil
}

// once makes a change against the state of this moment.
func (a *Actions) once(ctx context.Context, act Action, make change) (Result, error) {
	desk, err := a.desk(ctx, act)
	if err != nil {
		return Result{}, err
	}
	if err := make(ctx, desk, act); err != nil {
		return Result{}, err
	}
	drop, err := leaving(ctx, a.deps.Registry, desk, desk.expelled)
	if err != nil {
		return Result{}, err
	}
	if len(drop)+len(desk.admit) > 0 {
		desk.memory.Book++
	}
	desk.Settle()
	c := desk.Commit()
	c.DropHistory = drop
	return a.apply(ctx, desk, c)
}

// leaving returns the windows of history that some of the desk's versions had.
func leaving(ctx context.Context, r Records, d *Desk, versions []feature.Version) (starts []time.Time, err error) {
	for _, version := range versions {
		info := d.versions[version]
		windows := []feature.Window{info.Window}
		if info.Kind == feature.KindApproved {
			windows = windows[:0]
			for _, part := range info.Parts() {
				windows = append(windows, part.Window)
			}
		}
		for _, w := range windows {
			rows, err := r.History(ctx, d.view.ID, w.Start, w.Start.Add(time.Nanosecond))
			if err != nil {
				return nil, fmt.Errorf("read history of %s: %w", d.view.Name, err)
			}
			if len(rows) == 0 {
				continue
			}
			if had, err := had(ctx, r, d, info, rows[0].Version); err != nil {
				return nil, err
			} else if had {
				starts = append(starts, w.Start)
			}
		}
	}
	return starts, nil
}

// had reports whether a window of history is a version's: it is in history under its own
// number, or, if its rows came from the log, under that of the dead version whose rows they
// are.
func had(ctx context.Context, r Records, d *Desk, info *feature.VersionInfo, version feature.Version) (bool, error) {
	if version == info.Version || info.Kind != feature.KindApproved {
		return version == info.Version, nil
	}
	of, err := r.Version(ctx, d.view.ID, version)
	if err != nil {
		return false, fmt.Errorf("read version %d: %w", version, err)
	}
	return of.State.Dead() && info.Has(&of), nil
}

// apply commits what a person did.
func (a *Actions) apply(ctx context.Context, desk *Desk, c feature.Commit) (Result, error) {
	for i := range c.Audit {
		c.Audit[i].ID = auditID(desk, i)
	}
	vector, err := a.deps.Registry.Apply(ctx, c)
	if err != nil {
		return Result{}, fmt.Errorf("change %s: %w", desk.view.Name, err)
	}
	if desk.by != byGate {
		a.metrics.overrides.WithLabelValues(desk.view.Name).Inc()
	}
	a.metrics.vector(desk)
	result := Result{Generation: vector.Generation, Visible: append([]feature.Version{}, vector.Visible...)}
	if len(c.Audit) > 0 {
		result.Audit = c.Audit[0].ID
	}
	return result, nil
}

// auditID names an audit row so that the answer can, before the registry has it.
// Several processes may act on one view at one moment of a manual clock: the random
// part keeps their rows apart.
func auditID(d *Desk, i int) string {
	return fmt.Sprintf("%013x-%x-%x-%x-%s", d.now.UnixMilli(), d.view.ID, d.before.Generation, i, rand.Text()[:10])
}

// find returns the version an action speaks of.
func (a *Actions) find(ctx context.Context, d *Desk, act Action) (*feature.VersionInfo, error) {
	if act.Version == 0 {
		return nil, &feature.Error{Code: feature.CodeInvalidArgument, Message: "no version named", Hint: "add --version N; `sluice versions " + act.View.Name + "` lists them"}
	}
	if info := d.versions[act.Version]; info != nil {
		return info, nil
	}
	info, err := a.deps.Registry.Version(ctx, act.View.ID, act.Version)
	if errors.Is(err, feature.ErrNotFound) {
		return nil, &feature.Error{Code: feature.CodeInvalidArgument, Message: fmt.Sprintf("%s has no version %d", act.View.Name, act.Version), Hint: "`sluice versions " + act.View.Name + "` lists them"}
	}
	if err != nil {
		return nil, fmt.Errorf("read version %d: %w", act.Version, err)
	}
	return &info, nil
}

// rollback takes a visible version out. Other versions, older and newer, stay.
// Taking out what is out already changes nothing.
func (a *Actions) rollback(ctx context.Context, act Action) (Result, error) {
	var out bool
	result, err := a.do(ctx, "rollback", act, func(ctx context.Context, d *Desk, act Action) (err error) {
		out, err = a.takeOut(ctx, d, act)
		return err
	})
	if err == nil && out {
		a.metrics.rollbacks.WithLabelValues(act.View.Name, "person").Inc()
	}
	return result, err
}

func (a *Actions) takeOut(ctx context.Context, d *Desk, act Action) (out bool, err error) {
	info, err := a.find(ctx, d, act)
	if err != nil {
		return false, err
	}
	switch {
	case info.State == feature.StateRolledBack:
		return false, nil
	case act.Version <= d.floor && info.State == feature.StateVisible:
		return false, &feature.Error{Code: feature.CodeCertified, Message: fmt.Sprintf("%s version %d is certified: its older rows are gone", act.View.Name, act.Version), Hint: "publish corrected rows instead"}
	case !d.listed(act.Version):
		return false, &feature.Error{Code: feature.CodeConflict, Message: fmt.Sprintf("%s version %d is %s, not visible", act.View.Name, act.Version, info.State), Hint: "only a visible version can be rolled back"}
	case info.Step == feature.StepOpen || info.Step == feature.StepSealed:
		return false, &feature.Error{Code: feature.CodeConflict, Message: fmt.Sprintf("%s version %d still takes rows", act.View.Name, act.Version), Hint: "wait until its window is judged"}
	}
	d.end(info.Version, feature.StateRolledBack, act.Reason)
	d.note("rollback", info.Version, act.Reason)
	return true, nil
}

// reject ends a held version.
func (a *Actions) reject(ctx context.Context, d *Desk, act Action) error {
	info, err := a.find(ctx, d, act)
	if err != nil {
		return err
	}
	switch {
	case info.State == feature.StateRejected:
		return nil
	case d.shelved(info.Version): // dead already; now its rows stay in the log
		d.put(*info)
		d.end(info.Version, info.State, act.Reason)
		d.note("reject", info.Version, act.Reason)
		return nil
	case info.State == feature.StateHeld || d.waits(info):
		d.end(info.Version, feature.StateRejected, act.Reason)
		d.note("reject", info.Version, act.Reason)
		return nil
	}
	hint := "only a held version can be rejected"
	if info.State == feature.StateVisible {
		hint = "a visible version is taken out by rollback"
	}
	return &feature.Error{Code: feature.CodeConflict, Message: fmt.Sprintf("%s version %d is %s", act.View.Name, act.Version, info.State), Hint: hint}
}

// freeze makes every decision hold until the view is thawed.
func (a *Actions) freeze(_ context.Context, d *Desk, act Action) error {
	if !d.frozen {
		d.frozen = true
		d.note("freeze", 0, act.Reason)
		text := fmt.Sprintf("%s was frozen by %s", act.View.Name, act.By)
		if act.Reason != "" { // a freeze needs none
			text += ": " + act.Reason
		}
		d.alert("frozen", 0, "", text)
	}
	return nil
}

// thaw ends a freeze. Versions that passed meanwhile are published in their order.
func (a *Actions) thaw(_ context.Context, d *Desk, act Action) error {
	if d.frozen {
		d.frozen, d.refuse = false, false
		d.note("thaw", 0, act.Reason)
		d.resolve("frozen")
	}
	return nil
}

// falseAlarm notes that there was nothing wrong with a version, whatever was said of it:
// for those who weigh the rules. What is visible stays as it is.
func (a *Actions) falseAlarm(ctx context.Context, d *Desk, act Action) error {
	info, err := a.find(ctx, d, act)
	if err != nil || info.FalseAlarm {
		return err
	}
	if info.Step == feature.StepOpen || info.Step == feature.StepSealed {
		return &feature.Error{Code: feature.CodeConflict, Message: fmt.Sprintf("%s version %d is not judged yet", act.View.Name, act.Version), Hint: "wait until its window is judged"}
	}
	d.put(*info)
	d.touch(info.Version).FalseAlarm = true
	d.note("false_alarm", info.Version, act.Reason)
	return nil
}
