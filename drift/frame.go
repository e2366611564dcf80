package drift

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"

	"sluice/drift/binned"
	"sluice/quality/sketch"
)

// class says which summaries a feature has.
type class uint8

const (
	presence    class = iota // nulls only
	numeric                  // rising bins
	categorical              // one bin a category, then other and unseen
)

// counts is what a column of one window holds, whatever its type.
type counts struct {
	bins     []uint64
	n        uint64 // observations in the bins
	nulls    uint64 // null, not-a-number and infinite
	column   *sketch.Column
	newcomer float64 // largest share of one value outside the categories among the sampled rows
	sampled  int     // sampled rows that hold a value

	buckets []uint64 // of values without a bin of their own; nil for none in any
	spread  bool     // all such values are in buckets
	surge   surge    // of them, once summarised
}

func (c *counts) rows() float64 { return float64(c.n + c.nulls) }

// shape is what a layout says of a feature's bins.
type shape struct {
	class         class
	atoms         []bool    // bins of a single value
	edges         []float64 // between the bins of a numeric feature
	other, unseen int       // positions of the last two bins of a categorical feature; -1 without
}

// Cuts are the bins that the tails and shares of a feature are read from. They
// are pinned when the reference is built.
type Cuts struct {
	Low         int   `json:"low"`          // bins before it are the low tail
	High        int   `json:"high"`         // bins from it on are the high tail
	LowExtreme  int   `json:"low_extreme"`  // the same for the extremes; -1: no such bins apart from the tail
	HighExtreme int   `json:"high_extreme"` //
	Top         []int `json:"top,omitempty"`
}

const (
	tailMass    = 0.0125 // the 1 % and 99 % quantiles of a sample lie within it
	extremeMass = 0.002
	topShares   = 4
	wideClip    = 1e-3 // least distance of the ranks that scale is made of, in method 5
	farClip     = 5e-4 // the same since method 6: the middle of a bin beyond the .1 % quantile

	scoreClip = 1e-4 // least distance of a normal score's rank from 0 and 1 for the forest, and before method 2
	mainClip  = 5e-3 // the same for location and scale, which the few rows beyond are not to rule: they have tails of their own
)

// cutBins places the cuts by the shares of the pooled history.
func cutBins(s shape, pooled []uint64, n float64) Cuts {
	c := Cuts{Low: 0, High: len(pooled), LowExtreme: -1, HighExtreme: -1}
	if n == 0 || s.class == presence {
		return c
	}
	if s.class == categorical {
		c.Top = largest(pooled[:s.other], topShares)
		return c
	}
	low, high := tails(pooled, n, tailMass)
	lowX, highX := tails(pooled, n, extremeMass)
	c.Low, c.High = low, high
	if lowX > 0 && lowX < low {
		c.LowExtreme = lowX
	}
	if highX < len(pooled) && highX > high {
		c.HighExtreme = highX
	}
	return c
}

// tails returns how many bins from the left hold at most mass, and from which
// bin on the right the rest holds at most mass.
func tails(pooled []uint64, n, mass float64) (low, high int) {
	sum := 0.0
	for low < len(pooled) && sum+float64(pooled[low]) <= mass*n {
		sum += float64(pooled[low])
		low++
	}
	high, sum = len(pooled), 0
	for high > 0 && sum+float64(pooled[high-1]) <= mass*n {
		sum += float64(pooled[high-1])
		high--
	}
	return low, high
}

// largest returns the positions of the k largest counts above 0, largest first.
func largest(counts []uint64, k int) []int {
	var at []int
	for i, n := range counts {
		if n > 0 {
			at = append(at, i)
		}
	}
	slices.SortStableFunc(at, func(a, b int) int {
		switch {
		case counts[a] > counts[b]:
			return -1
		case counts[a] < counts[b]:
			return 1
		}
		return 0
	})
	return at[:min(k, len(at))]
}

// frame reads columns of one feature against its pooled history.
type frame struct {
	shape
	cuts   Cuts
	pooled []uint64
	n      float64
	z      []float64 // normal score of each bin, by the pooled history
	wide   []float64 // square of that with ranks kept less from the ends, for scale; nil before method 5
	clips
	placed bool   // location and scale are those of times: see Clock
	surges surges // without a law where buckets are not compared
}

// clips are the least distances of a normal score's rank from 0 and 1.
type clips struct{ location, scale float64 }

// newFrame makes the frame of a feature, which keeps pooled. The ranks of its scores are
// kept so far from 0 and 1.
func newFrame(s shape, cuts Cuts, pooled []uint64, at clips) frame {
	f := frame{shape: s, cuts: cuts, pooled: pooled, n: binned.Total(pooled), clips: at}
	if s.class != numeric || f.n == 0 {
		return f
	}
	f.z = make([]float64, len(pooled))
	if at.scale != at.location {
		f.wide = make([]float64, len(pooled))
	}
	below := uint64(0)
	for i, k := range pooled {
		mid := (float64(below) + float64(k)/2) / f.n
		f.z[i] = normalScore(mid, at.location)
		if f.wide != nil {
			z := f.z[i]
			if mid < at.location || mid > 1-at.location {
				z = normalScore(mid, at.scale)
			}
			f.wide[i] = z * z
		}
		below += k
	}
	return f
}

// centred reports whether scale is about the window's own location, as it is since
// method 2: a move of the whole feature is not to count as one of scale.
func (f *frame) centred() bool { return f.location == mainClip }

// normalScore returns the standard normal quantile of a rank in [0, 1] that is kept
// clip from both ends.
func normalScore(rank, clip float64) float64 {
	return distuv.UnitNormal.Quantile(max(clip, min(1-clip, rank)))
}

// unmeasured marks every summary as absent.
func unmeasured(x *[summaries]float64) {
	for i := range x {
		x[i] = math.NaN()
	}
}

// summarise writes the summaries of a window's column to x, NaN where there is
// nothing to measure. With leaveOut the distances are from the pooled history
// without this very window.
func (f *frame) summarise(c *counts, leaveOut bool, x *[summaries]float64) {
	unmeasured(x)
	if c.rows() > 0 {
		x[Nulls] = angle(float64(c.nulls) / c.rows())
	}
	if c.n == 0 || f.class == presence || f.n == 0 {
		return
	}
	f.distances(c, leaveOut, x)
	if f.class == categorical {
		f.shares(c, leaveOut, x)
		return
	}
	f.ends(c, x)
	if f.wide != nil {
		x[Deviation] = deviation(c)
	}
	n := float64(c.n)
	location, scale := f.moments(c)
	if location, scale = location/n, scale/n; f.centred() {
		scale = max(0, scale-location*location)
	}
	x[Location], x[Scale] = location, math.Sqrt(scale)
	x[LowTail], x[HighTail] = angle(binned.Total(c.bins[:f.cuts.Low])/n), angle(binned.Total(c.bins[f.cuts.High:])/n)
	if f.cuts.LowExtreme >= 0 {
		x[LowExtreme] = angle(binned.Total(c.bins[:f.cuts.LowExtreme]) / n)
	}
	if f.cuts.HighExtreme >= 0 {
		x[HighExtreme] = angle(binned.Total(c.bins[f.cuts.HighExtreme:]) / n)
	}
	if f.cuts.LowExtreme >= 0 && f.cuts.HighExtreme >= 0 {
		x[Extremes] = angle(binned.Total(c.bins[:f.cuts.LowExtreme])/n + binned.Total(c.bins[f.cuts.HighExtreme:])/n)
	}
}

// moments returns the sums of the normal scores of a column and of their squares.
func (f *frame) moments(c *counts) (location, scale float64) {
	if f.wide != nil {
		for i, k := range c.bins {
			location += float64(k) * f.z[i]
			scale += float64(k) * f.wide[i]
		}
		return location, scale
	}
	for i, k := range c.bins {
		location += float64(k) * f.z[i]
		scale += float64(k) * f.z[i] * f.z[i]
	}
	return location, scale
}

// shares writes the summaries of a categorical column.
func (f *frame) shares(c *counts, leaveOut bool, x *[summaries]float64) {
	n := float64(c.n)
	for i, bin := range f.cuts.Top {
		x[int(Share1)+i] = angle(float64(c.bins[bin]) / n)
	}
	if f.pooled[f.other] > 0 {
		x[Other] = angle(float64(c.bins[f.other]) / n)
	}
	x[Unseen] = angle(float64(c.bins[f.unseen]) / n)
	if c.sampled > 0 {
		x[Newcomer] = angle(c.newcomer)
	}
	if f.surges.law != nil && c.spread && f.surges.among > 0 {
		c.surge = f.surges.of(c, leaveOut)
		x[Surge] = c.surge.z
	}
}

// flattered takes the summaries out that look better in a window which the layout was
// built from than in others: its rare values are among those known.
func (f *frame) flattered(x *[summaries]float64) {
	for _, s := range [...]Summary{Surge, Other, Unseen, TVDistance, HellingerDistance} {
		x[s] = math.NaN()
	}
}

// unknown reports whether history has values that the layout does not know.
func (f *frame) unknown() bool { return f.class == categorical && f.pooled[f.unseen] > 0 }

// distances writes the log distances of a column from the pooled history.
func (f *frame) distances(c *counts, leaveOut bool, x *[summaries]float64) {
	nb, nc := f.n, float64(c.n)
	if leaveOut {
		nb -= nc
	}
	if nb <= 0 {
		return
	}
	var gap, ks, tvd, hellinger float64
	for i, k := range c.bins {
		base := f.pooled[i]
		if leaveOut {
			base -= k
		}
		cur, b := float64(k)/nc, float64(base)/nb
		d := cur - b
		gap += d
		ks = max(ks, math.Abs(gap))
		tvd += math.Abs(d)
		root := math.Sqrt(cur) - math.Sqrt(b)
		hellinger += root * root
	}
	const least = 1e-6 // keeps the log of no distance finite
	if f.class == numeric {
		x[KSDistance] = math.Log(ks + least)
	}
	x[TVDistance] = math.Log(tvd/2 + least)
	x[HellingerDistance] = math.Log(math.Sqrt(min(1, hellinger/2)) + least)
}
