package quality

import (
	"fmt"
	"math"

	"sluice/feature"
	"sluice/quality/sketch"
)

// Expectations measures a window's profile against the shares that view allows,
// in the order of its features:
//
//	expect   refused writes that broke the feature's expectations, of all writes of
//	         the window, late and refused ones among them; bound expect.bad, DefaultBad
//	         if it is nil. For each feature that expects something of its values,
//	         or had a write refused.
//	nulls    nulls of the rows profiled; bound expect.nulls. For each feature that has one.
//
// If writes were refused as a whole, an expect score without a feature follows,
// against DefaultBad.
//
// Threshold is the bound, Severity the statistic over the bound: the bound is kept
// up to and including 1. If the bound is 0, Severity is 1 plus the statistic, and
// 0 if there is nothing to count. Shares are exact, so Bound is 0; Effect is true.
// Short is filled if there are no writes or rows to take a share of.
func Expectations(view *feature.View, p *sketch.Profile) []feature.Score {
	writes := p.Total() + p.Refused()
	var scores []feature.Score
	for _, f := range view.Features {
		c := p.Column(f.ID)
		if c == nil {
			continue
		}
		if expectsValues(f.Expect) || c.Refused > 0 {
			scores = append(scores, refusedScore(f.Name, c.Refused, writes, f.Expect.Bad))
		}
		if f.Expect.Nulls != nil {
			s := shareScore(f.Name, "nulls", c.Nulls, c.Rows(), *f.Expect.Nulls)
			s.Text = shareText(f.Name, "rows null", c.Nulls, s)
			scores = append(scores, s)
		}
	}
	if p.RefusedWhole > 0 {
		scores = append(scores, refusedScore("", p.RefusedWhole, writes, nil))
	}
	return scores
}

// expectsValues reports whether a write can break e.
func expectsValues(e feature.Expect) bool {
	return e.Min != nil || e.Max != nil || len(e.In) > 0 || e.Expr != "" || e.Bad != nil
}

func refusedScore(name string, refused, writes uint64, bad *float64) feature.Score {
	bound := feature.DefaultBad
	if bad != nil {
		bound = *bad
	}
	s := shareScore(name, "expect", refused, writes, bound)
	s.Text = shareText(name, "writes refused", refused, s)
	return s
}

func shareScore(name, method string, count, of uint64, bound float64) feature.Score {
	s := feature.Score{Feature: name, Method: method, Threshold: bound, PValue: 1, N: of, Effect: true}
	if of == 0 {
		s.Short = "no rows"
		return s
	}
	s.Statistic = float64(count) / float64(of)
	switch {
	case bound > 0:
		s.Severity = s.Statistic / bound
	case count > 0:
		s.Severity = 1 + s.Statistic
	}
	return s
}

func shareText(name, what string, count uint64, s feature.Score) string {
	if name == "" {
		name = "row"
	}
	return fmt.Sprintf("%s: %d of %d %s (%s %%), allowed %s %%",
		name, count, s.N, what, percent(s.Statistic), percent(s.Threshold))
}

// percent writes a share in per cent, to four digits.
func percent(share float64) string {
	return number(math.Round(share*1e6) / 1e4)
}
