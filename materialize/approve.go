package materialize

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"

	"sluice/feature"
)

// approval is one approval under way.
type approval struct {
	*Actions
	fresh  *feature.VersionInfo // opened for the rows of a dead version, all staged
	whole  bool                 // the rows of the version that were left out are staged
	shards string               // the row store's data sets when staging began
}

// approve publishes what the gate kept out. A held version's rows are still
// staged; those of a dead one are staged again, once, from the log as a new
// version. Nothing is visible before the commit, and a version that does not come
// that far is ended, so that the floor can pass it.
func (a *Actions) approve(ctx context.Context, act Action) (Result, error) {
	return a.staging(ctx, "approve", act, (*approval).publish)
}

// staging makes a change that may open a version and stage rows into it.
func (a *Actions) staging(ctx context.Context, name string, act Action, make func(*approval, context.Context, *Desk, Action) error) (Result, error) {
	if a.gate != nil {
		a.gate.staging.RLock()
		defer a.gate.staging.RUnlock()
	}
	p := &approval{Actions: a}
	result, err := a.do(ctx, name, act, func(ctx context.Context, d *Desk, act Action) error { return make(p, ctx, d, act) })
	if err != nil && p.fresh != nil && p.close(context.WithoutCancel(ctx), act) {
		err = fmt.Errorf("%w: %w", errTookEffect, err)
	}
	return result, err
}

func (p *approval) publish(ctx context.Context, d *Desk, act Action) error {
	info, err := p.find(ctx, d, act)
	if err != nil {
		return err
	}
	if err := approvable(d, info); err != nil {
		return err
	}
	if err := p.unpublished(ctx, act.View, info); err != nil {
		return err
	}
	version := info.Version
	switch {
	case info.State.Dead():
		version, err = p.restaged(ctx, d, act, *info)
	case d.offline(version):
		err = p.complete(ctx, act, *info)
	}
	if err == nil {
		err = p.unmoved(ctx, act.View)
	}
	if err != nil {
		return err
	}
	if d.shelved(info.Version) {
		d.put(*info)
		d.touch(info.Version).Reason = publishedAs(version)
	}
	d.memory.drop(info.Version)
	d.memory.Offline = slices.DeleteFunc(d.memory.Offline, func(v feature.Version) bool { return v == info.Version })
	d.list(version)
	shown := d.touch(version)
	shown.DecidedBy, shown.DecidedAt, shown.Reason = d.by, d.now, act.Reason
	d.note("approve", info.Version, act.Reason)
	d.recover(version, info.Verdict)
	if act.AsNormal {
		return p.asNormal(ctx, d, act, *shown)
	}
	return nil
}

// approvable says why a version cannot be approved now; nil if it can.
func approvable(d *Desk, info *feature.VersionInfo) error {
	view := d.view.Name
	switch {
	case d.frozen:
		return &feature.Error{Code: feature.CodeFrozen, Message: view + " is frozen", Hint: "thaw it first: sluice thaw " + view}
	case info.State != feature.StateHeld && !info.State.Dead() && !d.waits(info):
		return &feature.Error{Code: feature.CodeConflict, Message: fmt.Sprintf("%s version %d is %s", view, info.Version, info.State),
			Hint: "only a held, rejected, expired or rolled back version can be approved"}
	case info.Kind == feature.KindApproved && len(info.Spans) == 0:
		return &feature.Error{Code: feature.CodeConflict, Message: fmt.Sprintf("%s version %d has no rows: the approval that it was opened for did not come to its end", view, info.Version),
			Hint: fmt.Sprintf("approve version %d", info.ApprovedOf)}
	case len(d.visible) >= feature.MaxVisible:
		return &feature.Error{Code: feature.CodeLimit, Message: fmt.Sprintf("%s shows %d versions above the floor already", view, feature.MaxVisible),
			Hint: "wait until the next window is judged, which certifies the oldest, or roll one back"}
	}
	return nil
}

// unpublished says under which version the rows of a dead one show already; nil if they do
// not. One that is certified counts as well: what was deleted since may have been folded
// away, and would come back with the same rows.
func (p *approval) unpublished(ctx context.Context, view *feature.View, info *feature.VersionInfo) error {
	if !info.State.Dead() {
		return nil
	}
	later, err := p.deps.Registry.Versions(ctx, view.ID, info.Version, 0)
	if err != nil {
		return fmt.Errorf("list versions: %w", err)
	}
	for _, other := range later {
		if other.State == feature.StateVisible && (other.ApprovedOf == info.Version || other.Kind == feature.KindApproved && other.Has(info)) {
			return &feature.Error{Code: feature.CodeConflict, Message: fmt.Sprintf("%s version %d is published already, as version %d", view.Name, info.Version, other.Version), Hint: "nothing is left to do"}
		}
	}
	return nil
}

// restaged puts the version with a dead one's rows on the desk, and stages them if
// an earlier try has not.
func (p *approval) restaged(ctx context.Context, d *Desk, act Action, dead feature.VersionInfo) (feature.Version, error) {
	if p.fresh == nil {
		if err := p.begin(ctx, act.View); err != nil {
			return 0, err
		}
		if err := p.open(ctx, act.View, dead.Version, dead.Window); err != nil {
			return 0, fmt.Errorf("open a version for the rows of %d: %w", dead.Version, err)
		}
		if err := p.restage(ctx, act, dead); err != nil {
			return 0, err
		}
	}
	fresh := *p.fresh
	fresh.Step, fresh.Digest, fresh.Verdict, fresh.Spans = feature.StepDecided, dead.Digest, dead.Verdict, dead.Spans
	d.put(fresh)
	return fresh.Version, nil
}

// open opens the version that rows come into, of a dead one or the last of several. Where
// the registry's answer is lost it may be open all the same, and the floor would wait for it:
// its reason names this opening among all, by which it is found again, and used, or ended as
// others are that do not come to their end.
func (p *approval) open(ctx context.Context, view *feature.View, of feature.Version, window feature.Window) error {
	opening := "its rows are staged from the log: " + rand.Text()
	fresh, err := p.deps.Registry.OpenKind(ctx, view, feature.VersionInfo{Kind: feature.KindApproved, ApprovedOf: of, Window: window, Reason: opening})
	if err == nil {
		p.fresh = &fresh
		return nil
	}
	later, failed := p.opened(context.WithoutCancel(ctx), view, of, err)
	if failed != nil {
		p.leave(view, opening, failed)
		return err
	}
	at := slices.IndexFunc(later, func(info feature.VersionInfo) bool { return info.Step == feature.StepOpen && info.Reason == opening })
	if at < 0 {
		return err
	}
	p.fresh = &later[at]
	p.deps.Logger.Info("the registry's answer was lost, and the version is open", "view", view.Name, "version", p.fresh.Version, "err", err)
	return nil
}

// opened lists the versions after one, once an opening that gave err is over: the registry
// may not have carried it out yet.
func (p *approval) opened(ctx context.Context, view *feature.View, after feature.Version, err error) ([]feature.VersionInfo, error) {
	if errors.Is(err, feature.ErrUncertain) {
		if err := p.deps.Registry.Await(ctx, view.ID); err != nil {
			return nil, err
		}
	}
	return p.deps.Registry.Versions(ctx, view.ID, after, 0)
}

// leave leaves it to the gate to end what an opening opened, if it did and is open still.
func (p *approval) leave(view *feature.View, opening string, err error) {
	if p.gate != nil {
		p.gate.unanswered.add(view.ID, opening)
	}
	p.deps.Logger.Warn("a version for rows from the log may be open still; the gate ends it", "view", view.Name, "err", err)
}

// begin says why no rows may be staged from the log for a person now, and notes which
// servers they go to.
func (p *approval) begin(ctx context.Context, view *feature.View) (err error) {
	if p.deps.Room != nil {
		err = p.deps.Room(view)
	}
	if err == nil {
		err = p.meet(ctx, view)
	}
	return err
}

// meet notes the servers that rows go to.
func (p *approval) meet(ctx context.Context, view *feature.View) (err error) {
	if p.deps.Shards != nil {
		p.shards, err = p.deps.Shards(ctx, view)
	}
	return err
}

// unmoved refuses rows that were staged if servers of the row store have changed since: some
// may be lost that were acknowledged, and whoever reads rows back after a change looks at
// versions that are judged. It comes after the desk is read: a change after it is found
// then, or the commit refused.
func (p *approval) unmoved(ctx context.Context, view *feature.View) error {
	if p.deps.Shards == nil || p.fresh == nil && !p.whole {
		return nil
	}
	now, err := p.deps.Shards(ctx, view)
	if err == nil && now != p.shards {
		err = &feature.Error{Code: feature.CodeUnavailable, Message: fmt.Sprintf("the online store's servers changed while rows of %s were staged from the log: some may be lost", view.Name), Hint: "ask again"}
	}
	return err
}

// complete stages the rows of a held version that taps left out, with all others of it.
func (p *approval) complete(ctx context.Context, act Action, held feature.VersionInfo) error {
	if p.whole {
		return nil
	}
	if err := p.begin(ctx, act.View); err != nil {
		return err
	}
	_, _, err := p.stage(ctx, act, held, held.Version)
	p.whole = err == nil
	return err
}

// restage reads a version's rows from the log again and stages them as the fresh one's, which
// has as many as the log gave.
func (p *approval) restage(ctx context.Context, act Action, dead feature.VersionInfo) error {
	bytes, rows, err := p.stage(ctx, act, dead, p.fresh.Version)
	p.fresh.Bytes += bytes
	p.fresh.Rows += rows
	return err
}

// notTaken says of an error of the online store what people are told.
func notTaken(view *feature.View, version feature.Version, err error) error {
	if err == nil {
		return nil
	}
	said := &feature.Error{
		Code:    feature.CodeUnavailable,
		Message: fmt.Sprintf("the online store did not take the rows of %s version %d, and nothing has changed for readers", view.Name, version),
		Hint:    "`sluice doctor` says how its servers are; ask again once they take writes",
	}
	return fmt.Errorf("%w: %w: %w", said, feature.ErrUnavailable, err)
}

// stage reads a version's rows from the log again and stages them, as those of another. Where
// they are not as many as were counted when it was sealed people are told by the log: the
// definitions of the time are not known any more, or the view has other join keys.
func (p *approval) stage(ctx context.Context, act Action, info feature.VersionInfo, as feature.Version) (bytes, rows uint64, err error) {
	err = rowsOf(ctx, p.deps.Log, act.View, &info, as, func(batch []feature.Row) error {
		n, err := p.deps.Rows.Stage(ctx, act.View.ID, as, batch)
		bytes, rows = bytes+n, rows+uint64(len(batch))
		return notTaken(act.View, info.Version, err)
	})
	if err == nil {
		err = notTaken(act.View, info.Version, p.deps.Rows.Sync(ctx))
	}
	switch {
	case errors.Is(err, feature.ErrExpired):
		return bytes, rows, &feature.Error{Code: feature.CodeExpired, Message: fmt.Sprintf("the log no longer holds the rows of %s version %d", act.View.Name, info.Version), Hint: "push the rows again"}
	case err != nil:
		return bytes, rows, fmt.Errorf("stage the rows of version %d again: %w", info.Version, err)
	case rows == 0 && info.Rows > 0:
		return bytes, rows, &feature.Error{
			Code:    feature.CodeExpired,
			Message: fmt.Sprintf("the log gives none of the %d rows of %s version %d: by no definition that is known they are rows of the view", info.Rows, act.View.Name, info.Version),
			Hint:    "push the rows again",
		}
	case rows != info.Rows:
		p.deps.Logger.Error("rows of a version that were read from the log again are not as many as were counted", "view", act.View.Name, "version", info.Version, "as", as, "read", rows, "counted", info.Rows)
	}
	return bytes, rows, nil
}

// errTookEffect ends a try to undo what is in force; errEnded one to end what somebody else
// has ended.
var (
	errTookEffect = errors.New("it took effect, and the answer was lost")
	errEnded      = errors.New("it is ended already")
)

// close ends a version that was opened and not published. One whose commit took effect,
// though its answer was lost, stays as it is: it may be certified by then, and nothing else
// has its rows. published reports that.
func (p *approval) close(ctx context.Context, act Action) (published bool) {
	act.IfGeneration = nil
	_, err := p.do(ctx, "abandon", act, func(ctx context.Context, d *Desk, act Action) error {
		now, err := p.deps.Registry.Version(ctx, act.View.ID, p.fresh.Version)
		if err != nil {
			return fmt.Errorf("read version %d: %w", p.fresh.Version, err)
		}
		switch {
		case now.State.Dead():
			return errEnded
		case now.Step != feature.StepOpen:
			return errTookEffect
		}
		d.by = byGate
		d.abandon(*p.fresh)
		return nil
	})
	switch {
	case errors.Is(err, errTookEffect):
		p.deps.Logger.Info("the registry's answer was lost, and the version is published", "view", act.View.Name, "version", p.fresh.Version)
		return true
	case err != nil && !errors.Is(err, errEnded):
		p.leave(act.View, p.fresh.Reason, fmt.Errorf("end version %d: %w", p.fresh.Version, err))
	}
	return false
}

// asNormal also makes the approved window part of history.
func (p *approval) asNormal(ctx context.Context, d *Desk, act Action, info feature.VersionInfo) error {
	if err := single(act, info); err != nil {
		return err
	}
	book, err := readBook(ctx, p.deps.Registry, act.View, p.deps.HashKey)
	if err != nil {
		return err
	}
	profile, err := p.deps.Log.Profile(ctx, act.View, book.layout(), info.Window, info.Spans)
	if err != nil {
		return expired(err, act, info)
	}
	e, err := newEntry(info.Window, info.Version, profile, true, nil)
	if err != nil {
		return err
	}
	d.admit = append(d.admit, e.row)
	return nil
}

// single refuses a version that joins windows where one window is asked for.
func single(act Action, info feature.VersionInfo) error {
	if len(info.Parts()) < 2 {
		return nil
	}
	return &feature.Error{Code: feature.CodeConflict, Message: fmt.Sprintf("%s version %d has rows of several windows", act.View.Name, info.Version), Hint: "choose a version of one window"}
}

// expired turns a log that no longer reaches back into the contract's answer.
func expired(err error, act Action, info feature.VersionInfo) error {
	if !errors.Is(err, feature.ErrExpired) {
		return fmt.Errorf("profile version %d again: %w", info.Version, err)
	}
	return &feature.Error{Code: feature.CodeExpired, Message: fmt.Sprintf("the log no longer holds the rows of %s version %d", act.View.Name, info.Version), Hint: "choose a version within the log's retention"}
}
