package drift

import (
	"math"
	"slices"
)

// maxProbation is the most windows whose joint excursion a reference remembers.
const maxProbation = 8

// Spread is how one summary varied over the windows of history: everything that
// a prediction interval needs.
type Spread struct {
	Summary Summary `json:"summary"`
	N       int     `json:"n"`    // windows
	Mean    float64 `json:"mean"` // over all windows
	SD      float64 `json:"sd"`   // between windows, about the phase means if a season is kept; at least the sampling error
	DF      int     `json:"df"`   // degrees of freedom of SD
	// Inverse is the mean of 1/n over the windows' observations n: the sampling
	// noise that SD holds already. Unit is that noise's variance times n.
	Inverse float64 `json:"inverse"`
	Unit    float64 `json:"unit"`
	// Excursions[m-1] is the largest distance from the mean that the mean of m
	// windows in a row ever had.
	Excursions []float64 `json:"excursions"`
	// Moving[m-1] is the standard deviation of the means of m windows in a row:
	// more than SD/sqrt(m) where neighbours are alike, as weather is.
	Moving []float64 `json:"moving"`
	Season string    `json:"season,omitempty"` // the season kept; empty: pooled
	Phases []Phase   `json:"phases,omitempty"`
	// Rise is the share of the level that a rise has, where it has more than a fall; 0: half.
	Rise  float64 `json:"rise,omitempty"`
	Heavy *Heavy  `json:"heavy,omitempty"` // of scale where it varies more than sampling gives, of the deviation, and before method 2 of a tail's share
	// Follow is how scale goes with location, where it does.
	Follow *Follow `json:"follow,omitempty"`
	// Carried says that scale goes with the location as it does where all values move by the same.
	Carried bool  `json:"carried,omitempty"`
	Rare    *Rare `json:"rare,omitempty"` // of a share that few rows of a window are in, or none are: the law of its rise
}

// Phase is one phase of a season.
type Phase struct {
	Phase int     `json:"phase"`
	N     int     `json:"n"`
	Mean  float64 `json:"mean"`
	// Wide is how many times the variance of all windows this phase has, at least 1:
	// what is near an edge on some days varies more on them.
	Wide float64 `json:"wide"`
}

// newSpread reduces the values of a summary over the windows of history; false
// if fewer than least are measured. inverse is the windows' mean 1/n.
func newSpread(s Summary, x []float64, p phases, least int, inverse float64, floor noise) (Spread, bool) {
	out := Spread{Summary: s, Inverse: inverse, Unit: floor.unit, Rise: s.rise()}
	sum := 0.0
	for _, v := range x {
		if !math.IsNaN(v) {
			out.N++
			sum += v
		}
	}
	if out.N < max(1, least) {
		return Spread{}, false
	}
	out.Mean = sum / float64(out.N)
	out.Season, out.Phases = p.explain(x)
	residuals, squares := out.residuals(x, p), 0.0
	for _, r := range residuals {
		squares += r * r
	}
	out.DF = out.N - max(1, len(out.Phases))
	if len(out.Phases) > 0 && out.strays(x, p) {
		out.DF-- // windows outside the kept phases share one more mean
	}
	out.DF = max(1, out.DF)
	out.SD = max(floor.sd, math.Sqrt(squares/float64(out.DF)))
	alike := out.lean(floor.prior)
	out.widen(x, p)
	out.Excursions, out.Moving = excursions(residuals)
	if s == Deviation {
		out.Unit = out.SD * out.SD / inverse
	}
	if s == Scale && !alike || s == Deviation {
		out.Heavy = newHeavy(residuals, out.SD)
	}
	out.Mean = max(out.Mean, floor.mean)
	for i := range out.Phases {
		out.Phases[i].Mean = max(out.Phases[i].Mean, floor.mean)
	}
	return out, true
}

// leaning is how many standard errors above the variance of sampling a history's may be
// to be that: 3.5 until method 6, by which history that was unlucky found no change of scale.
const leaning = 5

// leanShare is how many times the degrees of freedom of history the variance that
// sampling gives counts for, where history varies no more than it; surgeLean is that of a
// surge, whose law is fitted to history already, and surgeLeaning how many times the variance
// of sampling it may be.
const (
	leanShare    = 3
	surgeLean    = 20
	surgeLeaning = 1.7
)

// lean takes the standard deviation that sampling gives for what it is where history
// varies about as much, and reports whether it does: the mean of both variances, by their
// degrees of freedom, then has those of both. Sampling counts for the less the more history
// varies beyond it.
//
// Source: the form is that of G. K. Smyth, Linear models and empirical Bayes methods,
// Statistical Applications in Genetics and Molecular Biology 3(1), 2004, with a prior
// that theory gives.
func (s *Spread) lean(sampling float64) bool {
	if !(sampling > 0) {
		return false
	}
	ratio := s.SD * s.SD / (sampling * sampling)
	if s.Summary == Surge {
		if ratio > surgeLeaning {
			return false
		}
		s.lend(surgeLean, sampling)
		return true
	}
	beyond := (ratio - 1) / math.Sqrt(2/float64(s.DF)) // in standard errors
	if beyond > leaning {
		return false
	}
	s.lend(leanShare*min(1, (leaning-beyond)/(leaning-1)), sampling)
	return true
}

// lend takes the variance that sampling gives for that of so many times the degrees of
// freedom of history.
func (s *Spread) lend(share, sampling float64) {
	s.SD = math.Sqrt((s.SD*s.SD + share*sampling*sampling) / (1 + share))
	s.DF = int(float64(s.DF) * (1 + share))
}

// unleaned returns s with the variance that history had, and its degrees of freedom, where sampling
// was taken for most of it and gives less. Of one window a part that is not sampling is small against
// sampling; the mean of many windows has the less of sampling, and the same error of history's mean.
func (s *Spread) unleaned() *Spread {
	df := max(1, s.N-max(1, len(s.Phases)))
	if len(s.Moving) == 0 || s.DF <= df {
		return s
	}
	own := s.Moving[0] * math.Sqrt(float64(s.N)/float64(df))
	if own <= s.SD {
		return s
	}
	out, more := *s, own*own/(s.SD*s.SD)
	out.SD, out.DF, out.Phases = own, df, slices.Clone(s.Phases)
	for i := range out.Phases {
		out.Phases[i].Wide = max(1, out.Phases[i].Wide/more)
	}
	return &out
}

// phaseShrink is how many windows the variance of all counts for in that of a phase.
const phaseShrink = 4

// widen fills in how much more the windows of each phase vary than all do.
func (s *Spread) widen(x []float64, p phases) {
	of := p.named(s.Season)
	for i := range s.Phases {
		g := &s.Phases[i]
		squares := phaseShrink * s.SD * s.SD
		for w, v := range x {
			if !math.IsNaN(v) && of[w] == g.Phase {
				squares += (v - g.Mean) * (v - g.Mean)
			}
		}
		g.Wide = max(1, squares/float64(phaseShrink+g.N-1)/(s.SD*s.SD))
	}
}

// residuals returns the measured values less the mean of their phase.
func (s *Spread) residuals(x []float64, p phases) []float64 {
	of := p.named(s.Season)
	out := make([]float64, 0, s.N)
	for i, v := range x {
		if math.IsNaN(v) {
			continue
		}
		mean := s.Mean
		if of != nil {
			if g := findPhase(s.Phases, of[i]); g != nil {
				mean = g.Mean
			}
		}
		out = append(out, v-mean)
	}
	return out
}

// strays reports whether a measured window lies in none of the kept phases.
func (s *Spread) strays(x []float64, p phases) bool {
	of := p.named(s.Season)
	for i, v := range x {
		if !math.IsNaN(v) && findPhase(s.Phases, of[i]) == nil {
			return true
		}
	}
	return false
}

// named returns the phase of every window in the season of that name; nil if there is none.
func (p phases) named(season string) []int {
	for i, name := range p.seasons {
		if name == season {
			return p.of[i]
		}
	}
	return nil
}

// excursions returns, for 1 to maxProbation windows in a row, the largest absolute
// mean of so many and the root of the mean square of such means.
func excursions(residuals []float64) (largest, spread []float64) {
	n := min(maxProbation, len(residuals))
	largest, spread = make([]float64, n), make([]float64, n)
	for m := 1; m <= n; m++ {
		sum, squares := 0.0, 0.0
		for i, r := range residuals {
			sum += r
			if i >= m {
				sum -= residuals[i-m]
			}
			if i >= m-1 {
				mean := sum / float64(m)
				largest[m-1] = max(largest[m-1], math.Abs(mean))
				squares += mean * mean
			}
		}
		spread[m-1] = math.Sqrt(squares / float64(len(residuals)-m+1))
	}
	return largest, spread
}

// joint returns the variance of the mean of m windows in a row. Windows that are
// alike with their neighbours vary more together.
func (s *Spread) joint(m int) float64 {
	variance := s.SD * s.SD / float64(m)
	if m <= 1 || len(s.Moving) == 0 {
		return variance
	}
	moving := s.Moving[min(m, len(s.Moving))-1]
	return max(variance, moving*moving)
}

// excursion returns the largest excursion of the mean of m windows in a row.
func (s *Spread) excursion(m int) float64 {
	if len(s.Excursions) == 0 {
		return 0
	}
	return s.Excursions[min(m, len(s.Excursions))-1]
}

// expected returns the mean that windows of the given phases should have, the
// variance of that mean in units of the variance between windows, and how many times
// that variance such windows have.
func (s *Spread) expected(phaseOf func(season string) []int) (mean, inverse, wide float64) {
	if s.Season == "" {
		return s.Mean, 1 / float64(s.N), 1
	}
	of := phaseOf(s.Season)
	for _, phase := range of {
		g := findPhase(s.Phases, phase)
		if g == nil {
			g = &Phase{N: s.N, Mean: s.Mean, Wide: 1}
		}
		mean += g.Mean / float64(len(of))
		inverse += 1 / float64(g.N) / float64(len(of))
		wide += g.Wide / float64(len(of))
	}
	return mean, inverse, wide
}

// shared returns the variance of the mean that windows of the given phases should have together, in units of the
// variance between windows: the error of a phase's mean counts by the square of the share of the windows that are in it.
// expected, which methods before 8 go by, says that of one window.
func (s *Spread) shared(phaseOf func(season string) []int) (inverse float64) {
	if s.Season == "" {
		return 1 / float64(s.N)
	}
	of, strays := phaseOf(s.Season), 0.0
	for _, phase := range of {
		if findPhase(s.Phases, phase) == nil {
			strays++
		}
	}
	for i := range s.Phases {
		in := 0.0
		for _, phase := range of {
			if phase == s.Phases[i].Phase {
				in++
			}
		}
		inverse += in * in / float64(s.Phases[i].N)
	}
	return (inverse + strays*strays/float64(s.N)) / float64(len(of)) / float64(len(of))
}

// widerPhase is how many times the variance of all windows a phase must have for it to
// be taken for that of its own windows alone.
const widerPhase = 1.5

// freedom returns the degrees of freedom of the variance of windows of those phases:
// those of the phase's own windows, with what all count for in it, where that is wider.
func (s *Spread) freedom(phaseOf func(season string) []int) int {
	df := s.DF
	if s.Season == "" {
		return df
	}
	for _, phase := range phaseOf(s.Season) {
		if g := findPhase(s.Phases, phase); g != nil && g.Wide > widerPhase {
			df = min(df, phaseShrink+g.N-1)
		}
	}
	return df
}

// own returns df, or the degrees of freedom of the smallest phase where that is fewer.
func (s *Spread) own(df int) int {
	for i := range s.Phases {
		df = min(df, phaseShrink+s.Phases[i].N-1)
	}
	return df
}

// pvalue returns the tail probability of Student's statistic t.
func (s *Spread) pvalue(t float64) float64 { return s.tailOf(t, s.DF) }

// tailOf is pvalue where the variance has other degrees of freedom.
func (s *Spread) tailOf(t float64, df int) float64 {
	p := 0.0
	if summarySpecs[s.Summary].oneSided {
		p = studentTail(t, float64(df))
	} else {
		p = min(1, s.sides(t)*studentTail(math.Abs(t), float64(df)))
	}
	if s.Heavy != nil && t > 0 {
		p = max(p, s.Heavy.tail(t))
	}
	return p
}

// sides returns what the probability of one direction is multiplied by, where a rise and
// a fall share the level: 2 where they do so evenly, 1 where only a rise counts.
func (s *Spread) sides(t float64) float64 {
	switch {
	case summarySpecs[s.Summary].oneSided:
		return 1
	case s.Rise == 0:
		return 2
	case t > 0:
		return 1 / s.Rise
	}
	return 1 / (1 - s.Rise)
}

// quantile returns the t that a rise exceeds with probability p, where only a rise
// counts.
func (s *Spread) quantile(p float64) float64 {
	t := studentQuantile(p, float64(s.DF))
	if s.Heavy != nil {
		t = max(t, s.Heavy.quantile(p))
	}
	return t
}

// leastP keeps logarithms of p-values finite.
const leastP = 1e-300
