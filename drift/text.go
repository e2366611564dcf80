package drift

import (
	"fmt"
	"math"
	"strconv"

	"sluice/quality/sketch"
)

// text says in one sentence what moved, from where to where.
func (j *judge) text(f *finding) string {
	if j.facet != nil {
		return j.facet.text(j, f)
	}
	if f.index < 0 {
		return fmt.Sprintf("%s: rows of a window went from %s to %s (%s)", j.view.Name, number(f.expected), number(f.now), f.strength())
	}
	def := j.view.Features[f.index]
	if f.clock != nil {
		return fmt.Sprintf("%s: %s (%s)", def.Name, f.clock.text(f), f.strength())
	}
	what := j.movement(f)
	unit := ""
	if def.Unit != "" && (f.summary == Location || f.summary == Scale || f.summary == Deviation) {
		unit = " " + def.Unit
	}
	return fmt.Sprintf("%s: %s%s (%s)", def.Name, what, unit, f.strength())
}

// strength is the evidence in words: how many standard errors from history.
func (f *finding) strength() string {
	return fmt.Sprintf("%s is %s standard errors from %d windows of history", f.summary, number(math.Abs(f.t)), f.spread.N)
}

func (j *judge) movement(f *finding) string {
	switch s := f.summary; s {
	case Location, Scale:
		return j.moments(f)
	case KSDistance, TVDistance, HellingerDistance:
		return fmt.Sprintf("the distribution moved: %s distance from the baseline went from %s to %s", distanceNames[s], number(f.expected), number(f.now))
	case Deviation:
		return fmt.Sprintf("the standard deviation without the least and the greatest value went from %s to %s", number(f.expected), number(f.now))
	case Nulls:
		return fmt.Sprintf("the share of %s went from %s to %s", j.missing(f), percent(f.expected), percent(f.now))
	case LowTail, LowExtreme:
		return fmt.Sprintf("the share %s went from %s to %s", j.below(f, j.edge(f)), percent(f.expected), percent(f.now))
	case HighTail, HighExtreme:
		return fmt.Sprintf("the share %s went from %s to %s", j.from(f, j.edge(f)), percent(f.expected), percent(f.now))
	case Extremes:
		cuts := j.find(f.index).Cuts
		return fmt.Sprintf("the share %s or %s went from %s to %s", j.below(f, cuts.LowExtreme-1), j.from(f, cuts.HighExtreme-1), percent(f.expected), percent(f.now))
	case Other:
		return fmt.Sprintf("the share of values outside the largest categories went from %s to %s", percent(f.expected), percent(f.now))
	case Unseen:
		return fmt.Sprintf("the share of unseen values%s went from %s to %s", example(j.newcomer(f)), percent(f.expected), percent(f.now))
	case Surge:
		return fmt.Sprintf("one value outside the baseline's categories%s is more frequent than any was: those of its hash went from %s to %s", example(j.newcomer(f)), percent(f.surge.expected), percent(f.surge.share))
	case Newcomer:
		return fmt.Sprintf("the largest share of one value outside the baseline's categories%s went from %s to %s", example(f.newcomer), percent(f.expected), percent(f.now))
	}
	return fmt.Sprintf("the share of %s went from %s to %s", j.category(f), percent(f.expected), percent(f.now))
}

var distanceNames = map[Summary]string{KSDistance: "Kolmogorov-Smirnov", TVDistance: "total variation", HellingerDistance: "Hellinger"}

// moments tells a shift of location or scale in the feature's own unit.
func (j *judge) moments(f *finding) string {
	now, err := j.merged()
	if err != nil {
		return fmt.Sprintf("%s moved from %s to %s", f.summary, number(f.expected), number(f.now))
	}
	b, c := columnOf(j.baseline, j.view, f.index), columnOf(now, j.view, f.index)
	if c.Clipped > 0 && j.reference.Words >= tellingKinds {
		return fmt.Sprintf("%s moved: %d values from %s to %s are too far from the baseline's mean of %s for a mean or standard deviation", f.summary, c.Clipped, number(c.Min), number(c.Max), number(b.Mean()))
	}
	if f.summary == Scale {
		return fmt.Sprintf("the standard deviation went from %s to %s", number(b.SD()), number(c.SD()))
	}
	return fmt.Sprintf("the mean went from %s to %s", number(b.Mean()), number(c.Mean()))
}

// merged returns the current windows as one.
func (j *judge) merged() (*sketch.Profile, error) {
	if len(j.windows) == 1 {
		return j.windows[0].Profile, nil
	}
	return merge(j.view, j.layout, j.windows)
}

// missing says of what kind most of the values are that count as nulls.
func (j *judge) missing(f *finding) string {
	if j.reference.Words < tellingKinds {
		return "nulls"
	}
	var nulls, none, infinite uint64
	for _, w := range j.windows {
		if c := columnOf(w.Profile, j.view, f.index); c != nil {
			nulls, none, infinite = nulls+c.Nulls, none+c.NaN, infinite+c.PosInf+c.NegInf
		}
	}
	switch max(nulls, none, infinite) {
	case nulls:
		return "nulls"
	case infinite:
		return "nulls, counting infinite values,"
	}
	return "nulls, counting values that are not a number,"
}

// edge returns the edge at which a tail begins.
func (j *judge) edge(f *finding) int {
	cuts := j.find(f.index).Cuts
	return map[Summary]int{LowTail: cuts.Low - 1, LowExtreme: cuts.LowExtreme - 1, HighTail: cuts.High - 1, HighExtreme: cuts.HighExtreme - 1}[f.summary]
}

// below names the values under an edge.
func (j *judge) below(f *finding, edge int) string {
	if atom := j.atom(f, edge); atom != "" {
		return "up to " + atom
	}
	return "below " + j.cut(f, edge)
}

// from names the values from an edge on.
func (j *judge) from(f *finding, edge int) string {
	if atom := j.atom(f, edge); atom != "" {
		return "above " + atom
	}
	return "at or above " + j.cut(f, edge)
}

// atom returns the value that has the bin under an edge to itself, so that the edge is the next number after it and
// reads like it; empty if that bin is of many values.
func (j *judge) atom(f *finding, edge int) string {
	if j.reference.Words < tellingAtoms {
		return ""
	}
	value, ok := j.layout.Feature(j.view.Features[f.index].ID).Atom(edge)
	if !ok {
		return ""
	}
	return number(value)
}

// cut returns an edge of the feature's bins.
func (j *judge) cut(f *finding, edge int) string {
	at := j.layout.Feature(j.view.Features[f.index].ID)
	if edge < 0 || edge >= len(at.Edges) {
		return "the baseline's range"
	}
	return number(at.Edges[edge])
}

// category returns the name of one of the baseline's largest categories.
func (j *judge) category(f *finding) string {
	at, top := j.layout.Feature(j.view.Features[f.index].ID), j.find(f.index).Cuts.Top
	if i := int(f.summary - Share1); i < len(top) && top[i] < len(at.Categories) {
		return quote(at.Categories[top[i]])
	}
	return f.summary.String()
}

func example(name string) string {
	if name == "" {
		return ""
	}
	return " (most frequent: " + quote(name) + ")"
}

func quote(text string) string { return strconv.Quote(sketch.Cut(text)) }

func percent(p float64) string { return number(100*p) + " %" }

// number writes v with three significant digits, or as a whole number if large.
func number(v float64) string {
	switch a := math.Abs(v); {
	case a >= 1000 && a < 1e15:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case a >= 1e-4 || a == 0:
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	return strconv.FormatFloat(v, 'e', 1, 64)
}
