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

// read is who reads the worked example: nobody asks for note, and fraud names itself.
var read = ReadRates{From: noon.Add(-time.Hour), To: noon,
	Rates:    Rates{PerHour: 1200, Features: map[string]float64{"amount": 1200, "country": 600}},
	Services: map[string]Rates{"fraud": {PerHour: 800, Features: map[string]float64{"amount": 800, "country": 200}}}}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-9 }

func TestViewImpact(t *testing.T) {
	view, services, v := scored()
	got := ViewImpact(view, services, v, read)
	if !got.Measured || !near(got.Score, 100*9/19.1) || !near(got.Impact, 1200*9/19.1) || got.ReadsPerHour != 1200 || got.ReadsOf != ReadsOfView || got.ReadsTo != noon || len(got.Parts) != 4 {
		t.Fatalf("ViewImpact = %+v, want score 47.12 of four parts, and 565.4 reads an hour", got)
	}
	for i, want := range []FeatureImpact{
		{View: "payments", Feature: "amount", Severity: 1, Drift: .5, Importance: 5, Services: 2, ReadsPerHour: 1200, ReadShare: 1, Weight: 15, Share: 7.5 / 9},
		{View: "payments", Feature: "country", Severity: 3, Drift: .9, Importance: 1, Services: 1, ReadsPerHour: 600, ReadShare: .5, Weight: 1, Share: .9 / 9},
		{View: "payments", Severity: .5, Drift: .2, Importance: 1, Services: 2, ReadsPerHour: 1200, ReadShare: 1, Weight: 3, Share: .6 / 9},
		{View: "payments", Feature: "note", Importance: 1, ReadShare: .1, Weight: .1},
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

// While nobody reads, or nobody knows, all features count as if everybody asked for them.
func TestViewImpactUnread(t *testing.T) {
	view, services, v := scored()
	got := ViewImpact(view, services, v, ReadRates{})
	if !near(got.Score, 100*9.9/21) || got.Impact != 0 || got.ReadsPerHour != 0 || !got.ReadsFrom.IsZero() {
		t.Errorf("ViewImpact = %+v, want score 47.14, and no reads", got)
	}
	for _, p := range got.Parts {
		if p.ReadShare != 1 || p.ReadsPerHour != 0 {
			t.Errorf("part %+v, want a share of 1", p)
		}
	}
}

// A service that reads paths into a json feature reads the feature.
func TestImpactOfPaths(t *testing.T) {
	view := &feature.View{Name: "users", Features: []feature.Feature{{Name: "profile", Type: feature.JSON}, {Name: "pro"}}}
	services := []feature.Service{{Name: "model", Features: []string{"users:profile.address.city", "users:profile.age"}}}
	got := ViewImpact(view, services, &Verdict{Scores: []feature.Score{{Feature: "profile", Severity: 1}, {Feature: "pro", Severity: 3}}}, ReadRates{})
	for _, p := range got.Parts {
		if want := map[string]int{"profile": 1, "pro": 0}[p.Feature]; p.Services != want {
			t.Errorf("%s is read by %d services, want %d", p.Feature, p.Services, want)
		}
	}
	if of := ServiceImpact(&services[0], []ScoredView{{Impact: got}}); len(of.Parts) != 1 || of.Parts[0].Feature != "profile" || !near(of.Score, 50) {
		t.Errorf("the service scores %+v, want 50 of profile alone", of)
	}
}

func TestServiceImpact(t *testing.T) {
	view, services, v := scored()
	old := ReadRates{Rates: Rates{PerHour: 7}}
	views := []ScoredView{{ViewImpact(view, services, v, read), read},
		{ViewImpact(&feature.View{Name: "payments_old", Features: view.Features}, services, &Verdict{}, old), old}}
	for name, want := range map[string]Impact{
		// amount 5 * .5, country .25 * .9 and the view as a whole .2, of 5, .25 and 1
		"fraud":  {Score: 100 * 2.925 / 6.25, Measured: true, ReadsPerHour: 800, ReadsOf: ReadsOfService, ReadsTo: noon, Impact: 800 * 2.925 / 6.25},
		"credit": {Score: 100 * 2.7 / 6, Measured: true, ReadsPerHour: 1200, ReadsOf: ReadsOfViews, ReadsTo: noon, Impact: 1200 * 2.7 / 6},
		"other":  {ReadsOf: ReadsOfViews},
	} {
		for i := range services {
			if services[i].Name != name {
				continue
			}
			got := ServiceImpact(&services[i], views)
			if !near(got.Score, want.Score) || got.Measured != want.Measured || got.ReadsPerHour != want.ReadsPerHour || !near(got.Impact, want.Impact) ||
				got.ReadsOf != want.ReadsOf || got.ReadsTo != want.ReadsTo {
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
	if got := ViewImpact(view, services, &Verdict{}, read); got.Measured || got.Score != 0 || got.Impact != 0 || got.Parts == nil {
		t.Errorf("ViewImpact of an empty verdict = %+v", got)
	}
	calm := &Verdict{Scores: []feature.Score{{Feature: "amount"}}}
	if got := ViewImpact(view, services, calm, read); !got.Measured || got.Score != 0 || got.Parts[0].Share != 0 {
		t.Errorf("ViewImpact of a calm verdict = %+v", got)
	}
}
