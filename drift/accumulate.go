package drift

import (
	"fmt"
	"math"
	"slices"
	"time"

	"sluice/feature"
	"sluice/quality/sketch"
)

// stretch is how many windows, up to the newest, a small shift adds up over, and the share of the
// level that their mean is judged at.
type stretch struct {
	windows int
	share   float64
}

// stretches are those of shifts that one window hardly shows. A mean of ten windows is told apart
// where it matters most, and changes little from one window to the next: its level is spent on fewer
// first alarms than that of two.
var stretches = []stretch{{2, .05}, {5, .2}, {10, .65}, {16, .1}}

// equalStretches are those of methods before severing.
var equalStretches = []stretch{{2, .25}, {4, .25}, {8, .25}, {16, .25}}

// stretches returns those that so many windows are enough for, the shortest first. Since severing they have
// the whole level between them, also where there are few windows yet, or on probation.
func (r *Reference) stretches(windows int) []stretch {
	of := stretches
	if r.Method < severing {
		of = equalStretches
	}
	fit, whole := of[:0:0], 0.0
	for _, s := range of {
		if s.windows <= windows {
			fit, whole = append(fit, s), whole+s.share
		}
	}
	if r.Method >= severing {
		for i := range fit {
			fit[i].share /= whole
		}
	}
	return fit
}

// Accumulated is how many windows Accumulate looks at.
const Accumulated = 16

// Slow is a shift that several windows show together.
type Slow struct {
	feature.Score
	Onset   time.Time // start of the first window that shows it
	Windows int       // from there to the newest
}

// Accumulate looks for shifts that are too small to be seen in one window: it judges
// the means of the last 2, 5, 10 and 16 windows of recent, which rise and come after
// r's history, each as Score does and at its share of level, so that of stable
// feature-windows at most a share of level alarms. The mean of m windows is compared
// with that of n windows of history in the prediction interval of both, so that an
// error of history's mean is allowed for, which a cumulative sum would take for a
// shift that goes on for ever.
//
// It returns an item per feature, and one for the view's volume, that alarms: over the
// stretch with the least p-value, whose start is the estimate of the onset. since says
// from which window start on a feature's windows count: the end of the last window of
// its last alarm, after which it starts anew. Features that are not named have none.
func (r *Reference) Accumulate(view *feature.View, layout *sketch.Layout, recent []WindowProfile, baseline *sketch.Profile, level float64, since map[string]time.Time) ([]Slow, error) {
	recent = recent[max(0, len(recent)-Accumulated):]
	if len(recent) < stretches[0].windows {
		return nil, nil
	}
	if err := r.check(layout, recent, baseline, level); err != nil {
		return nil, fmt.Errorf("accumulate %s: %w", view.Name, err)
	}
	runs, err := r.runs(view, layout, recent, baseline, level)
	if err != nil {
		return nil, fmt.Errorf("accumulate %s: %w", view.Name, err)
	}
	for i := range view.Features {
		r.along(i, runs)
	}
	var all clearest
	for k := range runs {
		u := &runs[k]
		adjust(u.findings, u.level)
		for i := range u.findings {
			if f := &u.findings[i]; f.adjusted <= u.level {
				all.take(u, u.score(f), since)
			}
		}
		facets, err := r.facets(nil, view, layout, u.current, baseline, u.level)
		if err != nil {
			return nil, fmt.Errorf("accumulate %s: %w", view.Name, err)
		}
		for _, s := range facets {
			if s.PValue <= u.level {
				all.take(u, s, since)
			}
		}
	}
	return all, nil
}

// clearest holds, of each feature, the alarm with the least p-value.
type clearest []Slow

// take takes in an alarm of a run, unless its windows do not count since a time.
func (all *clearest) take(u *run, s feature.Score, since map[string]time.Time) {
	if u.onset.Before(since[s.Feature]) {
		return
	}
	slow := Slow{Score: s, Onset: u.onset, Windows: len(u.current)}
	at := slices.IndexFunc(*all, func(o Slow) bool { return o.Feature == s.Feature })
	switch {
	case at < 0:
		*all = append(*all, slow)
	case s.PValue < (*all)[at].PValue:
		(*all)[at] = slow
	}
}

// run is the judgement of one stretch.
type run struct {
	judge
	onset    time.Time
	same     bool // windows are current: none was too short
	findings []finding
}

// runs prepares the stretches that recent is long enough for, with what they find of
// the view's volume; those with too few rows are left out.
func (r *Reference) runs(view *feature.View, layout *sketch.Layout, recent []WindowProfile, baseline *sketch.Profile, level float64) ([]run, error) {
	var runs []run
	for _, of := range r.stretches(len(recent)) {
		m := of.windows
		newest := recent[len(recent)-m:]
		windows, err := joinShort(view, layout, newest, r.MedianRows)
		if err != nil {
			return nil, err
		}
		if TooFew(windows, r.MedianRows) != "" {
			continue
		}
		u := run{onset: newest[0].Window.Start, same: len(windows) == m, judge: judge{reference: r, view: view, layout: layout,
			current: newest, windows: windows, baseline: baseline, level: level * of.share, slow: true}}
		if r.Volume != nil {
			u.findings = append(u.findings, u.volume())
		}
		runs = append(runs, u)
	}
	return runs, nil
}

// along judges the view's i-th feature in every run. Windows are reduced once to the
// summaries that the means of all stretches are made of.
func (r *Reference) along(i int, runs []run) {
	if len(runs) == 0 {
		return
	}
	longest := &runs[len(runs)-1]
	ref := longest.find(i)
	if ref == nil || len(ref.Spreads) == 0 && ref.Clock == nil {
		return
	}
	if ref.Clock != nil {
		for k := range runs {
			u := &runs[k]
			if found := u.timed(i, ref); found.tests > 0 {
				found.share(u.shares(i))
				u.findings = append(u.findings, found)
			}
		}
		return
	}
	f := longest.frame(i, ref)
	all := longest.reduce(i, &f, longest.windows)
	for k := range runs {
		u := &runs[k]
		windows := all[max(0, len(all)-len(u.windows)):]
		if !u.same || !longest.same {
			windows = u.reduce(i, &f, u.windows)
		}
		if found := u.weigh(i, ref, &f, windows); found.tests > 0 {
			found.share(u.shares(i))
			u.findings = append(u.findings, found)
		}
	}
}

// reduced is a window's column in summaries.
type reduced struct {
	x        [summaries]float64
	inverse  [summaries]float64 // 1/n of what each rests on
	n        uint64
	newcomer string
	surge    surge
}

// reduce returns the summaries of windows of the view's i-th feature.
func (j *judge) reduce(i int, f *frame, windows []WindowProfile) []reduced {
	at := j.layout.Feature(j.view.Features[i].ID)
	j.reduced = slices.Grow(j.reduced[:0], len(windows))[:len(windows)]
	for w := range windows {
		out := &j.reduced[w]
		p := windows[w].Profile
		column := columnOf(p, j.view, i)
		c := countsOf(column, f.shape, len(f.pooled))
		out.n, out.newcomer = c.n, ""
		if f.class == categorical && f.surges.law == nil {
			if j.rare == nil {
				j.rare = new(newcomers)
			}
			out.newcomer = j.rare.count(at, p, place(p, column, i), f.shape, &c)
		}
		f.summarise(&c, false, &out.x)
		out.surge = c.surge
		for k := range out.inverse {
			out.inverse[k] = 1 / observations(Summary(k), &c)
		}
	}
	return j.reduced
}

// mean returns the means of the windows' summaries and of their 1/n. Windows that do
// not measure a summary are left out of its mean.
func mean(windows []reduced) (now, inverse [summaries]float64) {
	for k := range now {
		sum, sumInverse, n := 0.0, 0.0, 0.0
		for w := range windows {
			if x := windows[w].x[k]; Summary(k).measured() && !math.IsNaN(x) {
				sum, sumInverse, n = sum+x, sumInverse+windows[w].inverse[k], n+1
			}
		}
		now[k], inverse[k] = sum/n, sumInverse/n
	}
	return now, inverse
}
