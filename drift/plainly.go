package drift

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"

	"sluice/drift/binned"
	"sluice/feature"
	"sluice/quality/sketch"
)

// mostShift is the largest shift, in normal scores, that is looked for.
const mostShift = 20.0

// Plainly returns the smallest change of each feature at which a plain statistic reaches threshold, one entry for
// each feature of which that can be told: of ks, psi and tvd the shift of all values of a number, and of tvd the
// rise of the share of a category, or of values never seen before; of nulls the rise of their share. A window with
// that change alarms half of the time, or more often where sampling adds to the statistic. baseline is what windows
// are compared with; other methods have none.
//
// A shift by d of a number's normal scores turns a share F of rows below an edge into Φ(Φ⁻¹(F) - d).
func Plainly(view *feature.View, layout *sketch.Layout, baseline *sketch.Profile, method string, threshold float64) []Sensitivity {
	var out []Sensitivity
	for i := range view.Features {
		def, c := &view.Features[i], columnOf(baseline, view, i)
		if c == nil || !(threshold > 0) {
			continue
		}
		at := layout.Feature(def.ID)
		s, seen := shapeOf(at), Sensitivity{Feature: def.Name, Unit: def.Unit}
		switch {
		case method == MethodNulls:
			rows := float64(c.Rows())
			seen.Nulls = max(0, threshold-(rows-float64(c.N))/max(1, rows))
		case s.class == numeric && (method == MethodKS || method == MethodPSI || method == MethodTVD):
			d := smallestShift(c.Bins(), func(ago, now []float64) float64 { return plainDistance(method, ago, now) }, threshold)
			if d == 0 {
				continue
			}
			seen.Shift, seen.ShiftSD = shiftOf(c, d)
			if method != MethodPSI {
				seen.Distance = threshold
			}
		case s.class == categorical && method == MethodTVD && threshold < 1:
			seen.Share, seen.Unseen, seen.Distance = threshold, threshold, threshold
		default:
			continue
		}
		out = append(out, seen)
	}
	return out
}

// smallestShift returns the shift of normal scores at which the distance between shares of bins reaches threshold;
// 0 if none up to mostShift does.
func smallestShift(bins []uint64, distance func(ago, now []float64) float64, threshold float64) float64 {
	n := binned.Total(bins)
	if !(n > 0) {
		return 0
	}
	ago := make([]float64, len(bins))
	for i, k := range bins {
		ago[i] = float64(k) / n
	}
	reaches := func(d float64) bool { return distance(ago, shifted(ago, d)) >= threshold }
	low, high := 0.0, mostShift
	if !reaches(high) {
		return 0
	}
	for high-low > 1e-6 {
		if mid := (low + high) / 2; reaches(mid) {
			high = mid
		} else {
			low = mid
		}
	}
	return high
}

// shifted returns the shares of bins whose values are all moved up by d normal scores.
func shifted(shares []float64, d float64) []float64 {
	out, below, before := make([]float64, len(shares)), 0.0, 0.0
	for i, share := range shares {
		below = min(1, below+share)
		now := 1.0
		if i < len(shares)-1 {
			now = distuv.UnitNormal.CDF(distuv.UnitNormal.Quantile(below) - d)
		}
		out[i], before = now-before, now
	}
	return out
}

// plainDistance returns a statistic of shares of bins.
func plainDistance(method string, ago, now []float64) float64 {
	gap, most, sum, index := 0.0, 0.0, 0.0, 0.0
	for i := range ago {
		gap += now[i] - ago[i]
		most, sum = max(most, math.Abs(gap)), sum+math.Abs(now[i]-ago[i])
		index += (now[i] - ago[i]) * math.Log(max(now[i], binned.Floor)/max(ago[i], binned.Floor))
	}
	switch method {
	case MethodKS:
		return most
	case MethodPSI:
		return index
	}
	return sum / 2
}
