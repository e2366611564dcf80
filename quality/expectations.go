package quality

import (
	"fmt"
	"math"

	"sluice/feature"
	"sluice/quality/sketch"
)

// Expectations measures the profile of a number of windows against what view expects
// of them, in the order of its features and then of its own expectations. All scores
// are of method expect but those of nulls:
//
//	          refused writes that broke the feature's expectations, of all writes of
//	          the window, late and refused ones among them; bound expect.bad, DefaultBad
//	          if it is nil. For each feature that expects something of its values,
//	          or had a write refused.
//	nulls     nulls of the rows profiled, those among them that stand for what was not
//	          finite; bound expect.nulls. For each feature that has one.
//	unique    rows beyond the first of their value, of those with one; bound bad.
//	monotonic neighbouring writes of an entity that go back, of all; bound bad.
//	mean, quantile R, distinct   how far outside its range, relative to the broken end.
//
// A score of one of the view's own expectations has no feature, and that one's name as
// Summary:
//
//	expr          refused writes, of all writes; bound bad
//	unique, monotonic   as above
//	completeness  nulls of the features that have no bound of nulls of their own, of
//	              all their values; bound 1 - completeness
//	rows          how far the rows of a window are outside their range, relative to the broken end
//	late          late writes, of the accepted ones; bound late
//
// If writes were refused as a whole and under no name, an expect score without a
// feature follows, against DefaultBad.
//
// Threshold is the bound, Severity the statistic over the bound: the bound is kept
// up to and including 1. If the bound is 0, Severity is 1 plus the statistic, and
// 0 if there is nothing to count. Shares are exact and Bound is 0, but where values
// are a sample (sketch.Watched) or a sketch's estimate: Bound is then three standard
// errors, and only what is beyond the bound by more than that is past it. Effect is
// true. Short is filled if there are no writes or rows to take a share of.
func Expectations(view *feature.View, p *sketch.Profile, windows int) []feature.Score {
	m := measure{view: view, profile: p, writes: p.Total() + p.Refused()}
	for i := range view.Features {
		m.feature(&view.Features[i])
	}
	m.own(max(1, windows))
	return m.scores
}

// measure is the scores of a profile on their way.
type measure struct {
	view    *feature.View
	profile *sketch.Profile
	writes  uint64
	scores  []feature.Score
}

func (m *measure) add(s feature.Score) { m.scores = append(m.scores, s) }

// feature measures what one feature expects.
func (m *measure) feature(f *feature.Feature) {
	c := m.profile.Column(f.ID)
	if c == nil {
		return
	}
	e := &f.Expect
	if expectsValues(e) || f.NotFinite == feature.NotFiniteReject || c.Refused > 0 {
		m.add(refusedScore(f.Name, f.Name, c.Refused, m.writes, e.Bad))
	}
	if e.Nulls != nil {
		s := shareScore(f.Name, "nulls", nulls(f, c), c.Rows(), *e.Nulls)
		s.Text = shareText(f.Name, "rows null", nulls(f, c), s)
		m.add(s)
	}
	if e.Unique {
		m.watched(f.Name, "unique", f.Name, sketch.UniqueKey([]uint32{f.ID}, false), e.Bad)
	}
	if e.Monotonic {
		m.watched(f.Name, "monotonic", f.Name, sketch.MonotonicKey(f.ID), e.Bad)
	}
	m.ranges(f, c)
}

// nulls returns how many rows have null: those as well in which it stands for what was not
// finite.
func nulls(f *feature.Feature, c *sketch.Column) uint64 {
	if f.NotFinite == feature.NotFiniteNull {
		return c.Nulls + c.NaN + c.PosInf + c.NegInf
	}
	return c.Nulls
}

// own measures what the view expects beside its features, and what was refused as a whole.
func (m *measure) own(windows int) {
	p, unnamed := m.profile, m.profile.RefusedWhole
	named := map[string]uint64{}
	for _, r := range p.Named {
		named[r.Name] = r.N
		unnamed -= min(unnamed, r.N)
	}
	for i := range m.view.Expect {
		e := &m.view.Expect[i]
		at := len(m.scores)
		switch {
		case e.Expr != "":
			m.add(refusedScore("", "expectation "+e.Name, named[e.Name], m.writes, e.Bad))
			delete(named, e.Name)
		case e.Unique != nil:
			m.watched("", "unique", e.Name, sketch.ExpectationKey(m.view, e), e.Bad)
		case e.Monotonic != "":
			m.watched("", "monotonic", e.Name, sketch.ExpectationKey(m.view, e), e.Bad)
		case e.Rows != nil && p.Backfill(): // its rows are not those of its time
		case e.Rows != nil:
			m.add(rangeScore("", "expectation "+e.Name+": rows of a window", float64(p.Rows)/float64(windows), 0, *e.Rows, p.Rows))
		case e.Late != nil:
			s := shareScore("", "expect", p.Late, p.Total(), *e.Late)
			s.Text = shareText("expectation "+e.Name, "writes late", p.Late, s)
			m.add(s)
		}
		for ; at < len(m.scores); at++ {
			m.scores[at].Summary = e.Name
		}
	}
	for _, n := range named {
		unnamed += n // of an expectation that the view no longer has
	}
	m.completeness()
	if unnamed > 0 {
		m.add(refusedScore("", "row", unnamed, m.writes, nil))
	}
}

// completeness measures the share of values that are there.
func (m *measure) completeness() {
	least, name := m.view.Completeness()
	if least <= 0 {
		return
	}
	var missing, values uint64
	for i := range m.view.Features {
		if c := m.profile.Column(m.view.Features[i].ID); c != nil && m.view.Features[i].Expect.Nulls == nil {
			missing, values = missing+nulls(&m.view.Features[i], c), values+c.Rows()
		}
	}
	if values == 0 {
		return // every feature has a bound of its own, or there are deletions alone
	}
	s := shareScore("", "expect", missing, values, 1-least)
	s.Summary = name
	s.Text = fmt.Sprintf("expectation %s: %d of %d values missing (%s %%), allowed %s %%", name, missing, values, percent(s.Statistic), percent(s.Threshold))
	m.add(s)
}

// expectsValues reports whether a write can break e.
func expectsValues(e *feature.Expect) bool {
	return e.Min != nil || e.Max != nil || len(e.In) > 0 || e.Expr != "" || e.Bad != nil || e.Pattern != "" || e.Length != nil || e.Token
}

func refusedScore(name, what string, refused, writes uint64, bad *float64) feature.Score {
	s := shareScore(name, "expect", refused, writes, badShare(bad))
	s.Text = shareText(what, "writes refused", refused, s)
	return s
}

func badShare(bad *float64) float64 {
	if bad == nil {
		return feature.DefaultBad
	}
	return *bad
}

func shareScore(name, method string, count, of uint64, bound float64) feature.Score {
	s := feature.Score{Feature: name, Method: method, Threshold: bound, PValue: 1, N: of, Effect: true}
	if of == 0 {
		s.Short = "no rows"
		return s
	}
	s.Statistic = float64(count) / float64(of)
	s.Severity = severity(s.Statistic, bound)
	return s
}

// severity is how far a share is past its bound.
func severity(share, bound float64) float64 {
	switch {
	case bound > 0:
		return share / bound
	case share > 0:
		return 1 + share
	}
	return 0
}

func shareText(what, which string, count uint64, s feature.Score) string {
	return fmt.Sprintf("%s: %d of %d %s (%s %%), allowed %s %%",
		what, count, s.N, which, percent(s.Statistic), percent(s.Threshold))
}

// percent writes a share in per cent, to four digits.
func percent(share float64) string {
	return number(math.Round(share*1e6) / 1e4)
}
