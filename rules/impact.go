package rules

import (
	"math"
	"slices"

	"sluice/feature"
)

// FeatureImpact is the part of one feature in the score of a view or service.
type FeatureImpact struct {
	View     string  `json:"view"`
	Feature  string  `json:"feature"`  // empty: the view as a whole, such as its rows
	Severity float64 `json:"severity"` // the worst in the newest judged window; 1 is the threshold
	Drift    float64 `json:"drift"`    // of it, between 0 and 1; 0.5 at the threshold
	// Importance is what the definition says, and Services how many services name it.
	Importance float64 `json:"importance"`
	Services   int     `json:"services"`
	Weight     float64 `json:"weight"`
	Share      float64 `json:"share"` // of the score: the shares of all parts add up to 1, unless nothing moved
}

// Impact is how much of what matters in a view or service moved, and how many reads
// meet it.
type Impact struct {
	Score        float64         `json:"score"`          // 0 to 100
	Measured     bool            `json:"measured"`       // false: nothing was compared yet, and Score says nothing
	ReadsPerHour float64         `json:"reads_per_hour"` // of rows of the versions that are visible; 0 if nobody read, or that is not known
	Impact       float64         `json:"impact"`         // reads per hour that meet what moved: ReadsPerHour times Score/100
	Parts        []FeatureImpact `json:"parts"`          // largest share first
}

// DriftOf maps a severity s >= 0 to how much a feature moved,
//
//	s² / (1 + s²)
//
// which is 0 without a shift, 1/2 at the threshold and .9 at three times it. Negative
// and undefined severities give 0, infinite ones 1.
func DriftOf(severity float64) float64 {
	switch {
	case math.IsInf(severity, 1), severity > 1e9:
		return 1
	case !(severity > 0):
		return 0
	}
	return severity * severity / (1 + severity*severity)
}

// ViewImpact returns the score of a view by v, the verdict on its newest judged window:
// the mean of what its features moved, by weight,
//
//	score = 100 * sum_f w_f * drift_f / sum_f w_f,  w_f = importance_f * (1 + services_f)
//
// over the features that v has a severity of, and the view as a whole if v has one of it,
// which has importance 1 and is read by every service that names a feature of the view.
// services_f counts the services that name f; the 1 is whoever reads it by key.
// readsPerHour is how many rows of the view readers are given in an hour. A view of
// which nothing was measured is not Measured. It is pure.
func ViewImpact(view *feature.View, services []feature.Service, v *Verdict, readsPerHour float64) Impact {
	var parts []FeatureImpact
	for i := range view.Features {
		f := &view.Features[i]
		if severity, ok := v.Severity(f.Name); ok {
			parts = append(parts, part(view.Name, f.Name, severity, f.Weight(), readers(services, view.Name, f.Name)))
		}
	}
	if severity, ok := v.Severity(""); ok {
		parts = append(parts, part(view.Name, "", severity, 1, readers(services, view.Name, "")))
	}
	return weigh(parts, readsPerHour)
}

// ServiceImpact returns the score of a service by the parts of the views that it names
// features of: those features, and the views as a whole, by importance alone,
//
//	score = 100 * sum_f importance_f * drift_f / sum_f importance_f
//
// How often a service is read is not counted apart from its views: readers of the most
// read one of its views are taken for its own, which they are at most. It is pure.
func ServiceImpact(s *feature.Service, views []Impact) Impact {
	var parts []FeatureImpact
	reads := 0.0
	for i := range views {
		used := false
		for _, p := range views[i].Parts {
			if s.Reads(p.View, p.Feature) {
				p.Weight, used = p.Importance, true
				parts = append(parts, p)
			}
		}
		if used {
			reads = max(reads, views[i].ReadsPerHour)
		}
	}
	return weigh(parts, reads)
}

func part(view, name string, severity, importance float64, services int) FeatureImpact {
	return FeatureImpact{View: view, Feature: name, Severity: severity, Drift: DriftOf(severity), Importance: importance, Services: services,
		Weight: importance * float64(1+services)}
}

// readers counts the services that read a feature, or any of the view if name is empty.
func readers(services []feature.Service, view, name string) (n int) {
	for i := range services {
		if services[i].Reads(view, name) {
			n++
		}
	}
	return n
}

// weigh adds up parts by their weights.
func weigh(parts []FeatureImpact, readsPerHour float64) Impact {
	weights, moved := 0.0, 0.0
	for _, p := range parts {
		weights += p.Weight
		moved += p.Weight * p.Drift
	}
	out := Impact{Parts: parts, ReadsPerHour: readsPerHour, Measured: weights > 0}
	if parts == nil {
		out.Parts = []FeatureImpact{}
	}
	if !out.Measured {
		return out
	}
	out.Score = 100 * moved / weights
	out.Impact = readsPerHour * out.Score / 100
	for i := range out.Parts {
		if p := &out.Parts[i]; moved > 0 {
			p.Share = p.Weight * p.Drift / moved
		}
	}
	slices.SortStableFunc(out.Parts, func(a, b FeatureImpact) int {
		switch {
		case a.Share > b.Share:
			return -1
		case a.Share < b.Share:
			return 1
		}
		return 0
	})
	return out
}

// ReadsPerHour returns how many rows readers were given in an hour, by what is known of
// the versions that are visible: their reads over the time from the first to the last of
// these, at least a minute. It is 0 without reads, or while their times are not known.
func ReadsPerHour(reads []feature.VersionReads) float64 {
	all := feature.SumReads(reads)
	if all.First.IsZero() || all.Last.Before(all.First) {
		return 0
	}
	return float64(all.Reads) / max(all.Last.Sub(all.First).Hours(), 1.0/60)
}
