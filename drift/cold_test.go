package drift

import (
	"testing"

	"sluice/feature"
)

func TestColdStart(t *testing.T) {
	s := familyStream(21, 1000, 1)
	s.pin(t, 2)
	_, baseline := s.history(t, 3)
	for _, score := range ColdStart(s.view, s.layout, s.window(3, nil).Profile, baseline, testLevel, 0, true) {
		if score.Severity > 1 || score.Effect || !score.Uncalibrated || score.Method != MethodCalibrated {
			t.Errorf("stable window: %+v", score)
		}
	}
	spoilt := s.window(4, func(v []feature.Value) {
		v[0] = feature.Float64Value(v[0].Float() * 100)
		v[4] = feature.Null
		v[5] = feature.StringValue("new")
	})
	for _, name := range []string{"normal_0", "few_nulls_0", "five_values_0"} {
		score := find(t, ColdStart(s.view, s.layout, spoilt.Profile, baseline, testLevel, 0, true), name)
		if score.Severity <= 1 || score.Effect || !score.Uncalibrated || score.Text == "" {
			t.Errorf("spoilt %s: %+v, want an alarm without effect", name, score)
		}
	}
}

func TestStatisticsOfAWindow(t *testing.T) {
	s := familyStream(22, 2000, 1)
	s.pin(t, 2)
	_, baseline := s.history(t, 4)
	stable := Statistics(s.view, s.layout, s.window(4, nil).Profile, baseline)
	spoilt := Statistics(s.view, s.layout, s.window(5, func(v []feature.Value) { v[0] = feature.Float64Value(v[0].Float() + 4) }).Profile, baseline)
	got := map[string]float64{}
	for _, score := range stable {
		if score.Feature == "many_values_0" && score.Method == MethodKS {
			t.Error("a category has a Kolmogorov-Smirnov distance")
		}
		if score.Method == MethodPSI && score.Statistic > 0.1 {
			t.Errorf("PSI of stable %s is %.3f", score.Feature, score.Statistic)
		}
		if score.Severity != 0 || score.Threshold != 0 || score.Text == "" {
			t.Errorf("a plain statistic judges: %+v", score)
		}
	}
	for _, score := range spoilt {
		if score.Feature == "normal_0" {
			got[score.Method] = score.Statistic
		}
	}
	for method, least := range map[string]float64{MethodKS: 0.6, MethodPSI: 2, MethodTVD: 0.6, MethodChiSquare: 1000} {
		if got[method] < least {
			t.Errorf("%s of a shift by two sigma is %.3f, want at least %v", method, got[method], least)
		}
	}
}

func TestVolumeRatio(t *testing.T) {
	view := &feature.View{Name: "v"}
	for name, tc := range map[string]struct {
		rows    uint64
		typical float64
		want    float64
		ok      bool
	}{
		"half":    {50, 100, 2, true},
		"twice":   {200, 100, 2, true},
		"none":    {0, 100, 100, true},
		"no past": {10, 0, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got, ok := VolumeRatio(view, tc.rows, tc.typical); ok != tc.ok || got.Statistic != tc.want {
				t.Errorf("VolumeRatio(%d, %v) = %v, %v, want %v, %v", tc.rows, tc.typical, got.Statistic, ok, tc.want, tc.ok)
			}
		})
	}
}
