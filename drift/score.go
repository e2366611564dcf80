package drift

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"

	"sluice/feature"
	"sluice/quality/sketch"
)

// Method names of the scores of this package.
const (
	MethodCalibrated = "calibrated"
	MethodVolume     = "volume"
	MethodPSI        = "psi"
	MethodKS         = "ks"
	MethodChiSquare  = "chi_square"
	MethodTVD        = "tvd"
	MethodNulls      = "nulls"
	MethodForest     = "iforest"
)

// Score judges the current windows, which share layout, against history: one
// score of method calibrated per feature, and one of method volume for the view.
// baseline is the merge of the reference's windows.
//
// level is the rate of false alarms per feature and window. A score's Statistic
// is Student's t of the summary that moved most in its prediction interval,
// Threshold the t at level, and PValue the p-value after Bonferroni over the
// feature's summaries and Benjamini-Hochberg over the run, which may only remove
// alarms; a score alarms if PValue <= level. Severity is ln PValue / ln level.
// Effect reports a shift past the effect floor of an alarming summary and past
// 1.5 times the largest excursion of history.
//
// Of several windows, as in probation, the mean of their summaries is judged;
// windows with too few rows are first merged with their neighbours. If all of
// them together are too few, every score says so in Short and nothing is judged.
func (r *Reference) Score(view *feature.View, layout *sketch.Layout, current []WindowProfile, baseline *sketch.Profile, level float64) ([]feature.Score, error) {
	scores, err := r.score(view, layout, current, baseline, level, nil)
	if err != nil || len(r.Facets) == 0 || len(scores) == 1 && scores[0].Short != "" {
		return scores, err
	}
	if scores, err = r.facets(scores, view, layout, current, baseline, level); err != nil {
		return nil, fmt.Errorf("score %s: %w", view.Name, err)
	}
	return scores, nil
}

// score judges the features of view, or the aspects of a facet.
func (r *Reference) score(view *feature.View, layout *sketch.Layout, current []WindowProfile, baseline *sketch.Profile, level float64, of *facet) ([]feature.Score, error) {
	if err := r.check(layout, current, baseline, level); err != nil {
		return nil, fmt.Errorf("score %s: %w", view.Name, err)
	}
	windows, err := joinShort(view, layout, current, r.MedianRows)
	if err != nil {
		return nil, fmt.Errorf("score %s: %w", view.Name, err)
	}
	if short := TooFew(windows, r.MedianRows); short != "" {
		return []feature.Score{{Method: MethodCalibrated, PValue: 1, N: rowsOf(windows), M: baseline.Profiled(), Short: short}}, nil
	}
	j := &judge{reference: r, view: view, layout: layout, current: current, windows: windows, baseline: baseline, level: level, facet: of}
	findings := make([]finding, 0, len(r.Features)+1)
	if r.Volume != nil {
		findings = append(findings, j.volume())
	}
	findings = j.features(findings)
	adjust(findings, level)
	scores := make([]feature.Score, len(findings))
	for i := range findings {
		scores[i] = j.score(&findings[i])
	}
	return scores, nil
}

func (r *Reference) check(layout *sketch.Layout, current []WindowProfile, baseline *sketch.Profile, level float64) error {
	switch {
	case len(current) == 0:
		return fmt.Errorf("no window: %w", ErrSample)
	case layout.Digest() != r.Layout || baseline.Layout().Digest() != r.Layout:
		return fmt.Errorf("layout %q and baseline %q against a reference over %q: %w", layout.Digest(), baseline.Layout().Digest(), r.Layout, ErrBins)
	case !(level > 0 && level < 1):
		return fmt.Errorf("level %v is not between 0 and 1: %w", level, ErrSample)
	case r.Volume != nil && !r.Volume.valid(Volume):
		return fmt.Errorf("volume of the reference: %w", ErrCorrupt)
	}
	for i := range r.Features {
		if f := &r.Features[i]; !f.valid(layout.Feature(f.ID)) {
			return fmt.Errorf("reference of %s: %w", f.Name, ErrCorrupt)
		}
	}
	return sameLayout(layout, current)
}

// valid reports whether a reference that came from outside can be judged with: its
// cuts lie within the bins of at, and its spreads are ones.
func (f *FeatureReference) valid(at *sketch.FeatureLayout) bool {
	bins := 0
	if at != nil {
		bins = at.Bins()
	}
	c := &f.Cuts
	ok := within(c.Low, 0, bins) && within(c.High, 0, bins) && within(c.LowExtreme, -1, bins) && within(c.HighExtreme, -1, bins) && len(c.Top) <= topShares
	for _, bin := range c.Top {
		ok = ok && within(bin, 0, bins-1)
	}
	for i := range f.Spreads {
		ok = ok && f.Spreads[i].Summary.measured() && f.Spreads[i].valid(f.Spreads[i].Summary)
	}
	ok = ok && (f.Clock == nil || f.Clock.valid())
	ok = ok && (f.Surge == nil || f.Surge.valid())
	for i := range f.Edges {
		ok = ok && (f.Edges[i].Summary == LowEdge || f.Edges[i].Summary == HighEdge) && f.Edges[i].valid(f.Edges[i].Summary)
	}
	return ok
}

func within(v, low, high int) bool { return v >= low && v <= high }

// judge holds what the features of one run share.
type judge struct {
	reference *Reference
	view      *feature.View
	layout    *sketch.Layout
	current   []WindowProfile // as given
	windows   []WindowProfile // without short ones
	baseline  *sketch.Profile
	level     float64
	slow      bool       // shifts are looked for that several windows add up to
	facet     *facet     // whose aspects are judged; nil: features
	rare      *newcomers // nil until something is counted
	reduced   []reduced
	quantiles latest
}

// finding is what the detector says of one feature before the run is adjusted.
type finding struct {
	index   int     // of the feature; -1: the view
	tests   int     // summaries compared
	df      int     // of that summary's law
	parts   float64 // what the p-value of the worst was multiplied by
	summary Summary
	t       float64
	p       float64 // after Bonferroni
	effect  bool

	now, expected float64 // natural
	n, m          uint64
	spread        *Spread
	newcomer      string
	surge         surge
	adjusted      float64
	clock         *Clock // by which it was found; nil: by age, or another type
}

// portion is how many features one goroutine judges at least.
const portion = 256

// features appends what is found of the view's features to findings, in their order.
// Those of a wide view are judged on all processors.
func (j *judge) features(findings []finding) []finding {
	n := len(j.view.Features)
	workers := max(1, min(runtime.GOMAXPROCS(0), n/portion))
	if workers == 1 {
		return j.some(findings, 0, n)
	}
	parts := make([][]finding, workers)
	var all sync.WaitGroup
	for k := range parts {
		of := *j
		all.Go(func() { parts[k] = of.some(nil, n*k/workers, n*(k+1)/workers) })
	}
	all.Wait()
	return append(findings, slices.Concat(parts...)...)
}

// some appends what is found of the features from one place to before another.
func (j *judge) some(findings []finding, from, to int) []finding {
	j.rare = spare.Get().(*newcomers)
	defer func() { spare.Put(j.rare); j.rare = nil }()
	for i := from; i < to; i++ {
		if f := j.feature(i); f.tests > 0 {
			f.share(j.shares(i))
			findings = append(findings, f)
		}
	}
	return findings
}

// feature compares the summaries of the view's i-th feature.
func (j *judge) feature(i int) finding {
	ref := j.find(i)
	switch {
	case ref == nil || len(ref.Spreads) == 0 && ref.Clock == nil:
		return finding{index: i, p: 1}
	case ref.Clock != nil:
		return j.timed(i, ref)
	}
	f := j.frame(i, ref)
	return j.weigh(i, ref, &f, j.reduce(i, &f, j.windows))
}

// weigh compares the means of windows' summaries with history.
func (j *judge) weigh(i int, ref *FeatureReference, f *frame, windows []reduced) finding {
	out := finding{index: i, p: 1, m: total64(f.pooled)}
	for w := range windows {
		out.n += windows[w].n
		out.newcomer = windows[w].newcomer
	}
	out.surge = meanSurge(windows)
	now, inverse := mean(windows)
	shift := moved{now: now, strict: j.reference.Method >= weighted, placed: f.placed, surge: out.surge, bursts: j.reference.Method >= severing}
	if j.reference.Method >= guarded {
		shift.unlikely, shift.inverse, shift.pooled = -math.Log(j.blocking()/noiseRatio), &inverse, f.n
		shift.windows, shift.each = float64(max(1, len(windows))), windows
		if c := columnOf(j.baseline, j.view, i); c != nil {
			shift.rows = float64(c.Rows())
		}
	}
	unmeasured(&shift.expected)
	for k := range ref.Spreads {
		s := &ref.Spreads[k]
		shift.expected[s.Summary], _, _ = s.expected(j.phases)
		if s.Summary == TVDistance && !math.IsNaN(now[TVDistance]) {
			shift.sampling = f.noise(TVDistance, inverse[TVDistance]).gauge
		}
	}
	j.compare(ref, f, &shift, inverse, &out)
	return out
}

// find returns the reference of the view's i-th feature; nil if there is none.
func (j *judge) find(i int) *FeatureReference {
	features := j.reference.Features
	if i < len(features) && features[i].ID == j.view.Features[i].ID {
		return &features[i]
	}
	at := slices.IndexFunc(features, func(f FeatureReference) bool { return f.ID == j.view.Features[i].ID })
	if at < 0 {
		return nil
	}
	return &features[at]
}

// frame returns the frame of a feature over the baseline.
func (j *judge) frame(i int, ref *FeatureReference) frame {
	if known := j.reference.frameOf(i, ref, columnOf(j.baseline, j.view, i)); known != nil {
		f := *known
		f.surges = j.surges(i, ref, f.class)
		return f
	}
	at := j.layout.Feature(j.view.Features[i].ID)
	s := shapeOf(at)
	var pooled []uint64
	if s.class != presence {
		c := countsOf(columnOf(j.baseline, j.view, i), s, at.Bins())
		if pooled = c.bins; pooled == nil {
			s = shape{other: -1, unseen: -1}
		}
	}
	f := newFrame(s, ref.Cuts, pooled, j.reference.clips())
	f.surges = j.surges(i, ref, f.class)
	return f
}

// surges reads the buckets of the view's i-th feature in the baseline.
func (j *judge) surges(i int, ref *FeatureReference, of class) surges {
	c := columnOf(j.baseline, j.view, i)
	if ref.Surge == nil || of != categorical || c == nil {
		return surges{}
	}
	buckets, among := c.Buckets()
	return surges{law: ref.Surge, pooled: buckets, among: float64(among)}
}

// frameOf returns the frame of the i-th feature that is known already; nil if none is, or
// if it is not that of the baseline's column c.
func (r *Reference) frameOf(i int, ref *FeatureReference, c *sketch.Column) *frame {
	if i >= len(r.frames) || &r.Features[i] != ref || c == nil {
		return nil
	}
	f := &r.frames[i]
	if f.class == presence || f.clips != r.clips() || !slices.Equal(f.pooled, c.Bins()) {
		return nil
	}
	return f
}

// Prepare works out what every run against baseline asks for again, where r came from
// outside. It is to be called before r is shared; what r says does not depend on it.
func (r *Reference) Prepare(view *feature.View, layout *sketch.Layout, baseline *sketch.Profile) {
	j := &judge{reference: r, view: view, layout: layout, baseline: baseline}
	frames := make([]frame, len(r.Features))
	for i := range min(len(view.Features), len(r.Features)) {
		if ref := &r.Features[i]; ref.ID == view.Features[i].ID && ref.valid(layout.Feature(ref.ID)) {
			frames[i] = j.frame(i, ref)
		}
	}
	r.frames = frames
}

// share leaves the feature one of so many parts of the level.
func (f *finding) share(parts int) {
	f.tests *= parts
	f.parts *= float64(parts)
	f.p = min(1, f.p*float64(parts))
}

// volume compares the windows' rows with history.
func (j *judge) volume() finding {
	s := j.reference.Volume
	rows, m := 0.0, float64(len(j.current))
	for _, w := range j.current {
		rows += float64(w.Profile.Rows)
	}
	shift := moved{}
	shift.now[Volume] = math.Log(max(rows, 1) / m)
	at := j.predict(s, len(j.current))
	shift.expected[Volume] = at.expected
	out := finding{index: -1, tests: 1, parts: 1, summary: Volume, spread: s, df: s.DF, n: uint64(rows), m: j.baseline.Rows}
	out.t = s.interval(shift.now[Volume], at, len(j.current), m/max(rows, 1))
	out.p = s.pvalue(out.t)
	out.now, out.expected = Volume.natural(shift.now[Volume]), Volume.natural(shift.expected[Volume])
	out.effect = out.p <= j.blocking() && shift.large(Volume) &&
		math.Abs(shift.now[Volume]-shift.expected[Volume]) >= effectHistory*s.excursion(len(j.current))
	return out
}

// phases returns the phase of every current window.
func (j *judge) phases(season string) []int {
	of := make([]int, len(j.windows))
	for i, w := range j.windows {
		of[i] = phaseOf(season, j.view, w.Window.Start)
	}
	return of
}

// score turns a finding into a score.
func (j *judge) score(f *finding) feature.Score {
	s := feature.Score{
		Method: MethodCalibrated, Summary: f.summary.String(), Statistic: f.t, PValue: f.adjusted, N: f.n, M: f.m,
		Severity: severity(f.adjusted, j.level),
	}
	if f.index >= 0 {
		s.Feature = j.view.Features[f.index].Name
	}
	alarm := f.adjusted <= j.level
	s.Effect = f.effect && alarm
	if alarm {
		j.lead(f)
		s.Summary, s.Statistic = f.summary.String(), f.t
	}
	s.Threshold = j.quantile(f.spread, f.df, j.level/f.parts, f.t)
	if f.summary == Volume {
		s.Method = MethodVolume
	}
	if alarm {
		s.Text = j.text(f)
	}
	return s
}

func total64(counts []uint64) uint64 {
	sum := uint64(0)
	for _, n := range counts {
		sum += n
	}
	return sum
}
