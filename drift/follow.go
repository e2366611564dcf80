package drift

import (
	"math"

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

// valid reports whether a fit can be judged with.
func (f *Follow) valid() bool {
	sum := f.Location + f.Mean + f.Linear + f.Square + f.Lean + f.Middle + f.SumU + f.SumV + f.SD
	return f.N >= MinWindows+followed && f.SumU > 0 && f.SumV > 0 && f.SD > 0 && f.DF >= 1 && f.DF < 1<<31 && !math.IsNaN(sum) && !math.IsInf(sum, 0)
}
