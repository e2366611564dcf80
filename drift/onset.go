package drift

import (
	"fmt"
	"math"

	"sluice/feature"
	"sluice/quality/sketch"
)

// Onset finds, in every partition, the record with which a shift begins: the first of the
// rows, of one value of a dimension or of all, that the shift is in.
//
// With y the score of a row (see Attribution.Of) less the mean that such rows had in
// history, in the direction of the shift, the mean after the onset is first taken from the
// end of the rows on which sum(y)/sqrt(rows) is largest, d; the shift is then where
// sum(y - d/2) is largest, which CUSUM finds in one pass, and begins with its first row.
// A partition on whose rows sum(y)²/(rows var) stays below 2 ln(rows) + 9 has no onset:
// noise of that many rows gets there in one of some hundred. Of a value that is new, it is
// the first row.
//
// Source: E. S. Page, Continuous inspection schemes, Biometrika 41, 1954; the two passes
// are the likelihood ratio of a known mean before and an unknown one after.
type Onset struct {
	g          *direction
	of         *feature.Share // nil: all rows
	at         *sketch.DimensionLayout
	column     int
	scratch    *sketch.Profile
	mean, sign float64
	spread     float64 // variance of scores in history
	partitions map[string]*course
}

// course is the rows of a partition.
type course struct {
	offsets []int64
	scores  []float32
}

// Onset prepares to find where a shift begins, in the rows of a share if it is not nil.
// key is that of the profiles. False for shifts that no single row shows: of the number
// of rows.
func (a *Attribution) Onset(s Shift, of *feature.Share, key sketch.HashKey) (*Onset, bool) {
	g, ok := a.direction(s)
	if !ok || g.volume && (of == nil || of.Change != feature.ChangeNew) || of != nil && (of.Change == feature.ChangeGone || of.Change == feature.ChangeRows) {
		return nil, false
	}
	o := &Onset{g: g, of: of, column: a.view.FeatureAt(s.Feature), scratch: sketch.NewProfile(a.view, a.layout, key), partitions: map[string]*course{}}
	before, now := g.whole(a.baseline), g.whole(a.current)
	if of != nil {
		for d := range a.layout.Dimensions() {
			at := &a.layout.Dimensions()[d]
			if at.Name != of.Dimension || (at.Kind == sketch.HeaderDimension) != of.Header {
				continue
			}
			o.at = at
			slot := slotOf(at, of)
			if m := a.masses(a.baseline, &a.baselineBy[d], g)[slot]; m.n > 0 {
				before = m
			}
			now = a.masses(a.current, &a.currentBy[d], g)[slot]
		}
		if o.at == nil {
			return nil, false
		}
	}
	if g.volume {
		return o, true
	}
	if !(before.n > 0 && now.n > 0) {
		return nil, false
	}
	o.mean, o.sign, o.spread = before.mean(), 1, g.variance(a.baseline)
	if now.mean() < o.mean {
		o.sign = -1
	}
	return o, true
}

// slotOf returns the slot that a share is of.
func slotOf(at *sketch.DimensionLayout, of *feature.Share) int {
	switch of.Group {
	case feature.GroupOther:
		return at.Other()
	case feature.GroupUnseen:
		return at.Unseen()
	case feature.GroupNone:
		return at.Slots()
	}
	for i, v := range at.Values {
		if v == of.Value {
			return i
		}
	}
	return at.Other()
}

// variance returns that of the scores of a profile's rows.
func (g *direction) variance(p *sketch.Profile) float64 {
	whole := g.whole(p)
	mean := whole.mean()
	if g.refused || g.rows {
		return mean * (1 - mean)
	}
	squares := *g
	squares.bins = make([]float64, len(g.bins))
	for i, x := range g.bins {
		squares.bins[i] = x * x
	}
	return max(0, squares.whole(p).mean()-mean*mean)
}

// Add takes the next record of its partition that counts in the windows: refused is the
// index of the feature whose expectation it broke, -1 if no single one did, and below
// that if it was accepted. It does not retain w.
func (o *Onset) Add(w *feature.Write, refused int) {
	if w.Delete || !o.concerns(w) {
		return
	}
	accepted := refused < -1
	if !accepted && !o.g.refused {
		return
	}
	score := 0.0
	switch {
	case o.g.volume:
	case o.g.refused:
		if !accepted && (!o.g.blamed || refused == o.column) {
			score = 1
		}
	default:
		o.scratch.Add(w)
		bin := o.scratch.LastBin(o.column)
		if bin < 0 && !o.g.rows {
			return
		}
		score = o.g.score(bin)
		if o.g.rows && bin >= 0 {
			score = 0
		}
	}
	name := fmt.Sprintf("%s/%d", w.Topic, w.Partition)
	c := o.partitions[name]
	if c == nil {
		c = &course{}
		o.partitions[name] = c
	}
	c.offsets = append(c.offsets, w.Offset)
	c.scores = append(c.scores, float32(o.sign*(score-o.mean)))
}

// concerns reports whether a write is one of those that the share is of.
func (o *Onset) concerns(w *feature.Write) bool {
	if o.of == nil {
		return true
	}
	text, ok := sketch.Says(w, o.at.Dimension)
	switch {
	case o.of.Group == feature.GroupNone:
		return !ok
	case !ok:
		return false
	case o.of.Value != "":
		return text == o.of.Value
	}
	for _, v := range o.at.Values {
		if v == text {
			return false
		}
	}
	return true
}

// First returns the offset with which the shift begins, by topic/partition; partitions
// without one are left out.
func (o *Onset) First() map[string]int64 {
	first := map[string]int64{}
	for name, c := range o.partitions {
		switch {
		case o.of != nil && o.of.Change == feature.ChangeNew:
			first[name] = c.offsets[0]
		default:
			if at, ok := c.begin(o.spread); ok {
				first[name] = c.offsets[at]
			}
		}
	}
	return first
}

// begin returns the place of the row with which the shift begins.
func (c *course) begin(spread float64) (int, bool) {
	n := len(c.scores)
	sum, most, after := 0.0, 0.0, 0.0
	for i := n - 1; i >= 0; i-- {
		sum += float64(c.scores[i])
		rows := float64(n - i)
		if sum > 0 && sum*sum/rows > most {
			most, after = sum*sum/rows, sum/rows
		}
	}
	if after == 0 {
		return 0, false
	}
	spread = max(spread, after*after/100)
	if most < spread*(2*math.Log(float64(n))+9) {
		return 0, false
	}
	best, sum, from, at := 0.0, 0.0, 0, 0
	for i, y := range c.scores {
		if sum <= 0 {
			sum, from = 0, i
		}
		if sum += float64(y) - after/2; sum > best {
			best, at = sum, from
		}
	}
	return at, best > 0
}
