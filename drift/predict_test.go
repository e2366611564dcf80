package drift

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
)

// wander returns n values of an autoregressive process of order one with variance 1.
func wander(r *rand.Rand, n int, likeness float64) []float64 {
	x, y := make([]float64, n), r.NormFloat64()
	for i := range x {
		y = likeness*y + math.Sqrt(1-likeness*likeness)*r.NormFloat64()
		x[i] = y
	}
	return x
}

// learnt returns the spread of values, of windows in phases that take turns, if there are several.
func learnt(t testing.TB, x []float64, season int) Spread {
	t.Helper()
	p := phases{}
	if season > 1 {
		of := make([]int, len(x))
		for i := range of {
			of[i] = i % season
		}
		p = phases{seasons: []string{"day_of_week"}, of: [][]int{of}}
	}
	s, ok := newSpread(Location, x, p, MinWindows, 0, noise{mean: math.Inf(-1)})
	if !ok {
		t.Fatal("no spread")
	}
	return s
}

// TestTogether wants the variance of means of ten windows nearer to the true one than the larger of
// two estimates, which methods before took: by no more too large where windows are independent, and no smaller on the whole
// where they are alike.
func TestTogether(t *testing.T) {
	const streams, m = 4000, 10
	for _, likeness := range []float64{0, .3, .5, .8} {
		r := rand.New(rand.NewPCG(8, uint64(100*likeness)))
		var mean, squares [2]float64 // of the logarithms of the ratio to the truth, before and now
		truth := autoregressive(likeness, m) / m
		for range streams {
			s := learnt(t, wander(r, 28, likeness), 1)
			for k, v := range []float64{s.joint(m), s.together(m)} {
				off := math.Log(v / truth)
				mean[k], squares[k] = mean[k]+off/streams, squares[k]+off*off/streams
			}
		}
		for k := range squares {
			squares[k] = math.Sqrt(squares[k])
		}
		t.Logf("likeness %.1f: off by %+.2f and %.2f in the root of the mean square; before, %+.2f and %.2f (natural logarithms)", likeness, mean[1], squares[1], mean[0], squares[0])
		if squares[1] >= squares[0] {
			t.Errorf("likeness %.1f: off by %.3f, before by %.3f", likeness, squares[1], squares[0])
		}
	}
}

// TestAlikeWindowsAlarmSeldomer wants no more alarms of the mean of ten windows that are alike, in which
// nothing changed, than the variance of methods before gives, and the shift of independent ones found more often.
func TestAlikeWindowsAlarmSeldomer(t *testing.T) {
	const streams, m, n = 20000, 10, 28
	critical := distuv.StudentsT{Sigma: 1, Nu: n - 1}.Quantile(1 - .65e-3/2)
	for _, tc := range []struct{ likeness, shift float64 }{{.3, 0}, {.5, 0}, {.8, 0}, {0, 2}} {
		r := rand.New(rand.NewPCG(9, uint64(100*tc.likeness)))
		var alarms [2]int
		for range streams {
			x := wander(r, n+m, tc.likeness)
			s, now := learnt(t, x[:n], 1), tc.shift
			for _, v := range x[n:] {
				now += v / m
			}
			for k, joint := range []float64{s.joint(m), s.together(m)} {
				p := prediction{expected: s.Mean, variance: joint + s.SD*s.SD/n}
				if math.Abs(s.interval(now, p, m, 0)) > critical {
					alarms[k]++
				}
			}
		}
		t.Logf("likeness %.1f, shift %v: %d alarms, before %d, of %d", tc.likeness, tc.shift, alarms[1], alarms[0], streams)
		if quiet := tc.shift == 0; quiet == (alarms[1] > alarms[0]) {
			t.Errorf("likeness %.1f, shift %v: %d alarms, before %d", tc.likeness, tc.shift, alarms[1], alarms[0])
		}
	}
}

func TestAutoregressive(t *testing.T) {
	for _, tc := range []struct {
		r    float64
		m    int
		want float64
	}{
		{0, 10, 1},
		{.5, 1, 1},
		{.5, 2, 1.5},
		{-.5, 2, .5},
		{1, 7, 7},
		{.5, 3, 1 + 2*(2./3*.5+1./3*.25)},
	} {
		if got := autoregressive(tc.r, tc.m); math.Abs(got-tc.want) > 1e-12 {
			t.Errorf("autoregressive(%v, %d) = %v, want %v", tc.r, tc.m, got, tc.want)
		}
	}
}

// TestTogetherOfFew wants a variance of whatever history there is.
func TestTogetherOfFew(t *testing.T) {
	for _, s := range []Spread{
		{N: 3, SD: 2},
		{N: 3, SD: 2, Moving: []float64{1}},
		{N: 3, SD: 2, Moving: []float64{0, 0, 0}},
		{N: 3, SD: 2, Moving: []float64{2, 1, 1}},
		{N: 28, SD: 2, Moving: []float64{2, 0, 0, 0, 0, 0, 0, 0}},
		{N: 28, SD: 2, Moving: []float64{2, 2, 2, 2, 2, 2, 2, 2}},
	} {
		for m := 1; m <= Accumulated; m++ {
			if v := s.together(m); !(v >= 4/float64(m)-1e-12 && v <= 4+1e-12) {
				t.Errorf("%v: variance %v of the mean of %d windows, want %v to 4", s.Moving, v, m, 4/float64(m))
			}
		}
	}
}

// TestPooledFreedom wants the variance of windows of many phases known better than that of the widest alone, and not
// better than that of all.
func TestPooledFreedom(t *testing.T) {
	s := Spread{DF: 56, Season: "day_of_week"}
	for k := range 7 {
		s.Phases = append(s.Phases, Phase{Phase: k, N: 9, Wide: 1})
	}
	days := func(of ...int) func(string) []int { return func(string) []int { return of } }
	week := days(0, 1, 2, 3, 4, 5, 6)
	check := func(name string, of func(string) []int, least, most int) {
		t.Helper()
		if df := s.pooled(of); df < least || df > most {
			t.Errorf("%s: %d degrees of freedom, want %d to %d", name, df, least, most)
		}
	}
	check("no phase is wide", week, 56, 56)
	s.Phases[3].Wide = 2
	check("one day is wide", week, 40, 56)
	check("that day alone", days(3), 12, 12)
	check("that day twice", days(3, 3), 12, 12)
	check("another day", days(4), 56, 56)
	check("a day that history does not have", days(9), 56, 56)
	s.Phases[3].Wide = 50
	check("one day is all there is", week, 12, 16)
	for k := range s.Phases {
		s.Phases[k].Wide = 2
	}
	check("all are wide", week, 56, 56)
	s.Season = ""
	check("no season", week, 56, 56)
}

// TestStretches wants the whole level shared by those that there are windows enough for, and what verdicts of
// earlier methods were made with as it was.
func TestStretches(t *testing.T) {
	for _, tc := range []struct{ method, windows, fit int }{{severing, 1, 0}, {severing, 3, 1}, {severing, 8, 2}, {severing, 15, 3}, {severing, 16, 4}, {hurling, 3, 1}, {hurling, 8, 3}, {hurling, 16, 4}} {
		r, whole := &Reference{Method: tc.method}, 0.0
		fit := r.stretches(tc.windows)
		for _, s := range fit {
			whole += s.share
		}
		want := min(1, float64(tc.fit))
		if tc.method < severing {
			want = float64(tc.fit) / 4
		}
		if len(fit) != tc.fit || math.Abs(whole-want) > 1e-12 {
			t.Errorf("method %d, %d windows: %v, want %d with %v of the level", tc.method, tc.windows, fit, tc.fit, want)
		}
	}
}
