package materialize

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"sluice/feature"
	"sluice/quality/sketch"
	"sluice/rules"
)

// candidate is a window on its way to a decision.
type candidate struct {
	desk    *Desk
	book    *Book
	info    feature.VersionInfo
	profile *sketch.Profile
	shards  string // the row store's data sets when this began
	offline bool   // some of its rows are in the log alone: it must not show
	broken  error  // why the profile could not be made, or rows are missing; the verdict is then error
}

// decide takes one complete window through seal, audit, verdict and decision. What a
// crash between them leaves is taken up here: a sealed version is judged, a judged
// one passed over.
func (g *Gate) decide(ctx context.Context, view *feature.View, s *seat, due complete) error {
	info, err := g.deps.Registry.VersionOf(ctx, view.ID, due.window.Start)
	if err != nil {
		return fmt.Errorf("read version: %w", err)
	}
	untold := s.untold
	s.untold = nil
	if info.Step != feature.StepOpen && info.Step != feature.StepSealed {
		if untold != nil && untold.is(info) {
			g.told(ctx, untold.desk, untold.opinions)
		}
		return nil // judged before a restart, or the answer was lost
	}
	c := &candidate{info: info, offline: anyOffline(due.partials)}
	if c.shards, err = g.shards(ctx, view); err != nil { // before the desk: versions that open after a change are then on it
		return err
	}
	if err := g.dataset(ctx, view, s, due.window); err != nil {
		return err
	}
	if c.desk, err = g.desk(ctx, view); err != nil {
		return err
	}
	if c.book, err = g.read(ctx, s, c.desk); err != nil {
		return err
	}
	if err := g.profile(ctx, c, due); err != nil {
		return err
	}
	if info.Step == feature.StepOpen {
		if err := g.seal(ctx, c, due); err != nil {
			return err
		}
	}
	if err := g.audit(ctx, c); err != nil {
		return err
	}
	if err := g.pin(ctx, c); err != nil {
		return err
	}
	return g.judge(ctx, c, s)
}

// decision is what was decided of a window.
type decision struct {
	desk     *Desk
	opinions []Opinion
}

// is reports whether a version was judged by this decision.
func (x *decision) is(info feature.VersionInfo) bool {
	return info.DecidedAt.Equal(x.desk.now) && slices.ContainsFunc(x.opinions, func(o Opinion) bool { return o.Verdict.ID == info.Verdict })
}

// profile merges what the partitions hold of a window. If they profiled it over
// different layouts, or over an older one than is in force, its records are read
// again; if the log no longer holds them, nobody can say what they were like.
func (g *Gate) profile(ctx context.Context, c *candidate, due complete) error {
	layout, want := c.book.layout(), c.book.layout().Digest()
	c.profile = sketch.NewProfile(c.book.view, layout, g.deps.HashKey)
	for _, partial := range due.partials {
		if partial.Layout != want {
			return g.again(ctx, c, layout, due)
		}
	}
	for _, partial := range due.partials {
		p, err := sketch.UnmarshalProfile(partial.Profile, layout)
		if err != nil {
			return fmt.Errorf("partial of %s/%d: %w", partial.Topic, partial.Partition, err)
		}
		if err := c.profile.Merge(p); err != nil {
			return fmt.Errorf("merge partial of %s/%d: %w", partial.Topic, partial.Partition, err)
		}
	}
	return nil
}

// again reads a window's records from the log.
func (g *Gate) again(ctx context.Context, c *candidate, layout *sketch.Layout, due complete) error {
	profile, err := g.deps.Log.Profile(ctx, c.book.view, layout, due.window, spans(due.partials))
	if errors.Is(err, feature.ErrExpired) {
		c.broken = err
		return nil
	}
	if err != nil {
		return fmt.Errorf("profile over layout %s: %w", layout.Digest(), err)
	}
	c.profile = profile
	return nil
}

func spans(partials []sketch.Partial) []feature.Span {
	var all []feature.Span
	for _, p := range partials {
		all = append(all, p.Span)
	}
	return all
}

// seal closes the version to further rows: its row count, bytes and digest are
// fixed, and no partition that was counted idle has come back.
func (g *Gate) seal(ctx context.Context, c *candidate, due complete) error {
	c.info.Step, c.info.Rows, c.info.Bytes, c.info.Digest, c.info.Spans = feature.StepSealed, 0, 0, c.profile.Digest(), spans(due.partials)
	for _, p := range due.partials {
		c.info.Rows += p.Rows
		c.info.Bytes += p.Bytes
	}
	err := g.commit(ctx, feature.Commit{View: c.desk.view.ID, IfGeneration: c.desk.before.Generation, Seal: &feature.Seal{Idle: due.idle},
		Versions: []feature.VersionInfo{c.info}, Now: c.desk.now})
	if err != nil {
		return fmt.Errorf("seal version %d: %w", c.info.Version, err)
	}
	return nil
}

// judge has a sealed window judged, works out the decision and commits it. Only
// then does the book change. What a commit whose answer was lost decided is kept, so that
// people are told once it is known to stand.
func (g *Gate) judge(ctx context.Context, c *candidate, s *seat) error {
	c.desk.put(c.info)
	c.desk.moved(c.shards)
	if c.offline {
		c.desk.noteOffline(c.info.Version)
	}
	evidence, err := g.evidence(ctx, c)
	if err != nil {
		return err
	}
	opinion := g.opinion(evidence, c.broken)
	g.stamp(&opinion.Verdict, evidence, c.desk)
	c.desk.memory.Alarms, c.desk.memory.Spread = opinion.Alarms, opinion.Spread
	g.trip(c)
	opinion.Verdict.LeftOut = c.leftOut()
	c.desk.Judged(&opinion.Verdict, evidence.Versions)
	fresh, err := admissible(c, evidence, opinion)
	if err != nil {
		return err
	}
	opinions := []Opinion{opinion}
	if probation, ok, err := g.probation(c, fresh); err != nil {
		return err
	} else if ok {
		opinions = append(opinions, probation)
	}
	c.desk.Settle()
	for i := range opinions {
		if err := g.exposed(ctx, c.desk.view, &opinions[i].Verdict); err != nil {
			return err
		}
		c.desk.Tell(&opinions[i].Verdict, c.info.Version)
	}
	commit, err := withVerdicts(c.desk.Commit(), opinions)
	if err != nil {
		return err
	}
	if fresh != nil && slices.Contains(c.desk.expelled, fresh.version) {
		fresh = nil
	}
	if commit.DropHistory, err = g.leaving(ctx, c); err != nil {
		return err
	}
	if fresh != nil {
		commit.History = append(commit.History, fresh.row)
	}
	reference, err := c.refer(evidence, opinion)
	if err != nil {
		return err
	}
	if reference != nil {
		commit.Baseline = reference.row(c.desk.now)
	}
	if err := g.commit(ctx, commit); err != nil {
		s.untold = &decision{c.desk, opinions}
		return fmt.Errorf("decide version %d: %w", c.info.Version, err)
	}
	c.book.expel(commit.DropHistory)
	if fresh != nil {
		c.book.admit(*fresh)
	}
	if reference != nil {
		c.book.reference = reference
		g.log.Info("reference pinned", "view", c.book.view.Name, "layout", reference.Layout, "windows", reference.Windows, "from", reference.From, "to", reference.To)
	}
	g.told(ctx, c.desk, opinions)
	return nil
}

// leaving returns the windows of history that the versions had which the decision takes out.
// Those whose rows came from the log may have several, and are in history under other
// numbers.
func (g *Gate) leaving(ctx context.Context, c *candidate) ([]time.Time, error) {
	starts := c.book.starts(c.desk.expelled)
	again := slices.DeleteFunc(slices.Clone(c.desk.expelled), func(version feature.Version) bool { return c.desk.versions[version].Kind != feature.KindApproved })
	more, err := leaving(ctx, g.deps.Registry, c.desk, again)
	return append(starts, more...), err
}

// leftOut says why the window does not enter history although it may pass; empty if it
// does. A backfill is a window that was written long after later ones were judged: it
// tells of another time than the windows that history is to follow.
func (c *candidate) leftOut() string {
	if name := c.book.view.Occasion(c.info.Window); name != "" {
		return "declared occasion " + name
	}
	if c.desk.poison != "" {
		return "source: " + c.desk.poison
	}
	n := len(c.book.entries)
	if c.info.Kind == feature.KindBatch {
		return "backfill: a batch"
	}
	if p := c.profile; p != nil && p.Backfill() {
		return fmt.Sprintf("backfill: declared for %d of %d writes", p.Backfilled, p.Total())
	}
	if c.book.dataset == nil && n > 0 {
		if newest := c.book.entries[n-1].window; newest.Start.Sub(c.info.Window.Start) > feature.MaxVisible*c.book.view.Window.Size {
			return "backfill: windows up to " + newest.End.Format(time.RFC3339) + " were judged before"
		}
	}
	return ""
}

// admissible returns the window as one of history: if it passed on its own.
func admissible(c *candidate, e Evidence, o Opinion) (*entry, error) {
	if o.Verdict.State != rules.Pass && o.Verdict.State != rules.Warn || len(e.Versions) != 1 || o.Verdict.LeftOut != "" {
		return nil, nil
	}
	fresh, err := newEntry(c.info.Window, c.info.Version, c.profile, false, o.Summary)
	return &fresh, err
}

// withVerdicts adds verdicts, with what recomputes them, to a commit.
func withVerdicts(c feature.Commit, opinions []Opinion) (feature.Commit, error) {
	c.Blobs = map[string][]byte{}
	for _, o := range opinions {
		v := &o.Verdict
		body, err := json.Marshal(v)
		if err != nil {
			return c, fmt.Errorf("encode verdict %s: %w", v.ID, err)
		}
		c.Verdicts = append(c.Verdicts, feature.VerdictRow{ID: v.ID, Kind: v.Kind, Window: v.Window, Version: v.Version,
			State: string(v.State), Decision: v.Decision, At: v.DecidedAt, Body: body, Case: o.Case, Record: o.Record})
		for digest, blob := range o.Blobs {
			c.Blobs[digest] = blob
		}
		for i := range c.Notices {
			if n := &c.Notices[i]; n.Alert.Verdict == v.ID {
				n.Window, n.Reasons = v.Window, texts(v.Reasons)
			}
		}
	}
	return c, nil
}

// told logs and counts what was decided, after it is committed.
func (g *Gate) told(ctx context.Context, desk *Desk, opinions []Opinion) {
	for _, o := range opinions {
		v := o.Verdict
		g.metrics.verdict(desk.view, &v)
		if v.Kind == "window" {
			g.score(ctx, desk.view, &v)
		}
		if v.Kind == "window" || v.Decision == "rollback" {
			g.log.Info("decided", "view", desk.view.Name, "window", v.Window.Start.Format(time.RFC3339), "version", v.Version,
				"state", v.State, "decision", v.Decision, "verdict", v.ID, "why", why(&v))
		}
	}
	g.metrics.vector(desk)
}
