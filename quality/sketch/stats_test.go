package sketch

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"sluice/feature"
)

// Every family beside the exact answer: bins are the exact counts, moments are
// within a step, quantiles within their bin's share.
func TestStatisticsBesideExact(t *testing.T) {
	families := map[string]func(*rand.Rand) float64{
		"normal":        func(r *rand.Rand) float64 { return 1e6 + r.NormFloat64() },
		"lognormal":     func(r *rand.Rand) float64 { return math.Exp(1.5 * r.NormFloat64()) },
		"ties":          func(r *rand.Rand) float64 { return math.Floor(4 * math.Abs(r.NormFloat64())) },
		"zero inflated": func(r *rand.Rand) float64 { return max(0, r.NormFloat64()) },
		"tiny":          func(r *rand.Rand) float64 { return 1e-200 * r.Float64() },
		"huge":          func(r *rand.Rand) float64 { return 1e200 * r.NormFloat64() },
		"constant":      func(*rand.Rand) float64 { return -17.3 },
	}
	for name, draw := range families {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(21, 22))
			values := make([]float64, 20_000)
			for i := range values {
				values[i] = draw(rng)
			}
			view := testView(feature.Float64)
			writes := numbers(view, values...)
			c := profileOf(view, layoutOf(t, view, writes[:1000]), writes).Columns[0]
			slices.Sort(values)
			checkBins(t, &c, values)
			checkMoments(t, &c, values)
			checkQuantiles(t, &c, values)
		})
	}
}

func checkBins(t *testing.T, c *Column, sorted []float64) {
	t.Helper()
	f := c.Layout()
	want := make([]uint64, f.Bins())
	for _, v := range sorted {
		bin := 0
		for bin < len(f.Edges) && v >= f.Edges[bin] {
			bin++
		}
		want[bin]++
	}
	if !slices.Equal(c.Bins(), want) {
		t.Errorf("bins = %v, want %v", c.Bins(), want)
	}
	sum := 0.0
	for _, s := range c.Shares() {
		sum += s
	}
	if math.Abs(sum-1) > 1e-12 {
		t.Errorf("shares sum to %v, want 1", sum)
	}
}

func checkMoments(t *testing.T, c *Column, sorted []float64) {
	t.Helper()
	centre, scale := c.Layout().Centre, c.Layout().Scale
	n, sum, squares := float64(len(sorted)), 0.0, 0.0
	for _, v := range sorted {
		x := (v - centre) / scale
		sum += x
		squares += x * x
	}
	mean := centre + sum/n*scale
	sd := math.Sqrt((squares-sum*sum/n)/(n-1)) * scale
	step := scale/MomentSteps + 1e-12*math.Abs(mean)
	if got := c.Mean(); math.Abs(got-mean) > step {
		t.Errorf("mean = %v, want %v within %v", got, mean, step)
	}
	if got := c.SD(); math.Abs(got-sd) > step+1e-9*sd {
		t.Errorf("sd = %v, want %v within %v", got, sd, step)
	}
	if c.Min != sorted[0] || c.Max != sorted[len(sorted)-1] || c.Clipped != 0 {
		t.Errorf("min %v, max %v, clipped %d, want %v, %v, 0", c.Min, c.Max, c.Clipped, sorted[0], sorted[len(sorted)-1])
	}
}

func checkQuantiles(t *testing.T, c *Column, sorted []float64) {
	t.Helper()
	for _, q := range []float64{0, .001, .01, .25, .5, .75, .99, .999, 1} {
		v := c.Quantile(q)
		below, _ := slices.BinarySearch(sorted, v)
		upTo, _ := slices.BinarySearchFunc(sorted, v, func(x, v float64) int {
			if x <= v {
				return -1
			}
			return 1
		})
		share := float64(c.Bins()[c.Layout().Bin(v)])/float64(len(sorted)) + 1e-9
		if low, high := float64(below)/float64(len(sorted)), float64(upTo)/float64(len(sorted)); q < low-share || q > high+share {
			t.Errorf("Quantile(%v) = %v, of rank %v to %v, want within %v", q, v, low, high, share)
		}
	}
}

func TestClippedMoments(t *testing.T) {
	view := testView(feature.Float64)
	rng := rand.New(rand.NewPCG(23, 24))
	values := make([]float64, 400)
	for i := range values {
		values[i] = rng.NormFloat64()
	}
	layout := layoutOf(t, view, numbers(view, values...))
	c := profileOf(view, layout, numbers(view, 1e300, -1e300, math.MaxFloat64, 0)).Columns[0]
	limit := layout.Features[0].Scale * MomentRange
	if c.Clipped != 3 || !(math.Abs(c.Mean()-limit/4) < limit/1000) || c.Max != math.MaxFloat64 {
		t.Errorf("clipped %d, mean %v, max %v, want 3, %v, %v", c.Clipped, c.Mean(), c.Max, limit/4, math.MaxFloat64)
	}
}

// Sums of the largest steps do not overflow.
func TestMomentsAreWide(t *testing.T) {
	one := moments{}
	one.add(-stepLimit)
	sum, n := one, uint64(1)
	for range 40 {
		other := sum
		sum.merge(&other)
		n *= 2
	}
	if got := sum.mean(n); got != -stepLimit {
		t.Errorf("mean = %v, want %v", got, -stepLimit)
	}
	if got := sum.variance(n); got != 0 {
		t.Errorf("variance = %v, want 0", got)
	}
}

func TestQuantise(t *testing.T) {
	for name, tc := range map[string]struct {
		v       float64
		step    int64
		clipped bool
	}{
		"centre":          {10, 0, false},
		"one scale":       {12, MomentSteps, false},
		"below":           {9, -MomentSteps / 2, false},
		"half, to even":   {10 + 2.5*2/MomentSteps, 2, false},
		"half, to even 2": {10 + 3.5*2/MomentSteps, 4, false},
		"far above":       {1e300, stepLimit, true},
		"far below":       {-math.MaxFloat64, -stepLimit, true},
	} {
		t.Run(name, func(t *testing.T) {
			x, clipped := clip(steps(tc.v, 10, MomentSteps/2.0))
			if step := nearest(x); step != tc.step || clipped != tc.clipped {
				t.Errorf("%v is %d steps away, %t, want %d, %t", tc.v, step, clipped, tc.step, tc.clipped)
			}
		})
	}
}

func TestStatisticsWithoutAnswer(t *testing.T) {
	view := testView(feature.Float64, feature.String)
	writes := randomWrites(rand.New(rand.NewPCG(25, 26)), view, 300)
	binned := layoutOf(t, view, writes)
	for name, c := range map[string]Column{
		"no bins":   profileOf(view, Unbinned(view), writes).Columns[0],
		"no values": NewProfile(view, binned, testKey).Columns[0],
		"text":      profileOf(view, binned, writes).Columns[1],
	} {
		t.Run(name, func(t *testing.T) {
			if m, s, q := c.Mean(), c.SD(), c.Quantile(.5); !math.IsNaN(m) || !math.IsNaN(s) || !math.IsNaN(q) {
				t.Errorf("mean, sd, median = %v, %v, %v, want not-a-number", m, s, q)
			}
		})
	}
}

// Each type is profiled by its own rule.
func TestTypes(t *testing.T) {
	start := time.Unix(1_000_200, 0)
	for name, tc := range map[string]struct {
		typ      feature.Type
		value    feature.Value
		min      float64
		distinct float64
		sampled  feature.Value
	}{
		"int32":           {feature.Int32, feature.Int32Value(-4), -4, 1, feature.Int32Value(-4)},
		"int64":           {feature.Int64, feature.Int64Value(1 << 40), 1 << 40, 1, feature.Int64Value(1 << 40)},
		"float32":         {feature.Float32, feature.Float32Value(.5), .5, 1, feature.Float32Value(.5)},
		"negative zero":   {feature.Float64, feature.Float64Value(math.Copysign(0, -1)), 0, 1, feature.Float64Value(0)},
		"subnormal":       {feature.Float64, feature.Float64Value(5e-324), 5e-324, 1, feature.Float64Value(5e-324)},
		"timestamp's age": {feature.Timestamp, feature.TimestampValue(start.Add(-time.Minute)), 60, 1, feature.Int64Value(60)},
		"future":          {feature.Timestamp, feature.TimestampValue(start.Add(time.Hour)), -3600, 1, feature.Int64Value(-3600)},
		"list's length":   {feature.ListOf(feature.String), feature.ListValue(feature.String, make([]feature.Value, 3)), 3, 1, feature.Int64Value(3)},
		"json's presence": {feature.JSON, feature.JSONValue("{}"), 0, 0, feature.BoolValue(true)},
		"bool":            {feature.Bool, feature.BoolValue(true), 0, 1, feature.BoolValue(true)},
		"bytes":           {feature.Bytes, feature.BytesValue([]byte{0xff}), 0, 1, feature.BytesValue([]byte{0xff})},
	} {
		t.Run(name, func(t *testing.T) {
			view := testView(tc.typ)
			w := &feature.Write{View: view, EventTime: start.Add(100 * time.Second), Values: []feature.Value{tc.value}}
			p := profileOf(view, Unbinned(view), []*feature.Write{w})
			c := p.Columns[0]
			if c.N != 1 || c.Min != tc.min || c.Max != tc.min || math.Signbit(c.Min) != (tc.min < 0) || math.Abs(c.Distinct()-tc.distinct) > .01 {
				t.Errorf("n %d, min %v, max %v, distinct %v, want 1, %v, %v, %v", c.N, c.Min, c.Max, c.Distinct(), tc.min, tc.min, tc.distinct)
			}
			if got := p.Sample[0].Values[0]; !got.Equal(tc.sampled) {
				t.Errorf("sampled %v, want %v", got, tc.sampled)
			}
		})
	}
}

func TestBoolBins(t *testing.T) {
	view := testView(feature.Bool)
	writes := randomWrites(rand.New(rand.NewPCG(27, 28)), view, 300)
	c := profileOf(view, layoutOf(t, view, writes), writes).Columns[0]
	yes := uint64(0)
	for _, w := range writes {
		if !w.Delete && w.Values[0].Bool() {
			yes++
		}
	}
	if want := []uint64{c.N - yes, yes, 0, 0}; !slices.Equal(c.Bins(), want) {
		t.Errorf("bins = %v, want %v", c.Bins(), want)
	}
}
