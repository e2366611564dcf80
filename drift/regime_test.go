package drift

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"gonum.org/v1/gonum/stat/distuv"

	"sluice/feature"
)

// How much the calibration tests simulate. The defaults keep a test run short; the
// figures of docs/detector-measured.md come from larger ones.
var (
	calibrationWindows = flag.Int("calibration.windows", 20, "windows judged by each reference in the calibration tests")
	calibrationSeeds   = flag.Int("calibration.seeds", 3, "references, each of its own seed, in the calibration tests")
	calibrationSkip    = flag.Int("calibration.skip", 0, "seeds left out before the first in the calibration tests")
	calibrationRows    = flag.Int("calibration.rows", 1000, "rows of a window in the calibration tests")
)

// regime says what windows without a fault still differ by.
type regime struct {
	name    string
	wobble  float64 // standard deviation of the windows' locations, in standard deviations of rows
	evenly  float64 // concentration of the Dirichlet law that a window's shares are drawn from; 0: shares are fixed
	season  float64 // amplitude of a weekly season in the location, in standard deviations of rows, and in the shares' logarithms
	history int     // windows

	// What 1,000 stable feature-windows may show in a short run, and the goal for alarms, which long ones are held to.
	alarms, blocks float64
	goal           float64
}

// most returns how many alarms and blocks so many stable feature-windows may show: three standard deviations beyond
// the goal, and no more than the regime allows. One block more than one in 20,000 may be chance.
func (g *regime) most(windows int) (alarms, blocks float64) {
	n := float64(windows) / 1000
	return min(g.alarms*n, g.goal*n+3*math.Sqrt(g.goal*n)), min(g.blocks*n, 1+n/20)
}

var regimes = []regime{
	{name: "iid", history: 28, alarms: 3, goal: 1.5},
	{name: "wobble", wobble: 0.03, evenly: 2000, history: 28, alarms: 3, blocks: 1, goal: 1.5},
	{name: "season", wobble: 0.03, evenly: 2000, season: 0.3, history: 63, alarms: 4, blocks: 1, goal: 2},
}

// column is a kind of column under a regime: numbers move by a window's shift,
// categories follow its shares.
type column struct {
	name   string
	typ    feature.Type
	number func(r *rand.Rand, shift float64) feature.Value
	shares []float64 // of the categories v0, v1, ...
}

var columns = []column{
	{name: "normal", typ: feature.Float64, number: func(r *rand.Rand, shift float64) feature.Value {
		return feature.Float64Value(10 + 2*(r.NormFloat64()+shift))
	}},
	{name: "lognormal", typ: feature.Float64, number: func(r *rand.Rand, shift float64) feature.Value {
		return feature.Float64Value(math.Exp(1.5 * (r.NormFloat64() + shift)))
	}},
	{name: "uniform", typ: feature.Float64, number: func(r *rand.Rand, shift float64) feature.Value {
		return feature.Float64Value(r.Float64() + shift/math.Sqrt(12))
	}},
	{name: "poisson", typ: feature.Int64, number: func(r *rand.Rand, shift float64) feature.Value {
		return feature.Int64Value(poisson(r, 4+2*shift))
	}},
	{name: "zero_inflated", typ: feature.Float64, number: func(r *rand.Rand, shift float64) feature.Value {
		if r.Float64() < 0.7 {
			return feature.Float64Value(0)
		}
		return feature.Float64Value(r.ExpFloat64() * math.Exp(shift))
	}},
	{name: "few_nulls", typ: feature.Float64, number: func(r *rand.Rand, shift float64) feature.Value {
		if r.Float64() < 0.01 {
			return feature.Null
		}
		return feature.Float64Value(r.NormFloat64() + shift)
	}},
	{name: "five_values", typ: feature.String, shares: []float64{.375, .25, .125, .125, .125}},
	{name: "eight_values", typ: feature.String, shares: []float64{.3, .2, .15, .12, .1, .08, .04, .01}},
	{name: "many_values", typ: feature.String, shares: zipfShares(2000)},
}

func zipfShares(n int) []float64 {
	shares := make([]float64, n)
	for i := range shares {
		shares[i] = 1 / float64(i+1)
	}
	return shares
}

var categoryNames = func() []feature.Value {
	names := make([]feature.Value, 2000)
	for i := range names {
		names[i] = feature.StringValue(fmt.Sprintf("v%d", i))
	}
	return names
}()

// regimeStream has copies features of every column, stable but for what the regime
// moves between windows.
func regimeStream(g regime, seed uint64, rows, copies int) *stream {
	var features []feature.Feature
	for c := range copies {
		for _, k := range columns {
			features = append(features, feature.Feature{Name: fmt.Sprintf("%s_%d", k.name, c), Type: k.typ})
		}
	}
	shifts, sums := make([]float64, len(features)), make([][]float64, len(features))
	s := newStream(seed, rows, features, func(r *rand.Rand, values []feature.Value) {
		for i := range values {
			if k := &columns[i%len(columns)]; k.number != nil {
				values[i] = k.number(r, shifts[i])
			} else {
				values[i] = categoryNames[min(searchFloats(sums[i], r.Float64()), len(sums[i])-1)]
			}
		}
	})
	if g.season > 0 {
		s.view.Window.Size, s.view.Baseline.Season = 24*time.Hour, []string{"day_of_week"}
	}
	s.begin = func(index int) {
		phase := g.season * math.Sin(2*math.Pi*float64(index)/7)
		for i := range features {
			shifts[i] = phase + g.wobble*s.rng.NormFloat64()
			sums[i] = g.draw(s.rng, columns[i%len(columns)].shares, phase, sums[i])
		}
	}
	return s
}

// draw returns the running sums of a window's shares: of the categories' own, every
// other one raised by phase, as a Dirichlet law of mean those draws them.
func (g regime) draw(r *rand.Rand, shares []float64, phase float64, sums []float64) []float64 {
	sums = sums[:0]
	total := 0.0
	for i, share := range shares {
		if i%2 == 0 {
			share *= math.Exp(phase)
		}
		total += share
	}
	sum := 0.0
	for i, share := range shares {
		if i%2 == 0 {
			share *= math.Exp(phase)
		}
		if share /= total; g.evenly > 0 {
			share = distuv.Gamma{Alpha: g.evenly * share, Beta: 1, Src: r}.Rand()
		}
		sum += share
		sums = append(sums, sum)
	}
	for i := range sums {
		sums[i] /= sum
	}
	return sums
}

func searchFloats(sums []float64, x float64) int {
	at, _ := slices.BinarySearch(sums, x)
	return at
}
