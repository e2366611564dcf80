package rules

import (
	"math"
	"testing"
	"time"

	"sluice/feature"
)

// scored is the worked example of docs/detector.md.
func scored() (view *feature.View, services []feature.Service, v *Verdict) {
	view = &feature.View{Name: "payments", Features: []feature.Feature{{Name: "amount", Importance: 5}, {Name: "country"}, {Name: "note"}}}
	services = []feature.Service{
		{Name: "fraud", Features: []string{"payments:amount", "payments:country"}},
		{Name: "credit", Features: []string{"payments:amount", "accounts:age"}},
		{Name: "other", Features: []string{"payments_old:amount"}},
	}
	v = &Verdict{
		Reasons: []Reason{{Feature: "country", Method: PSI, Severity: 3, Outcome: Failed}, {Feature: "note", Outcome: Undecided, Severity: 9}},
		Scores: []feature.Score{{Feature: "amount", Severity: 1}, {Feature: "country", Severity: .2}, {Feature: "note"},
			{Method: Volume, Severity: .5}},
	}
	return view, services, v
}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-9 }

func TestViewImpact(t *testing.T) {
	view, services, v := scored()
	got := ViewImpact(view, services, v, 1200)
	if !got.Measured || !near(got.Score, 100*9.9/21) || !near(got.Impact, 1200*9.9/21) || got.ReadsPerHour != 1200 || len(got.Parts) != 4 {
		t.Fatalf("ViewImpact = %+v, want score 47.14 of four parts, and 565.7 reads an hour", got)
	}
	for i, want := range []FeatureImpact{
		{View: "payments", Feature: "amount", Severity: 1, Drift: .5, Importance: 5, Services: 2, Weight: 15, Share: 7.5 / 9.9},
		{View: "payments", Feature: "country", Severity: 3, Drift: .9, Importance: 1, Services: 1, Weight: 2, Share: 1.8 / 9.9},
		{View: "payments", Severity: .5, Drift: .2, Importance: 1, Services: 2, Weight: 3, Share: .6 / 9.9},
		{View: "payments", Feature: "note", Importance: 1, Weight: 1},
	} {
		p := got.Parts[i]
		if !near(p.Share, want.Share) || !near(p.Drift, want.Drift) {
			t.Errorf("part %d: share %v, drift %v, want %v and %v", i, p.Share, p.Drift, want.Share, want.Drift)
		}
		p.Share, p.Drift = want.Share, want.Drift
		if p != want {
			t.Errorf("part %d = %+v, want %+v", i, p, want)
		}
	}
}

// A service that reads paths into a json feature reads the feature.
func TestImpactOfPaths(t *testing.T) {
	view := &feature.View{Name: "users", Features: []feature.Feature{{Name: "profile", Type: feature.JSON}, {Name: "pro"}}}
	services := []feature.Service{{Name: "model", Features: []string{"users:profile.address.city", "users:profile.age"}}}
	got := ViewImpact(view, services, &Verdict{Scores: []feature.Score{{Feature: "profile", Severity: 1}, {Feature: "pro", Severity: 3}}}, 0)
	for _, p := range got.Parts {
		if want := map[string]int{"profile": 1, "pro": 0}[p.Feature]; p.Services != want {
			t.Errorf("%s is read by %d services, want %d", p.Feature, p.Services, want)
		}
	}
	if of := ServiceImpact(&services[0], []Impact{got}); len(of.Parts) != 1 || of.Parts[0].Feature != "profile" || !near(of.Score, 50) {
		t.Errorf("the service scores %+v, want 50 of profile alone", of)
	}
}

func TestServiceImpact(t *testing.T) {
	view, services, v := scored()
	views := []Impact{ViewImpact(view, services, v, 1200), ViewImpact(&feature.View{Name: "payments_old", Features: view.Features}, services, &Verdict{}, 7)}
	for name, want := range map[string]Impact{
		"fraud":  {Score: 100 * 3.6 / 7, Measured: true, ReadsPerHour: 1200, Impact: 1200 * 3.6 / 7},
		"credit": {Score: 100 * 2.7 / 6, Measured: true, ReadsPerHour: 1200, Impact: 1200 * 2.7 / 6},
		"other":  {},
	} {
		for i := range services {
			if services[i].Name != name {
				continue
			}
			got := ServiceImpact(&services[i], views)
			if !near(got.Score, want.Score) || got.Measured != want.Measured || got.ReadsPerHour != want.ReadsPerHour || !near(got.Impact, want.Impact) {
				t.Errorf("ServiceImpact(%s) = %+v, want %+v", name, got, want)
			}
			sum := 0.0
			for _, p := range got.Parts {
				sum += p.Share
			}
			if want.Measured && !near(sum, 1) {
				t.Errorf("shares of %s add up to %v", name, sum)
			}
		}
	}
}

func TestDriftOf(t *testing.T) {
	for severity, want := range map[float64]float64{0: 0, 1: .5, 3: .9, -1: 0, math.Inf(1): 1, math.Inf(-1): 0, 1e200: 1} {
		if got := DriftOf(severity); got != want {
			t.Errorf("DriftOf(%v) = %v, want %v", severity, got, want)
		}
	}
	if got := DriftOf(math.NaN()); got != 0 {
		t.Errorf("DriftOf(NaN) = %v", got)
	}
}

// Nothing measured is not a score of 0.
func TestImpactOfNothing(t *testing.T) {
	view, services, _ := scored()
	if got := ViewImpact(view, services, &Verdict{}, 10); got.Measured || got.Score != 0 || got.Impact != 0 || got.Parts == nil {
		t.Errorf("ViewImpact of an empty verdict = %+v", got)
	}
	calm := &Verdict{Scores: []feature.Score{{Feature: "amount"}}}
	if got := ViewImpact(view, services, calm, 10); !got.Measured || got.Score != 0 || got.Parts[0].Share != 0 {
		t.Errorf("ViewImpact of a calm verdict = %+v", got)
	}
}

func TestReadsPerHour(t *testing.T) {
	at := func(minute int) time.Time { return time.Date(2026, 1, 1, 0, minute, 0, 0, time.UTC) }
	for name, tc := range map[string]struct {
		reads []feature.VersionReads
		want  float64
	}{
		"none":           {nil, 0},
		"two versions":   {[]feature.VersionReads{{Version: 1, Reads: 100, First: at(0), Last: at(20)}, {Version: 2, Reads: 50, First: at(10), Last: at(30)}}, 300},
		"one read":       {[]feature.VersionReads{{Version: 1, Reads: 1, First: at(0), Last: at(0)}}, 60},
		"times unknown":  {[]feature.VersionReads{{Version: 1, Reads: 9}}, 0},
		"one is unknown": {[]feature.VersionReads{{Version: 1, Reads: 1}, {Version: 2, Reads: 1, First: at(0), Last: at(60)}}, 2},
	} {
		if got := ReadsPerHour(tc.reads); !near(got, tc.want) {
			t.Errorf("%s: ReadsPerHour = %v, want %v", name, got, tc.want)
		}
	}
}
