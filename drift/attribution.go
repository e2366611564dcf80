package drift

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"sluice/feature"
	"sluice/quality/sketch"
)

const (
	// A value is named if it carries this share of a shift, and leaves at most this much
	// of it to the rows without it.
	namedShare   = 0.5
	namedRemains = 0.4
	// rareShare is the share of history below which a value is new.
	rareShare = 0.001
	// sharesPerDimension is how many values of a dimension are listed.
	sharesPerDimension = 3
	// leadingShare is the share of its rows, or of what they moved, with which one value
	// stands for all of a slot that holds several.
	leadingShare = 0.6
)

// Shift names what moved: a feature of a view, or none for the view as a whole, by a
// method and, if that is calibrated, a summary.
type Shift struct {
	Feature, Method, Summary string
}

// Attribution says which values of the dimensions carry a shift.
type Attribution struct {
	view     *feature.View
	layout   *sketch.Layout
	current  *sketch.Profile
	baseline *sketch.Profile
	now, ago float64 // windows on either side

	currentBy, baselineBy []sketch.Counted
}

// NewAttribution prepares to attribute shifts of current, the merge of that many windows,
// against baseline, the merge of those of history, over the same layout.
func NewAttribution(view *feature.View, layout *sketch.Layout, current, baseline *sketch.Profile, windows, history int) *Attribution {
	return &Attribution{view, layout, current, baseline, float64(max(1, windows)), float64(max(1, history)), current.Breakdown(), baseline.Breakdown()}
}

// Of returns what the values of each dimension contribute to a shift, at most three of a
// dimension, those that carry it by themselves first; none where history or the window does not count by
// dimension, or nothing moved.
//
// Every summary is read as a mean over rows of a score g that depends on the row's bin
// alone: its normal score for the location, 1 in the bins of a tail, the slope of the
// distance for a distance. So the shift is, exactly, a sum over the values v of
//
//	c_v = w_v m_v - W_v M_v - (w_v - W_v) M
//
// with w_v and W_v the shares of rows that v has now and had in history, m_v and M_v the
// mean scores of those rows, and M that of all of history: what changed within v, and
// what its rows becoming more or fewer changes. Share is c_v among those of the same sign
// as the shift. Remains is what is left of the shift, as a ratio, once v's rows are left
// out on both sides: 0 if v alone moved, about 1 for every v if all moved alike, however
// many rows v has. Of a volume, the change of the rows without v is compared with that of
// all rows, both as logarithms.
func (a *Attribution) Of(s Shift) []feature.Share {
	g, ok := a.direction(s)
	if !ok {
		return nil
	}
	var all []feature.Share
	for d := range a.layout.Dimensions() {
		all = append(all, a.dimension(d, g)...)
	}
	slices.SortStableFunc(all, func(x, y feature.Share) int {
		return cmp.Or(cmp.Compare(rank(&x), rank(&y)), cmp.Compare(y.Share, x.Share))
	})
	return all
}

// rank puts values that carry a shift by themselves first. One that all rows have, such as
// a new schema, would explain whatever happened at the same time.
func rank(s *feature.Share) int {
	switch {
	case !Named(s):
		return 2
	case s.RowShare > 0.99:
		return 1
	}
	return 0
}

// Named reports whether a value carries a shift by itself: most of it, and little is left
// without it.
func Named(s *feature.Share) bool { return s.Share >= namedShare && s.Remains <= namedRemains }

// mass is how many rows something has, and the sum of their scores.
type mass struct{ n, sum float64 }

func (m mass) mean() float64       { return m.sum / m.n }
func (m mass) less(o mass) mass    { return mass{m.n - o.n, m.sum - o.sum} }
func (m mass) plus(o mass) mass    { return mass{m.n + o.n, m.sum + o.sum} }
func (m mass) of(all mass) float64 { return m.n / all.n }

// dimension attributes a shift within one dimension.
func (a *Attribution) dimension(d int, g *direction) []feature.Share {
	now, before := a.masses(a.current, &a.currentBy[d], g), a.masses(a.baseline, &a.baselineBy[d], g)
	var n, b mass
	for v := range now {
		n, b = n.plus(now[v]), b.plus(before[v])
	}
	if !(n.n > 0 && b.n > 0) {
		return nil
	}
	if g.volume {
		return a.pick(d, g, now, before, volumeParts(now, before, a.now, a.ago))
	}
	shift := n.mean() - b.mean()
	if shift == 0 {
		return nil
	}
	parts := make([]part, len(now))
	for v := range now {
		w, W := now[v].of(n), before[v].of(b)
		parts[v].moved = (now[v].sum/n.n - before[v].sum/b.n - (w-W)*b.mean()) / shift
		parts[v].remains = 1
		switch rest, restBefore := n.less(now[v]), b.less(before[v]); {
		case rest.n > 0 && restBefore.n > 0:
			parts[v].remains = (rest.mean() - restBefore.mean()) / shift
		case rest.n <= 0 && W <= rareShare:
			parts[v].remains = 0 // all rows are of a new value
		}
		within := 0.0
		if now[v].n > 0 && before[v].n > 0 {
			within = w * (now[v].mean() - before[v].mean()) / shift
		}
		parts[v].mix = math.Abs(within) < math.Abs(parts[v].moved)/2
	}
	return a.pick(d, g, now, before, parts)
}

// part is what one slot contributes: its part of the shift, what is left without it, and
// whether most of that is due to how many rows it has.
type part struct {
	moved, remains float64
	mix            bool
}

// volumeParts compares rows per window.
func volumeParts(now, before []mass, windows, history float64) []part {
	var n, b float64
	for v := range now {
		n, b = n+now[v].n/windows, b+before[v].n/history
	}
	parts := make([]part, len(now))
	whole := math.Log(n / b)
	if whole == 0 {
		return parts
	}
	for v := range now {
		x, y := now[v].n/windows, before[v].n/history
		parts[v] = part{moved: (x - y) / (n - b), remains: 1, mix: true}
		switch {
		case n-x > 0 && b-y > 0:
			parts[v].remains = math.Log((n-x)/(b-y)) / whole
		case b-y <= 0 && y <= rareShare*b, n-x <= 0 && y <= rareShare*b:
			parts[v].remains = 0
		}
	}
	return parts
}

// masses returns the rows of every slot of a dimension, then those without a value in it,
// with their scores. Where not all rows were told apart, only those that were are counted.
func (a *Attribution) masses(p *sketch.Profile, by *sketch.Counted, g *direction) []mass {
	slots := by.Slots
	out := make([]mass, len(slots)+1)
	var sum mass
	for i := range slots {
		out[i] = g.slot(&slots[i], a.layout)
		sum = sum.plus(out[i])
	}
	if by.Rows == p.Profiled() {
		if whole := g.whole(p); whole.n > sum.n+.5 {
			out[len(slots)] = whole.less(sum)
		}
	}
	return out
}

// pick makes the shares of those slots that moved with the shift.
func (a *Attribution) pick(d int, g *direction, now, before []mass, parts []part) []feature.Share {
	at := &a.layout.Dimensions()[d]
	var n, b, moved float64
	for v := range parts {
		n, b, moved = n+now[v].n, b+before[v].n, moved+max(0, parts[v].moved)
	}
	var all []feature.Share
	for v := range parts {
		if !(parts[v].moved > 0) || !(moved > 0) {
			continue
		}
		s := feature.Share{
			Dimension: at.Name, Header: at.Kind == sketch.HeaderDimension, Share: round4(parts[v].moved / moved), Remains: round4(parts[v].remains),
			Rows: uint64(math.Round(now[v].n)), RowShare: round4(now[v].n / n), BaselineShare: round4(before[v].n / b), Change: feature.ChangeValues,
		}
		switch {
		case before[v].n <= rareShare*b && now[v].n > 0:
			s.Change = feature.ChangeNew
		case now[v].n == 0:
			s.Change = feature.ChangeGone
		case parts[v].mix:
			s.Change = feature.ChangeRows
		}
		switch {
		case v < len(at.Values):
			s.Value = at.Values[v]
		case v < at.Slots():
			s.Group = feature.GroupOther
			if v == at.Unseen() {
				s.Group = feature.GroupUnseen
			}
			s.Value = a.leading(at, v, g)
		default:
			s.Group = feature.GroupNone
		}
		all = append(all, s)
	}
	slices.SortStableFunc(all, func(x, y feature.Share) int { return cmp.Compare(y.Share, x.Share) })
	return all[:min(len(all), sharesPerDimension)]
}

// round4 keeps what people read and what is written exactly.
func round4(x float64) float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return 0
	}
	return math.Round(x*1e4) / 1e4
}

// leading returns the value that stands for a slot of several: the one that most of what
// its sampled rows moved is due to, if it is most of it; "" if there is none.
func (a *Attribution) leading(at *sketch.DimensionLayout, slot int, g *direction) string {
	mean := 0.0
	if whole := g.whole(a.baseline); whole.n > 0 && !g.volume {
		mean = whole.mean()
	}
	sign := 1.0
	if whole := g.whole(a.current); whole.n > 0 && !g.volume && whole.mean() < mean {
		sign = -1
	}
	sums, total := map[string]float64{}, 0.0
	rows := a.current.SampledRows()
	for i := range rows {
		row := &rows[i]
		if at.Slot(row) != slot {
			continue
		}
		text, _ := row.Tag(at.Dimension)
		score := 1.0
		if !g.volume && !g.refused {
			score = sign * (g.row(a.current, row) - mean)
		}
		sums[text] += score
	}
	best := ""
	for _, text := range slices.Sorted(maps.Keys(sums)) { // sums of floats hang on their order
		sum := sums[text]
		if sum <= 0 {
			continue
		}
		total += sum
		if best == "" || sum > sums[best] || sum == sums[best] && text < best {
			best = text
		}
	}
	if best == "" || sums[best] < leadingShare*total {
		return ""
	}
	return best
}
