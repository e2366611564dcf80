package drift

import "math"

// noise is what sampling alone would give a summary of a window: the treatment
// of a history that hardly varies, or whose windows were larger.
//
// A history of equal windows has standard deviation 0, and by itself would call
// any noise an alarm. So the standard deviation of a summary is never taken to
// be below that of sampling rows independently (a share), or a quarter of it (location
// and scale, where rows of a window often vary less than independent ones), and
// the mean of a distance never below what independent rows would give.
type noise struct {
	unit  float64 // variance of the summary times the observations
	mean  float64 // least mean of a log distance; -Inf for others
	sd    float64 // least standard deviation
	gauge float64 // distances: the expected total variation distance
	prior float64 // scale and surge: the standard deviation that sampling independent rows gives; 0 for others
}

const quiet = 0.25 // of the sampling error of location and scale

// noise returns the sampling error of s over windows whose mean of 1/n is inverse.
func (f *frame) noise(s Summary, inverse float64) noise {
	out := noise{mean: math.Inf(-1)}
	switch {
	case s.distance():
		return f.distanceNoise(s, inverse)
	case s == Volume:
		out.unit = 1
		out.sd = math.Sqrt(inverse)
	case s == Location || s == Scale:
		bare, held := f.variance(s, 0), f.variance(s, inverse)
		out.unit = held
		out.sd = math.Sqrt((quiet*quiet*bare + max(0, held-bare)) * inverse)
		if s == Scale {
			out.prior = math.Sqrt(bare * inverse)
		}
	case s == Surge: // a normal score, which does not depend on the rows
		out.mean, out.sd, out.prior = 0, 1, 1
	case s == Newcomer && f.pooled[f.other]+f.pooled[f.unseen] > 0: // the largest of many counts varies less than one
		out.unit = 0.25
		out.sd = math.Sqrt(out.unit*inverse) / 2
	default:
		out.unit = 0.25
		out.sd = math.Sqrt(out.unit * inverse)
	}
	out.sd = max(out.sd, 1e-9)
	return out
}

// variance returns the variance of one row's normal score; or, by the delta
// method, that of the root mean square times the rows. stray adds rows of the
// largest score, by their share, so that a history without any does not rule out one.
func (f *frame) variance(s Summary, stray float64) float64 {
	var z1, z2, z4 float64
	clip := f.location
	for i, k := range f.pooled {
		z, share := f.z[i], float64(k)/f.n
		square := z * z
		if s == Scale && f.wide != nil {
			square, clip = f.wide[i], f.scale
		}
		z1, z2, z4 = z1+share*z, z2+share*square, z4+share*square*square
	}
	farthest := normalScore(1, clip) // which one stray row has
	farthest *= farthest
	z2, z4 = z2+stray*farthest, z4+stray*farthest*farthest
	if s == Scale {
		return max(0, z4-z2*z2) / max(1e-9, 4*z2)
	}
	return max(0, z2-z1*z1)
}

// distanceNoise returns mean and standard deviation of a log distance between
// samples of one distribution: KS by Kolmogorov's law (with room for bins),
// total variation by half-normal bins, Hellinger by a chi law over the bins in use.
func (f *frame) distanceNoise(s Summary, inverse float64) noise {
	inverse += 1 / f.n
	if s == KSDistance {
		return noise{mean: math.Log(0.6 * math.Sqrt(inverse)), sd: 0.3}
	}
	mean, variance, used := 0.0, 0.0, 0.0
	for _, k := range f.pooled {
		p := float64(k) / f.n
		v := p * (1 - p) * inverse
		mean += math.Sqrt(2 * v / math.Pi)
		variance += v * (1 - 2/math.Pi)
		used += min(1, p/inverse)
	}
	if s == TVDistance {
		mean, sd := mean/2+inverse, math.Sqrt(variance+inverse*inverse)/2 // and one stray row
		return noise{mean: math.Log(mean), sd: sd / mean, gauge: mean}
	}
	dof := max(1, used-1)
	return noise{mean: math.Log(math.Sqrt(dof * inverse / 8)), sd: 1 / math.Sqrt(2*dof)}
}
