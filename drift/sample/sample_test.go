package sample

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"sluice/drift/binned"
)

// known is a case of testdata/reference.json, which testdata/reference.py writes.
type known struct {
	A, B           []string
	KS             float64
	P              *float64 `json:"ks_p"`
	Exact          *float64 `json:"ks_exact"`
	Wasserstein    float64
	Mean           float64
	SD             *float64
	Quantiles      []float64
	Edges          []float64
	CountsA        []uint64 `json:"counts_a"`
	CountsB        []uint64 `json:"counts_b"`
	theA, theB, fB Sample
}

func reference(t *testing.T) (cases map[string]known, law [][3]float64) {
	t.Helper()
	text, err := os.ReadFile("testdata/reference.json")
	if err != nil {
		t.Fatal(err)
	}
	var all struct {
		Cases map[string]known
		Law   [][3]float64
	}
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	for name, c := range all.Cases {
		c.theA, c.theB = parse(t, c.A), parse(t, c.B)
		c.fB = c.theB.Finite()
		all.Cases[name] = c
	}
	return all.Cases, all.Law
}

func parse(t *testing.T, text []string) Sample {
	t.Helper()
	var all []float64
	for _, s := range text {
		v, err := strconv.ParseFloat(s, 64)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	return New(all)
}

// near wants agreement to 1e-9, relative where the value is large or, for what is no
// probability, small.
func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) <= 1e-9*max(1, math.Abs(want))) {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

func TestReference(t *testing.T) {
	cases, _ := reference(t)
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			d := KS(c.theA, c.theB)
			near(t, "KS", d, c.KS)
			if c.P != nil { // SciPy has none for one value on either side
				near(t, "p", binned.KSPValue(d, uint64(len(c.theA)), uint64(len(c.theB))), *c.P)
			}
			if c.Exact != nil {
				p := KSExact(d, len(c.theA), len(c.theB))
				near(t, "exact p", p, *c.Exact)
				if *c.Exact > 0 && !(math.Abs(p / *c.Exact - 1) < 1e-7) {
					t.Errorf("exact p = %v, want %v also relatively", p, *c.Exact)
				}
			}
			near(t, "Wasserstein", Wasserstein(c.theA.Finite(), c.fB)/max(1, c.Wasserstein), c.Wasserstein/max(1, c.Wasserstein))
			near(t, "mean", c.fB.Mean(), c.Mean)
			if c.SD != nil {
				near(t, "SD", c.fB.SD(), *c.SD)
			}
			for i, q := range []float64{0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99} {
				near(t, "quantile", c.fB.Quantile(q), c.Quantiles[i])
			}
			edges := c.theA.Finite().Deciles()
			if !slices.Equal(c.theA.Counts(edges), c.CountsA) || !slices.Equal(c.theB.Counts(edges), c.CountsB) {
				t.Errorf("counts %v and %v, want %v and %v", c.theA.Counts(edges), c.theB.Counts(edges), c.CountsA, c.CountsB)
			}
		})
	}
}

// TestLaw holds the asymptotic p-value against SciPy's in all regions of its own
// approximations.
func TestLaw(t *testing.T) {
	_, law := reference(t)
	for _, c := range law {
		// n observations of the one-sample law: 2n on both sides.
		got := binned.KSPValue(c[0], uint64(2*c[1]), uint64(2*c[1]))
		most := 1e-9
		if c[1] > 1e6 {
			most = 1e-8 // SciPy has a form there whose own error is 1e-8; the sum of all terms gives ours
		}
		if !(math.Abs(got-c[2]) <= most) {
			t.Errorf("P(D_%v >= %v) = %v, want %v: off by %.2g", c[1], c[0], got, c[2], got-c[2])
		}
	}
	t.Logf("%d probabilities", len(law))
}

// TestExactIsAShareOfOrders counts the orders of small samples one by one.
func TestExactIsAShareOfOrders(t *testing.T) {
	const n, m = 4, 5
	var distances []float64
	for mask := range 1 << (n + m) {
		var a, b Sample
		for i := range n + m {
			if mask>>i&1 == 1 {
				a = append(a, float64(i))
			} else {
				b = append(b, float64(i))
			}
		}
		if len(a) == n {
			distances = append(distances, KS(a, b))
		}
	}
	for _, d := range distances {
		larger := 0
		for _, other := range distances {
			if other >= d-1e-12 {
				larger++
			}
		}
		near(t, "exact p", KSExact(d, n, m), float64(larger)/float64(len(distances)))
	}
}

func TestEdges(t *testing.T) {
	for name, tc := range map[string]struct{ got, want float64 }{
		"distance of nothing":           {KS(nil, Sample{1}), math.NaN()},
		"Wasserstein of nothing":        {Wasserstein(Sample{1}, nil), math.NaN()},
		"mean of nothing":               {Sample{}.Mean(), math.NaN()},
		"SD of one":                     {Sample{4}.SD(), math.NaN()},
		"SD beyond the range":           {Sample{-1.7e308, 1.7e308}.SD(), math.Inf(1)},
		"SD at the end of the range":    {Sample{-1e308, 1e308, 1.5e308}.SD(), math.Sqrt(1.75) * 1e308},
		"SD of the largest":             {Sample{math.MaxFloat64, math.MaxFloat64, math.MaxFloat64}.SD(), 0},
		"SD of tiny values":             {Sample{0, 1e-200, 2e-200, 3e-200}.SD(), math.Sqrt(5./3) * 1e-200},
		"SD of subnormal values":        {Sample{0, 1e-310, 2e-310, 3e-310}.SD(), math.Sqrt(5./3) * 1e-310},
		"SD of the smallest":            {Sample{-5e-324, 5e-324}.SD(), 5e-324}, // 1.41 of it
		"SD of zeros":                   {Sample{0, 0}.SD(), 0},
		"SD of infinities":              {Sample{math.Inf(-1), 0, math.Inf(1)}.SD(), math.Inf(1)},
		"mean of a sum in range":        {Sample{-1.5e308, -1e308, 1e308, 1.5e308, 4}.Mean(), 0.8},
		"mean of a sum beyond it":       {Sample{1e308, 1.5e308}.Mean(), 1.25e308},
		"mean of the largest":           {Sample{math.MaxFloat64, math.MaxFloat64, math.MaxFloat64}.Mean(), math.MaxFloat64},
		"mean of the least":             {Sample{-math.MaxFloat64, -math.MaxFloat64, -math.MaxFloat64}.Mean(), -math.MaxFloat64},
		"mean of an infinity":           {Sample{1, math.Inf(1)}.Mean(), math.Inf(1)},
		"SD beside a large mean":        {Sample{1e15, 1e15 + 0.125, 1e15 + 0.25}.SD(), 0.125},
		"SD beside a rounded mean":      {Sample{1e15, 1e15 + 0.125}.SD(), 0.08838834764831845},
		"quantile of nothing":           {Sample{}.Quantile(0.5), math.NaN()},
		"quantile over the whole range": {Sample{-1.7e308, 1.7e308}.Quantile(0.25), -0.85e308},
		"exact p of too many":           {KSExact(0.5, 101, 100), math.NaN()},
		"exact p of no distance":        {KSExact(0, 3, 3), 1},
		"exact p of all the distance":   {KSExact(1, 1, 1), 1},
		"subnormal":                     {Sample{5e-324}.Mean(), 5e-324},
		"infinities alone":              {float64(len(Sample{math.Inf(-1), math.Inf(1)}.Finite())), 0},
	} {
		if tc.got != tc.want && !(math.IsNaN(tc.got) && math.IsNaN(tc.want)) && !(math.Abs(tc.got/tc.want-1) < 1e-12) {
			t.Errorf("%s: %v, want %v", name, tc.got, tc.want)
		}
	}
	if s := New([]float64{3, math.NaN(), 1}); !slices.Equal(s, Sample{1, 3}) {
		t.Errorf("sample %v, want 1 and 3", s)
	}
}

// TestUnit: mean and standard deviation in another unit are the same numbers in it, to the
// last bit where the units differ by a power of two, from the least to the largest values.
func TestUnit(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 50 {
		var values []float64
		for range 2 + rng.IntN(300) {
			values = append(values, rng.NormFloat64()+10*rng.Float64())
		}
		s := New(values)
		mean, sd := s.Mean(), s.SD()
		for exponent := -960; exponent <= 1019; exponent += 11 { // no value is subnormal, or beyond the range
			unit, scaled := math.Ldexp(1, exponent), make(Sample, len(s))
			for i, x := range s {
				scaled[i] = x * unit
			}
			if got := scaled.Mean(); got != mean*unit {
				t.Fatalf("mean %v of %d values in units of 2^%d, want %v", got, len(s), exponent, mean*unit)
			}
			if got := scaled.SD(); got != sd*unit {
				t.Fatalf("SD %v of %d values in units of 2^%d, want %v", got, len(s), exponent, sd*unit)
			}
		}
	}
}

// TestKSIsBetweenItsBounds: the distance of binned counts, and that with its bound,
// hold the exact one.
func TestKSIsBetweenItsBounds(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		var a, b []float64
		for range 100 + rng.IntN(400) {
			a = append(a, math.Round(rng.NormFloat64()*20)/20)
		}
		for range 10 + rng.IntN(400) {
			b = append(b, math.Round((rng.NormFloat64()+rng.Float64())*20)/20)
		}
		left, right := New(a), New(b)
		edges := left.Deciles()
		low, bound, err := binned.KS(left.Counts(edges), right.Counts(edges), nil)
		if exact := KS(left, right); err != nil || exact < low-1e-12 || exact > low+bound+1e-12 {
			t.Fatalf("exact distance %v, want it in [%v, %v] (%v)", exact, low, low+bound, err)
		}
	}
}
