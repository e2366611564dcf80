package quality

import (
	"fmt"
	"math"
	"strconv"

	"sluice/feature"
	"sluice/quality/sketch"
)

// watched measures what a profile remembers for a unique or monotonic expectation.
func (m *measure) watched(name, kind, what, key string, bad *float64) {
	seen, ok := m.profile.Watched(key)
	if !ok {
		return // the window began before the definition asked for it
	}
	s := shareScore(name, "expect", seen.Broken, seen.Looked, badShare(bad))
	s.Summary = kind
	which := "rows repeat a value"
	if kind == "monotonic" {
		which = "writes of an entity go back"
	}
	if name == "" {
		what = "expectation " + what
	}
	s.Text = shareText(what, which, seen.Broken, s)
	if seen.Looked == 0 {
		s.Short = "nothing to compare"
	}
	if !seen.All && seen.Groups > 0 {
		if seen.Sampled {
			s.Bound = 3 * math.Sqrt(s.Statistic*(1-s.Statistic)/float64(seen.Groups))
		}
		if s.Threshold > 0 { // what repeats in a sample repeats in the whole: with 0 allowed, that settles it
			s.Severity = severity(max(0, s.Statistic-s.Bound), s.Threshold)
		}
		s.Text += fmt.Sprintf("; of %d rows, those of %d %s were looked at", seen.Rows, seen.Groups, map[bool]string{true: "entities", false: "values"}[kind == "monotonic"])
	}
	m.add(s)
}

// ranges measures what a feature expects of the numbers of a window.
func (m *measure) ranges(f *feature.Feature, c *sketch.Column) {
	e := &f.Expect
	add := func(summary, what string, value, bound float64, r feature.Range) {
		s := rangeScore(f.Name, f.Name+": "+what, value, bound, r, c.N)
		s.Summary = summary
		m.add(s)
	}
	if e.Mean != nil {
		add("mean", "mean", c.Mean(), 0, *e.Mean)
	}
	for _, name := range quantileNames(e.Quantiles) {
		if rank, err := strconv.ParseFloat(name, 64); err == nil {
			add("quantile "+name, "quantile "+name, c.Quantile(rank), 0, e.Quantiles[name])
		}
	}
	if e.Distinct != nil {
		d := c.Distinct()
		add("distinct", "different values", d, 3*sketch.HLLError*d, *e.Distinct)
	}
}

// rangeScore measures a number, of n observations and up to bound off, against a range.
func rangeScore(name, what string, value, bound float64, r feature.Range, n uint64) feature.Score {
	s := feature.Score{Feature: name, Method: "expect", PValue: 1, N: n, Effect: true}
	if math.IsNaN(value) {
		s.Short = "no values in the bins that it takes"
		return s
	}
	end, which := 0.0, ""
	switch {
	case r.Min != nil && value+bound < *r.Min:
		end, which = *r.Min, "below min"
		s.Statistic = end - value - bound
	case r.Max != nil && value-bound > *r.Max:
		end, which = *r.Max, "above max"
		s.Statistic = value - bound - end
	default:
		s.Text = fmt.Sprintf("%s is %s, within bounds", what, rounded(value))
		return s
	}
	if end != 0 {
		s.Statistic /= math.Abs(end)
	}
	s.Statistic = min(s.Statistic, math.MaxFloat64/2)
	s.Severity = max(math.Nextafter(1, 2), 1+s.Statistic)
	s.Text = fmt.Sprintf("%s is %s, %s %s", what, rounded(value), which, number(end))
	return s
}

// rounded writes a number to six digits.
func rounded(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }
