package drift

import (
	"fmt"
	"math"
	"time"

	"sluice/feature"
	"sluice/quality/sketch"
)

// Clock judges a timestamp by where its times lie instead of how old they are.
//
// A timestamp is binned by its age at the start of its window. The time of an event near
// the window has an age that stays as it is, until its source stands still: then it grows
// by the time that passes, which is what is to be found. A birthday grows older by the time
// that passes as it should, and its place in time is what stays. Which of the two a
// feature is, its history says: the ages of one vary less between windows than the places,
// of the other more. Where history says neither, because ages vary by far more than the time
// that it spans, a shift counts only if it is one of both.
//
// Places and their spread are those of all values, not of bins, which ages outgrow.
type Clock struct {
	Origin  int64    `json:"origin"`          // Unix seconds that places are counted from
	Unit    float64  `json:"unit"`            // seconds, as the next of location and scale
	Alone   bool     `json:"alone,omitempty"` // ages move with the clock, and are not judged
	Spreads []Spread `json:"spreads"`
}

// clearer is how many times the variance of ages that of places must be, or the other way
// round, for history to say which of the two stays.
const clearer = 2

// clockOf returns the clock of the view's i-th feature by the columns of history, without
// spreads; nil of a feature that is no timestamp, or whose ages stay. Fewer than MinWindows
// windows say nothing.
func clockOf(view *feature.View, layout *sketch.Layout, history []WindowProfile, i int) *Clock {
	at := layout.Feature(view.Features[i].ID)
	if view.Features[i].Type != feature.Timestamp || at == nil || !(at.Scale > 0) || len(history) < MinWindows {
		return nil
	}
	c := &Clock{Origin: int64(meanStart(history)), Unit: at.Scale}
	var ages, places moving
	for _, w := range history {
		if column := columnOf(w.Profile, view, i); column != nil && column.N > 0 {
			place, _ := c.read(w.Window.Start, column)
			ages.add(column.Mean() / c.Unit)
			places.add(place)
		}
	}
	if ages.n < MinWindows {
		return nil
	}
	stay, move := places.squares(), ages.squares()
	switch {
	case move > 0 && clearer*stay <= move:
		c.Alone = true
	case clearer*move <= stay:
		return nil
	}
	return c
}

// meanStart returns the mean start of windows in Unix seconds.
func meanStart(windows []WindowProfile) float64 {
	sum := 0.0
	for _, w := range windows {
		sum += float64(w.Window.Start.Unix()) / float64(len(windows))
	}
	return sum
}

// moving sums up values.
type moving struct {
	values []float64
	n      int
	sum    float64
}

func (m *moving) add(v float64) {
	m.values, m.n, m.sum = append(m.values, v), m.n+1, m.sum+v
}

// squares returns the sum of squares about the mean.
func (m *moving) squares() float64 {
	mean, sum := m.sum/float64(m.n), 0.0
	for _, v := range m.values {
		sum += (v - mean) * (v - mean)
	}
	return sum
}

// read returns where the times of a window's column lie and how far they are apart, in units.
func (c *Clock) read(start time.Time, column *sketch.Column) (place, spread float64) {
	spread = column.SD() / c.Unit
	return (float64(start.Unix()-c.Origin) - column.Mean()) / c.Unit, spread
}

// clock returns the clock of the view's i-th feature, calibrated on history; nil if ages
// alone are judged.
func (b *builder) clock(i int) *Clock {
	if b.least < MinWindows {
		return nil
	}
	c := clockOf(b.view, b.layout, b.history, i)
	if c == nil {
		return nil
	}
	variance, n, inverse := 0.0, 0.0, 0.0
	for w := range b.history {
		for k := range b.values {
			b.values[k][w] = math.NaN()
		}
		column := columnOf(b.history[w].Profile, b.view, i)
		if column == nil || column.N == 0 {
			continue
		}
		place, spread := c.read(b.history[w].Window.Start, column)
		b.values[Location][w], b.values[Scale][w] = place, spread
		inverse, n = inverse+1/float64(column.N), n+1
		if spread > 0 {
			variance += spread * spread
		}
	}
	variance, inverse = variance/n, inverse/n
	for _, s := range []Summary{Location, Scale} {
		if spread, ok := newSpread(s, b.values[s], b.phases, b.least, inverse, placeNoise(s, variance, inverse)); ok {
			c.Spreads = append(c.Spreads, spread)
		}
	}
	if len(c.Spreads) == 0 {
		return nil
	}
	return c
}

// placeNoise is what sampling independent rows of a variance would give: a quarter of it
// is the least that history is taken to vary by, and the precision of moments.
func placeNoise(s Summary, variance, inverse float64) noise {
	out := noise{unit: variance, mean: math.Inf(-1)}
	if s == Scale {
		out.unit = variance / 2
	}
	out.sd = max(quiet*math.Sqrt(out.unit*inverse), 1.0/sketch.MomentSteps)
	return out
}

// timed compares the view's i-th feature, which has a clock: by age where history does not
// rule that out, and by its times. Of both, the one that says less counts.
func (j *judge) timed(i int, ref *FeatureReference) finding {
	ages := finding{index: i, p: 1}
	f := j.frame(i, ref)
	if len(ref.Spreads) > 0 {
		ages = j.weigh(i, ref, &f, j.reduce(i, &f, j.windows))
	}
	f.placed = true
	of := &FeatureReference{Name: ref.Name, ID: ref.ID, Cuts: ref.Cuts, Spreads: ref.Clock.Spreads}
	times := j.weigh(i, of, &f, j.places(i, ref.Clock))
	times.clock = ref.Clock
	switch {
	case ages.tests == 0:
		return times
	case times.tests == 0:
		return ages
	case ref.Clock.Alone: // ages are nulls alone, and each has half of the level
		ages.share(2)
		times.share(2)
		if ages.effect && !times.effect || ages.effect == times.effect && ages.p < times.p {
			return ages
		}
		return times
	}
	effect := ages.effect && times.effect
	worse := ages
	if times.p > ages.p {
		worse = times
	}
	worse.effect = effect
	return worse
}

// places returns the windows' summaries of where the times of the i-th feature lie.
func (j *judge) places(i int, c *Clock) []reduced {
	out := make([]reduced, len(j.windows))
	for w := range j.windows {
		r := &out[w]
		unmeasured(&r.x)
		column := columnOf(j.windows[w].Profile, j.view, i)
		if column == nil || column.N == 0 {
			continue
		}
		r.n = column.N
		r.x[Location], r.x[Scale] = c.read(j.windows[w].Window.Start, column)
		for k := range r.inverse {
			r.inverse[k] = 1 / float64(column.N)
		}
	}
	return out
}

// effectTimes is by how many standard deviations of the values their mean must move to block.
const effectTimes = 0.5

// apartInTime reports whether the times moved by enough to block: by effectTimes, and by more
// than the mean of so many values goes astray with the probability of m.unlikely, were they normal.
func (m *moved) apartInTime() bool {
	sd := 1.0
	if spread := m.expected[Scale]; spread > sd {
		sd = spread
	}
	least := effectTimes
	if m.unlikely > 0 {
		least = max(least, math.Sqrt(2*m.unlikely*(m.inverse[Location]+1/m.pooled)))
	}
	return math.Abs(m.now[Location]-m.expected[Location]) >= least*sd
}

// text says what moved.
func (c *Clock) text(f *finding) string {
	if f.summary == Scale {
		return fmt.Sprintf("the standard deviation of the times went from %s to %s seconds", number(f.expected*c.Unit), number(f.now*c.Unit))
	}
	return fmt.Sprintf("the mean of the times went from %s to %s", c.time(f.expected), c.time(f.now))
}

// time writes a place as a time.
func (c *Clock) time(place float64) string {
	sec := float64(c.Origin) + place*c.Unit
	if !(math.Abs(sec) < 1e11) {
		return number(sec) + " Unix seconds"
	}
	return time.Unix(int64(sec), 0).UTC().Format(time.RFC3339)
}

// valid reports whether a clock that came from outside can be judged with.
func (c *Clock) valid() bool {
	if !(c.Unit > 0) || math.IsInf(c.Unit, 0) {
		return false
	}
	for i := range c.Spreads {
		s := &c.Spreads[i]
		if s.Summary != Location && s.Summary != Scale || !s.valid(s.Summary) {
			return false
		}
	}
	return len(c.Spreads) > 0
}

// onlyNulls keeps the spread of nulls.
func onlyNulls(spreads []Spread) []Spread {
	for _, s := range spreads {
		if s.Summary == Nulls {
			return []Spread{s}
		}
	}
	return nil
}

// Passed returns how many seconds before start the windows of history lie, on the average;
// 0 where no feature is a timestamp, or r does not say. r may be nil.
func (r *Reference) Passed(start time.Time) float64 {
	if r == nil || r.Since == 0 {
		return 0
	}
	return max(0, float64(start.Unix()-r.Since))
}

// aged reports whether ages are as much older than those of a few windows as the time that
// passed may make them, and no further apart: whether they move with the clock cannot be
// known yet.
func aged(now, ago *sketch.Column, passed float64) bool {
	if passed <= 0 || now == nil || ago == nil || now.N == 0 || ago.N == 0 {
		return false
	}
	spread := 0.0
	for _, sd := range []float64{now.SD(), ago.SD()} {
		if sd > spread { // not of a single value
			spread = sd
		}
	}
	const room = coldDistance
	older := now.Mean() - ago.Mean()
	wider := now.SD() > effectScale*max(ago.SD(), room*passed)
	return older >= -room*spread && older <= passed+room*spread && !wider
}

// hasTimes reports whether a feature of view is a timestamp.
func hasTimes(view *feature.View) bool {
	for i := range view.Features {
		if view.Features[i].Type == feature.Timestamp {
			return true
		}
	}
	return false
}
