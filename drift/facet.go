package drift

import (
	"fmt"
	"math"
	"time"

	"sluice/feature"
	"sluice/quality/sketch"
)

// FacetReference is the reference of a feature's facet: of the aspects that
// sketch.NewAspects makes of it, which are judged as features are.
type FacetReference struct {
	ID        uint32    `json:"id"` // of the feature
	Reference Reference `json:"reference"`
}

// buildFacets returns the references of the facets of view's features.
func buildFacets(view *feature.View, layout *sketch.Layout, history []WindowProfile, least int) ([]FacetReference, error) {
	var out []FacetReference
	for i := range view.Features {
		aspects := sketch.NewAspects(view, layout, i)
		if aspects == nil {
			continue
		}
		windows := facetWindows(aspects, history)
		r, err := new(Samples).buildReference(aspects.View, aspects.Layout, windows, least, nil)
		if err != nil {
			return nil, fmt.Errorf("facet of %s: %w", view.Features[i].Name, err)
		}
		r.Volume = nil
		for k := range r.Features {
			if of := aspects.Of[k]; of.Facet == sketch.Hours && !recurs(windows, k, of.Name, stays(view, layout, history, i)) {
				r.Features[k].Spreads = nil
			}
		}
		out = append(out, FacetReference{ID: view.Features[i].ID, Reference: *r})
	}
	return out, nil
}

// facetWindows returns the windows' columns of aspects.
func facetWindows(aspects *sketch.Aspects, windows []WindowProfile) []WindowProfile {
	out := make([]WindowProfile, len(windows))
	for i, w := range windows {
		w.Profile = aspects.Profile(w.Profile)
		out[i] = w
	}
	return out
}

// recurring is by how much more than sampling gives the windows of history may differ, on
// the average and in total variation, in the hours or days of their timestamps for these
// to be judged.
const recurring = 0.05

// recurs reports whether windows have their timestamps at the same hours, and will have.
// Those near the time of a window shorter than a day are at other hours in each: what they
// have in common is their age, which is judged. The hours of older ones, or of windows of
// whole days, do not follow the window.
//
// A history that is shorter than a cycle may have them at the same hour because the next
// hour has not come yet. It is believed if it would have shown that they follow the window,
// if they do not (stays), or if it makes no difference.
func recurs(windows []WindowProfile, column int, aspect string, stays bool) bool {
	excess, pooled := apart(windows, column)
	if !(excess <= recurring) {
		return false
	}
	c := cycleOf(aspect)
	lasting := c.span(windows)
	switch {
	case lasting >= c.bin*time.Duration(c.bins), stays:
		return true
	case lasting >= 2*c.bin && excess <= c.following(windows, pooled)/2: // all of them are in another bin then
		return true
	}
	return c.even(pooled)
}

// apart returns by how much more than sampling gives the windows differ in a column's
// bins, in total variation and on the average, not a number without values; and the pooled shares.
func apart(windows []WindowProfile, column int) (excess float64, pooled []float64) {
	all := 0.0
	for _, w := range windows {
		c := &w.Profile.Columns[column]
		if pooled == nil {
			pooled = make([]float64, len(c.Bins()))
		}
		for k, n := range c.Bins() {
			pooled[k] += float64(n)
			all += float64(n)
		}
	}
	counted := 0.0
	for _, w := range windows {
		c := &w.Profile.Columns[column]
		n := float64(c.N)
		if n == 0 || all == n {
			continue
		}
		apart, noise := 0.0, 0.0
		for k, have := range c.Bins() {
			p := (pooled[k] - float64(have)) / (all - n)
			apart += math.Abs(float64(have)/n-p) / 2
			q := pooled[k] / all
			noise += math.Sqrt(2*q*(1-q)*(1/n+1/(all-n))/math.Pi) / 2
		}
		excess += apart - noise
		counted++
	}
	for k := range pooled {
		pooled[k] /= all
	}
	return excess / counted, pooled
}

// cycle is how many hours or days come one after another until the first comes again.
type cycle struct {
	bins int
	bin  time.Duration
}

func cycleOf(aspect string) cycle {
	if aspect == sketch.HoursOfDay {
		return cycle{24, time.Hour}
	}
	return cycle{7, 24 * time.Hour}
}

// span returns how long the windows last in all.
func (c cycle) span(windows []WindowProfile) (all time.Duration) {
	for _, w := range windows {
		all += w.Window.End.Sub(w.Window.Start)
	}
	return all
}

// turned returns how far shares are, in total variation, from those of times later by so many bins.
func (c cycle) turned(shares []float64, by float64) float64 {
	by = math.Mod(math.Mod(by, float64(c.bins))+float64(c.bins), float64(c.bins))
	whole, rest := int(by), by-math.Floor(by)
	apart := 0.0
	for k := range c.bins {
		from := shares[(k-whole+2*c.bins)%c.bins]*(1-rest) + shares[(k-whole-1+2*c.bins)%c.bins]*rest
		apart += math.Abs(shares[k]-from) / 2
	}
	return apart
}

// following returns by how much windows would differ if all times followed them.
func (c cycle) following(windows []WindowProfile, shares []float64) float64 {
	mean, sum := meanStart(windows), 0.0
	for _, w := range windows {
		sum += c.turned(shares, (float64(w.Window.Start.Unix())-mean)/c.bin.Seconds())
	}
	return sum / float64(len(windows))
}

// even reports whether times are spread so evenly that it changes nothing if they follow the window.
func (c cycle) even(shares []float64) bool {
	for by := 1; by < c.bins; by++ {
		if !(c.turned(shares, float64(by)) <= recurring) {
			return false
		}
	}
	return true
}

// stays reports whether the times of the view's i-th feature stay while the clock goes on.
func stays(view *feature.View, layout *sketch.Layout, history []WindowProfile, i int) bool {
	c := clockOf(view, layout, history, i)
	return c != nil && c.Alone
}

// facetOf returns the reference of the facet of the feature of that id, and how many of
// its aspects can be judged; nil if none can.
func (r *Reference) facetOf(id uint32) (*Reference, int) {
	for i := range r.Facets {
		if r.Facets[i].ID != id {
			continue
		}
		n := 0
		for k := range r.Facets[i].Reference.Features {
			if len(r.Facets[i].Reference.Features[k].Spreads) > 0 {
				n++
			}
		}
		if n > 0 {
			return &r.Facets[i].Reference, n
		}
	}
	return nil, 0
}

// shares returns among how many parts the level of the view's i-th feature is shared: a
// feature with a facet leaves it half.
func (j *judge) shares(i int) int {
	if _, n := j.reference.facetOf(j.view.Features[i].ID); n > 0 {
		return 2
	}
	return 1
}

// facets judges the facets of the view's features, each at half of the level, spread
// evenly over its aspects, and puts what alarms more than the feature itself in its place.
func (r *Reference) facets(scores []feature.Score, view *feature.View, layout *sketch.Layout, current []WindowProfile, baseline *sketch.Profile, level float64) ([]feature.Score, error) {
	for i := range view.Features {
		ref, n := r.facetOf(view.Features[i].ID)
		if ref == nil {
			continue
		}
		aspects := sketch.NewAspects(view, layout, i)
		if aspects == nil {
			return nil, fmt.Errorf("facet of %s: %w", view.Features[i].Name, ErrCorrupt)
		}
		parts := float64(2 * n)
		facet := &facet{aspects: aspects, feature: view.Features[i], windows: current}
		found, err := ref.score(aspects.View, aspects.Layout, facetWindows(aspects, current), aspects.Profile(baseline), level/parts, facet)
		if err != nil {
			return nil, err
		}
		for _, s := range found {
			if s.Short == "" {
				scores = enterFacet(scores, facet.name(s, parts, level))
			}
		}
	}
	return scores, nil
}

// enterFacet puts s in the place of the score of its feature if it says more.
func enterFacet(scores []feature.Score, s feature.Score) []feature.Score {
	for i := range scores {
		o := &scores[i]
		if o.Feature != s.Feature || o.Method != s.Method {
			continue
		}
		if s.Effect && !o.Effect || s.Effect == o.Effect && s.PValue < o.PValue {
			*o = s
		}
		return scores
	}
	return append(scores, s)
}

// facet is what the scores of a feature's aspects are told as.
type facet struct {
	aspects *sketch.Aspects
	feature feature.Feature
	windows []WindowProfile // of the feature
}

// name turns a score of an aspect, judged at one of so many parts of the level, into one
// of the feature.
func (f *facet) name(s feature.Score, parts, level float64) feature.Score {
	of := f.aspects.Of[0].Facet
	s.Feature, s.PValue = f.feature.Name, min(1, s.PValue*parts)
	if s.Severity = severity(s.PValue, level); of == sketch.Paths {
		s.Summary = "presence"
	}
	s.Summary = of.String() + "_" + s.Summary
	return s
}

// text says in one sentence what moved in an aspect.
func (f *facet) text(j *judge, found *finding) string {
	of := f.aspects.Of[found.index]
	switch of.Facet {
	case sketch.Paths:
		what := "path " + of.Name
		if of.Name == sketch.OtherPaths || of.Name == sketch.UnseenPaths {
			what = of.Name
		}
		if of.Name == sketch.UnseenPaths {
			what += example(f.example())
		}
		return fmt.Sprintf("%s: %s present in %s of rows, was %s (presence is %s standard errors from %d windows of history)", f.feature.Name, what,
			percent(1-found.now), percent(1-found.expected), number(math.Abs(found.t)), found.spread.N)
	case sketch.Hours:
		return fmt.Sprintf("%s: times moved among the %s%s (%s)", f.feature.Name, of.Name, j.farthest(found.index), found.strength())
	}
	if found.summary == Unseen || found.summary == Newcomer || found.summary == Surge {
		found.newcomer = f.example()
	}
	return fmt.Sprintf("%s: in the elements of its lists, %s (%s)", f.feature.Name, j.movement(found), found.strength())
}

// example returns the most frequent unseen element or path.
func (f *facet) example() string {
	best, most := "", 0
	for _, w := range f.windows {
		if text, n := w.Profile.Example(f.feature.ID); n > most {
			best, most = text, n
		}
	}
	return best
}

// farthest names the hour or day of the i-th aspect whose share rose most.
func (j *judge) farthest(i int) string {
	now, err := merge(j.view, j.layout, j.windows)
	if err != nil {
		return ""
	}
	b, c := j.baseline.Columns[i].Shares(), now.Columns[i].Shares()
	if len(b) == 0 || len(b) != len(c) {
		return ""
	}
	at := 0
	for k := range b {
		if c[k]-b[k] > c[at]-b[at] {
			at = k
		}
	}
	name := fmt.Sprintf("at %02d:00", at)
	if names := j.layout.Features[i].Categories; at < len(names) {
		name = "on " + names[at]
	}
	return fmt.Sprintf(": %s of them are %s, was %s", percent(c[at]), name, percent(b[at]))
}
