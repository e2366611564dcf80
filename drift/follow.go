package drift

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// Follow is how the scale of a feature goes with its location over the windows of history:
//
//	scale = Mean + Linear u + Square v,  u = location - Location,  v = u² - Lean u - Middle
//
// fitted by least squares. Where values have hard bounds, or long ends, a move of the whole
// feature is a change of its normal scores' scale as well, and most of what that varies by.
// A rise of scale is never less likely than what is left of it when the location is known, in
// the prediction interval of the fit, which is the wider the further the location lies from
// those that history has.
//
// Source: the prediction interval of least squares, over polynomials that are made
// orthogonal on the sample; N. R. Draper and H. Smith, Applied Regression Analysis, 1998.
type Follow struct {
	N        int     `json:"n"` // windows
	Location float64 `json:"location"`
	Mean     float64 `json:"mean"` // of scale
	Linear   float64 `json:"linear"`
	Square   float64 `json:"square"`
	Lean     float64 `json:"lean"`
	Middle   float64 `json:"middle"`
	SumU     float64 `json:"sum_u"` // of u²
	SumV     float64 `json:"sum_v"` // of v²
	SD       float64 `json:"sd"`    // of what is left
	DF       int     `json:"df"`    // degrees of freedom of SD
}

// followed is how many numbers the fit is made of.
const followed = 3

// follows is the p-value of the F test that location says something of scale below which
// it is taken to.
const follows = 0.25

// followsAlike is the same where scale varies no more than sampling gives.
const followsAlike = 0.005

// newFollow fits the scales of windows to their locations; nil where these say nothing of
// them, by an F test at least, or with fewer than MinWindows windows beyond what the fit takes. What is left leans
// on the standard deviation that sampling gives, as that of scale itself does.
func newFollow(locations, scales []float64, sampling, least float64) *Follow {
	var f Follow
	for i, x := range locations {
		if y := scales[i]; !math.IsNaN(x) && !math.IsNaN(y) {
			f.N, f.Location, f.Mean = f.N+1, f.Location+x, f.Mean+y
		}
	}
	n := float64(f.N)
	if f.N < MinWindows+followed {
		return nil
	}
	f.Location, f.Mean = f.Location/n, f.Mean/n
	cubes := 0.0
	each := func(do func(u, y float64)) {
		for i, x := range locations {
			if y := scales[i]; !math.IsNaN(x) && !math.IsNaN(y) {
				do(x-f.Location, y-f.Mean)
			}
		}
	}
	each(func(u, _ float64) { f.SumU, cubes = f.SumU+u*u, cubes+u*u*u })
	f.Lean, f.Middle = cubes/f.SumU, f.SumU/n
	each(func(u, y float64) {
		v := f.bend(u)
		f.SumV += v * v
		f.Linear, f.Square = f.Linear+u*y, f.Square+v*y
	})
	f.Linear, f.Square = f.Linear/f.SumU, f.Square/f.SumV
	left, all := 0.0, 0.0
	each(func(u, y float64) {
		d := y - f.Linear*u - f.Square*f.bend(u)
		left, all = left+d*d, all+y*y
	})
	if f.DF = f.N - followed; !(f.ratio(left, all) < least) {
		return nil
	}
	rest := Spread{SD: math.Sqrt(left / float64(f.DF)), DF: f.DF}
	rest.lean(sampling)
	if f.SD, f.DF = max(sampling/2, rest.SD), rest.DF; !f.valid() {
		return nil
	}
	return &f
}

// ratio returns the p-value of the F test of the fit.
func (f *Follow) ratio(left, all float64) float64 {
	if !(left > 0) || !(all > left) {
		return 1
	}
	const terms = followed - 1
	statistic := (all - left) / terms / left * float64(f.DF)
	return distuv.F{D1: terms, D2: float64(f.DF)}.Survival(statistic)
}

// bend returns the part of u² that goes neither with u nor with nothing.
func (f *Follow) bend(u float64) float64 { return u*u - f.Lean*u - f.Middle }

// interval returns Student's statistic of a window's scale, its location known, with DF
// degrees of freedom. extra is the variance that it is noisier by than history.
func (f *Follow) interval(location, scale, extra float64) float64 {
	u := location - f.Location
	v := f.bend(u)
	variance := f.SD*f.SD*(1+1/float64(f.N)+u*u/f.SumU+v*v/f.SumV) + extra
	return (scale - f.Mean - f.Linear*u - f.Square*v) / math.Sqrt(variance)
}

// together is interval of the mean of windows.
func (f *Follow) together(windows []reduced, extra float64) float64 {
	m, us, vs, left := 0.0, 0.0, 0.0, 0.0
	for w := range windows {
		if location, scale := windows[w].x[Location], windows[w].x[Scale]; !math.IsNaN(location) && !math.IsNaN(scale) {
			u := location - f.Location
			v := f.bend(u)
			m, us, vs, left = m+1, us+u, vs+v, left+scale-f.Mean-f.Linear*u-f.Square*v
		}
	}
	if m == 0 {
		return math.Inf(1)
	}
	us, vs = us/m, vs/m
	return left / m / math.Sqrt(f.SD*f.SD*(1/m+1/float64(f.N)+us*us/f.SumU+vs*vs/f.SumV)+extra/m)
}

// located lets a rise of the mean scale of several windows be no less likely than what is left of it
// once the location of each is known, as that of one window is. Where the location has a season, what
// goes with it is in the season of scale.
func (j *judge) located(ref *FeatureReference, f *frame, shift *moved, r *rival) {
	s := r.spread
	if s.Follow != nil {
		extra := s.Unit * max(0, shift.inverse[Scale]-s.Inverse)
		r.rise, r.end = s.Follow.together(shift.each, extra), s.Follow.DF
	}
	if !s.Carried || ref.seasonal(Location) {
		return
	}
	if past, _ := j.past(r, j.level/r.tests); !past {
		return
	}
	sum, m := 0.0, 0.0
	for w := range shift.each {
		if at := shift.each[w].x[Location]; !math.IsNaN(at) {
			sum, m = sum+j.carriedTo(ref, f, shift, at), m+1
		}
	}
	r.t *= 1 - min(1, sum/max(1, m)/(r.now-r.expected))
}

// seasonal reports whether a summary keeps a season.
func (f *FeatureReference) seasonal(of Summary) bool {
	return slices.ContainsFunc(f.Spreads, func(s Spread) bool { return s.Summary == of && s.Season != "" })
}

// valid reports whether a fit can be judged with.
func (f *Follow) valid() bool {
	sum := f.Location + f.Mean + f.Linear + f.Square + f.Lean + f.Middle + f.SumU + f.SumV + f.SD
	return f.N >= MinWindows+followed && f.SumU > 0 && f.SumV > 0 && f.SD > 0 && f.DF >= 1 && f.DF < 1<<31 && !math.IsNaN(sum) && !math.IsInf(sum, 0)
}
