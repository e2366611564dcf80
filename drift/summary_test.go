package drift

import (
	"math"
	"testing"
	"time"

	"sluice/feature"
)

func TestSummaryText(t *testing.T) {
	for s := range summaries {
		text, _ := s.MarshalText()
		var back Summary
		if err := back.UnmarshalText(text); err != nil || back != s {
			t.Errorf("UnmarshalText(%s) = %v, %v, want %v", text, back, err, s)
		}
	}
	var s Summary
	if s.UnmarshalText([]byte("median")) == nil {
		t.Error("UnmarshalText(median) gave no error")
	}
}

func TestEffectFloors(t *testing.T) {
	for name, tc := range map[string]struct {
		summary       Summary
		now, expected float64 // natural
		want          bool
	}{
		"nulls up 5 points":       {Nulls, 0.0601, 0.01, true},
		"nulls up 4 points":       {Nulls, 0.05, 0.01, false},
		"nulls down":              {Nulls, 0.01, 0.5, false},
		"a tail up a point":       {HighTail, 0.0205, 0.0102, true},
		"a tail gone":             {LowTail, 0, 0.0125, false},
		"scale twice":             {Scale, 2, 1, true},
		"scale a half":            {Scale, 0.5, 1, true},
		"scale a fifth more":      {Scale, 1.2, 1, false},
		"a category up a tenth":   {Share2, 0.31, 0.2, true},
		"a category down a tenth": {Share1, 0.2, 0.31, true},
		"a category a little":     {Share1, 0.25, 0.31, false},
		"unseen 3 %":              {Unseen, 0.03, 0, true},
		"unseen 1 %":              {Unseen, 0.01, 0, false},
		"half the rows":           {Volume, 499, 1000, true},
		"a third fewer rows":      {Volume, 667, 1000, false},
		"D .12":                   {KSDistance, 0.12, 0.03, true},
		"D .08":                   {KSDistance, 0.08, 0.03, false},
		"outlying rows 7 %":       {Outliers, 0.07, 0.005, true},
		"outlying rows 3 %":       {Outliers, 0.03, 0.005, false},
	} {
		t.Run(name, func(t *testing.T) {
			var m moved
			unmeasured(&m.now)
			unmeasured(&m.expected)
			m.now[tc.summary], m.expected[tc.summary] = transform(tc.summary, tc.now), transform(tc.summary, tc.expected)
			if got := m.large(tc.summary); got != tc.want {
				t.Errorf("%s from %v to %v: large = %v, want %v", tc.summary, tc.expected, tc.now, got, tc.want)
			}
		})
	}
}

func transform(s Summary, v float64) float64 {
	switch summarySpecs[s].domain {
	case share:
		return angle(v)
	case logarithm:
		return math.Log(v)
	}
	return v
}

func TestPhaseOf(t *testing.T) {
	view := &feature.View{Window: feature.WindowSpec{Size: 24 * time.Hour}}
	at := time.Date(2013, 1, 1, 5, 0, 0, 0, time.FixedZone("east", 3600)) // a Tuesday, 04:00 UTC
	for season, want := range map[string]int{"hour_of_day": 4, "day_of_week": 2, "windows:7": 15706 % 7, "windows:0": -1, "monthly": -1} {
		if got := phaseOf(season, view, at); got != want {
			t.Errorf("phaseOf(%s) = %d, want %d", season, got, want)
		}
	}
}

func TestExcursions(t *testing.T) {
	largest, spread := excursions([]float64{1, -3, 2, 2})
	wantLargest := []float64{3, 2, 1.0 / 3, 0.5}
	wantSpread := []float64{math.Sqrt(18.0 / 4), math.Sqrt((1 + .25 + 4) / 3), math.Sqrt((0 + 1.0/9) / 2), .5}
	if len(largest) != len(wantLargest) || len(spread) != len(wantSpread) {
		t.Fatalf("excursions = %v, %v, want %v, %v", largest, spread, wantLargest, wantSpread)
	}
	for i := range wantLargest {
		if math.Abs(largest[i]-wantLargest[i]) > 1e-12 || math.Abs(spread[i]-wantSpread[i]) > 1e-12 {
			t.Errorf("means of %d windows: largest %v, spread %v, want %v, %v", i+1, largest[i], spread[i], wantLargest[i], wantSpread[i])
		}
	}
}

func TestFTestAgainstSciPy(t *testing.T) {
	// scipy.stats.f_oneway of the three groups.
	x := []float64{1, 2, 3, 4, 2, 4, 6, 8, 9, 7, 8, 10}
	of := []int{0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2}
	groups := []Phase{{0, 4, 2.5, 1}, {1, 4, 5, 1}, {2, 4, 8.5, 1}}
	if got, want := fTest(x, of, groups), 0.0039410602; math.Abs(got-want) > 1e-8 {
		t.Errorf("fTest = %.10f, want %.10f", got, want)
	}
	if fTest(x, of, groups[:1]) != 1 {
		t.Error("fTest of one group is not 1")
	}
}
