package sim

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"sluice/feature"
)

// Apply checks a commit as a whole, and then carries it out as a whole.
func (l *ledger) Apply(ctx context.Context, c feature.Commit) (feature.Vector, error) {
	if err := ctx.Err(); err != nil {
		return feature.Vector{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.View == 0 {
		return feature.Vector{}, refuse("view without id")
	}
	s := l.shelf(c.View)
	old := s.current()
	next, err := l.check(s, &c)
	if err != nil {
		return old, fmt.Errorf("apply to view %d at generation %d: %w", c.View, c.IfGeneration, err)
	}
	for _, info := range c.Versions {
		s.versions[info.Version-1] = inUTC(info)
	}
	if c.Vector != nil {
		s.vector = &next
	}
	l.record(s, &c, old, next)
	l.signal()
	return next, nil
}

func inUTC(info feature.VersionInfo) feature.VersionInfo {
	info.Window, info.DecidedAt, info.PublishedAt = utc(info.Window), info.DecidedAt.UTC(), info.PublishedAt.UTC()
	return info
}

// check refuses a commit that may not be carried out and returns the vector after it.
func (l *ledger) check(s *shelf, c *feature.Commit) (next feature.Vector, err error) {
	old := s.current()
	switch {
	case c.Vector != nil && len(c.Audit) == 0:
		return next, refuse("a change of vector without an audit row")
	case c.Owner != "" && (l.epochs[c.Owner] != c.Epoch || c.Epoch == 0):
		return next, fmt.Errorf("epoch %d, current %d: %w", c.Epoch, l.epochs[c.Owner], feature.ErrFenced)
	case old.Generation != c.IfGeneration:
		return next, fmt.Errorf("the vector has generation %d: %w", old.Generation, feature.ErrConflict)
	}
	if c.Seal != nil {
		for name, left := range c.Seal.Idle {
			if s.idle[name] != left {
				return next, fmt.Errorf("%s has left idleness: %w", name, feature.ErrConflict)
			}
		}
	}
	for digest, blob := range c.Blobs {
		if digest != digestOf(blob) {
			return next, refuse("blob %.20q has another digest", digest)
		}
	}
	after, err := s.moved(c.Versions)
	if err != nil {
		return next, err
	}
	if next = old; c.Vector != nil {
		next = *c.Vector
		next.Generation = old.Generation + 1
		if err := checkVector(next, old); err != nil {
			return next, err
		}
	}
	if c.Vector != nil || len(c.Versions) > 0 {
		if err := checkShown(next, after); err != nil {
			return next, err
		}
	}
	return next, l.checkIDs(c)
}

var stepOrder = []feature.Step{feature.StepOpen, feature.StepSealed, feature.StepDecided, feature.StepCertified, feature.StepSwept}

// moved returns the versions with some of them changed; none may go back.
func (s *shelf) moved(infos []feature.VersionInfo) ([]feature.VersionInfo, error) {
	if len(infos) == 0 {
		return s.versions, nil
	}
	after := slices.Clone(s.versions)
	for _, to := range infos {
		if to.Version == 0 || int(to.Version) > len(after) {
			return nil, fmt.Errorf("version %d: %w", to.Version, feature.ErrNotFound)
		}
		from := after[to.Version-1]
		switch {
		case !slices.Contains(stepOrder, to.Step):
			return nil, refuse("step %q", to.Step)
		case slices.Index(stepOrder, to.Step) < slices.Index(stepOrder, from.Step):
			return nil, fmt.Errorf("version %d is %s already: %w", to.Version, from.Step, feature.ErrConflict)
		case from.State.Dead() && to.State != from.State:
			return nil, fmt.Errorf("version %d is %s already: %w", to.Version, from.State, feature.ErrConflict)
		case from.Kind != to.Kind || !from.Window.Start.Equal(to.Window.Start):
			return nil, refuse("another kind or window than it was opened for")
		}
		after[to.Version-1] = to
	}
	return after, nil
}

func checkVector(v, old feature.Vector) error {
	rising := func(versions []feature.Version) bool {
		return slices.IsSorted(versions) && len(slices.Compact(slices.Clone(versions))) == len(versions)
	}
	switch {
	case !rising(v.Visible) || !rising(v.Dead):
		return refuse("versions do not rise in %+v", v)
	case len(v.Visible) > feature.MaxVisible:
		return refuse("%d versions listed", len(v.Visible))
	case len(v.Visible) > 0 && v.Visible[0] <= v.Floor:
		return refuse("version %d is listed below floor %d", v.Visible[0], v.Floor)
	case len(v.Dead) > 0 && v.Dead[len(v.Dead)-1] > v.Floor:
		return refuse("dead version above floor %d", v.Floor)
	case v.Floor < old.Floor:
		return refuse("floor falls from %d to %d", old.Floor, v.Floor)
	}
	return nil
}

// checkShown refuses a vector that shows a version which is not visible.
func checkShown(v feature.Vector, versions []feature.VersionInfo) error {
	for _, version := range v.Visible {
		if int(version) > len(versions) {
			return fmt.Errorf("listed version %d: %w", version, feature.ErrNotFound)
		}
		if state := versions[version-1].State; state != feature.StateVisible {
			return refuse("version %d is listed and its state is %s", version, state)
		}
	}
	for _, info := range versions[:min(int(v.Floor), len(versions))] {
		if info.State != feature.StateVisible && info.Step != feature.StepSwept && !slices.Contains(v.Dead, info.Version) {
			return refuse("floor %d shows version %d, which is %s", v.Floor, info.Version, info.State)
		}
	}
	return nil
}

// checkIDs refuses verdicts and audit rows that are there already.
func (l *ledger) checkIDs(c *feature.Commit) error {
	for i, v := range c.Verdicts {
		same := func(w feature.VerdictRow) bool {
			return w.ID == v.ID || v.Kind == "window" && w.Kind == "window" && w.Version == v.Version
		}
		if slices.ContainsFunc(c.Verdicts[:i], same) ||
			slices.ContainsFunc(l.verdicts, func(w verdictAt) bool { return w.ID == v.ID || w.view == c.View && same(w.VerdictRow) }) {
			return fmt.Errorf("verdict %s, or another of version %d, is there already: %w", v.ID, v.Version, feature.ErrConflict)
		}
	}
	for i, a := range c.Audit {
		same := func(b feature.Audit) bool { return a.ID != "" && a.ID == b.ID }
		if slices.ContainsFunc(c.Audit[:i], same) || slices.ContainsFunc(l.audit, same) {
			return fmt.Errorf("audit row %s is there already: %w", a.ID, feature.ErrConflict)
		}
	}
	return nil
}

// record stores what a commit, which passed its checks, says beside the vector.
func (l *ledger) record(s *shelf, c *feature.Commit, old, next feature.Vector) {
	for _, v := range c.Verdicts {
		if v.At.IsZero() {
			v.At = c.Now
		}
		v.Window, v.At = utc(v.Window), v.At.UTC()
		v.Body, v.Case = append([]byte{}, v.Body...), append([]byte{}, v.Case...)
		l.keepRecord(c.View, &v)
		l.verdicts = append(l.verdicts, verdictAt{c.View, v})
	}
	maps.Copy(l.blobs, c.Blobs)
	s.records(c)
	for _, row := range c.Audit {
		if row.At.IsZero() {
			row.At = c.Now
		}
		if c.Vector != nil {
			shown(&row, old, next)
		}
		if err := l.note(row); err != nil {
			panic(err) // checkIDs would have refused it
		}
	}
	for _, a := range c.Alerts {
		if a.At.IsZero() {
			a.At = c.Now
		}
		l.alarm(a)
	}
	for _, n := range c.Notices {
		if n.ID == "" {
			n.ID = fmt.Sprintf("%024x", l.noticed)
		}
		l.noticed++
		n.At = time.Now().UTC()
		l.notices = append(l.notices, n)
	}
	for _, id := range c.Resolve {
		if i := slices.IndexFunc(l.alerts, func(a feature.Alert) bool { return a.ID == id && a.ResolvedAt == nil }); i >= 0 {
			at := c.Now.UTC()
			l.alerts[i].ResolvedAt = &at
		}
	}
}

func (s *shelf) records(c *feature.Commit) {
	for _, start := range c.DropHistory {
		s.history = slices.DeleteFunc(s.history, func(h feature.HistoryRow) bool { return h.Window.Start.Equal(start) })
	}
	for _, h := range c.History {
		h.Window = utc(h.Window)
		at, found := slices.BinarySearchFunc(s.history, h.Window.Start, func(x feature.HistoryRow, t time.Time) int { return x.Window.Start.Compare(t) })
		if found {
			s.history[at] = h
		} else {
			s.history = slices.Insert(s.history, at, h)
		}
	}
	for _, row := range c.Layouts {
		row.From = row.From.UTC()
		if row.Body == nil {
			row.Body = []byte{}
		}
		if slices.ContainsFunc(s.layouts, func(x feature.LayoutRow) bool { return x.From.Equal(row.From) && x.Digest == row.Digest }) {
			continue
		}
		s.layouts = append(s.layouts, row)
		slices.SortStableFunc(s.layouts, func(a, b feature.LayoutRow) int { return a.From.Compare(b.From) })
	}
	if c.Baseline != nil {
		row := *c.Baseline
		if row.At.IsZero() {
			row.At = c.Now
		}
		row.At, row.From = row.At.UTC(), row.From.UTC()
		s.baselines = append(s.baselines, row)
	}
	if c.Memory != nil {
		s.memory = c.Memory
	}
}
