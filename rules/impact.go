package rules

import (
	"math"
	"slices"
	"time"

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
	// ReadsPerHour is how many rows an hour were asked for the feature, and ReadShare what
	// that is of those of the view or service: between 0.1 and 1, and 1 while nobody reads.
	ReadsPerHour float64 `json:"reads_per_hour"`
	ReadShare    float64 `json:"read_share"`
	Weight       float64 `json:"weight"`
	Share        float64 `json:"share"` // of the score: the shares of all parts add up to 1, unless nothing moved
}

// Impact is how much of what matters in a view or service moved, and how many reads
// meet it.
type Impact struct {
	Score        float64         `json:"score"`          // 0 to 100
	Measured     bool            `json:"measured"`       // false: nothing was compared yet, and Score says nothing
	ReadsPerHour float64         `json:"reads_per_hour"` // rows that readers were given; 0 if nobody read, or that is not known
	ReadsOf      ReadsOf         `json:"reads_of"`
	ReadsFrom    time.Time       `json:"reads_from,omitzero"` // the period of the platform's clock that they are over; zero if there were none
	ReadsTo      time.Time       `json:"reads_to,omitzero"`
	Impact       float64         `json:"impact"` // reads per hour that meet what moved: ReadsPerHour times Score/100
	Parts        []FeatureImpact `json:"parts"`  // largest share first
}

// ReadsOf says whose reads are counted.
type ReadsOf string

// Whose reads are counted in an Impact.
const (
	ReadsOfView    ReadsOf = "view"    // all of the view's
	ReadsOfService ReadsOf = "service" // those that named the service
	ReadsOfViews   ReadsOf = "views"   // nobody named the service: all of the most read of its views, which its own are at most
)

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
//	score = 100 * sum_f w_f * drift_f / sum_f w_f
//	w_f   = importance_f * (1 + services_f) * share_f
//	share_f = min(1, max(0.1, reads_f / reads)),  1 if reads = 0
//
// over the features that v has a severity of, and the view as a whole if v has one of it,
// which has importance 1 and share 1 and is read by every service that names a feature of
// the view. services_f counts the services that name f; the 1 is whoever reads it by key.
// reads are the rows that readers are given in an hour, and reads_f those of them that
// were asked for f. A view of which nothing was measured is not Measured. It is pure.
func ViewImpact(view *feature.View, services []feature.Service, v *Verdict, reads ReadRates) Impact {
	var parts []FeatureImpact
	add := func(name string, importance float64) {
		if severity, ok := v.Severity(name); ok {
			p := FeatureImpact{View: view.Name, Feature: name, Severity: severity, Drift: DriftOf(severity), Importance: importance, Services: readers(services, view.Name, name)}
			p.read(reads.Rates, reads.PerHour)
			p.Weight *= float64(1 + p.Services)
			parts = append(parts, p)
		}
	}
	for i := range view.Features {
		add(view.Features[i].Name, view.Features[i].Weight())
	}
	add("", 1)
	return weigh(Impact{Parts: parts, ReadsPerHour: reads.PerHour, ReadsOf: ReadsOfView, ReadsFrom: reads.From, ReadsTo: reads.To})
}

// ScoredView is a view's score with the reads that it is by.
type ScoredView struct {
	Impact
	Reads ReadRates
}

// ServiceImpact returns the score of a service by the parts of the views that it names
// features of: those features, and the views as a whole, by importance and by how often
// the service reads them,
//
//	score = 100 * sum_f w_f * drift_f / sum_f w_f
//	w_f   = importance_f * share_f
//	share_f = min(1, max(0.1, reads_f / reads))
//
// where reads are those that named the service: reads_f the rows an hour that were asked
// for f, and reads those of the view that it reads most. If nobody named it, share_f is
// that of the view's readers, and ReadsOf says so. It is pure.
func ServiceImpact(s *feature.Service, views []ScoredView) Impact {
	out := Impact{ReadsOf: ReadsOfViews}
	for i := range views {
		out.mostRead(&views[i].Reads, views[i].Reads.Services[s.Name].PerHour)
	}
	if out.ReadsPerHour > 0 {
		out.ReadsOf = ReadsOfService
	}
	for i := range views {
		used := false
		for _, p := range views[i].Parts {
			if !s.Reads(p.View, p.Feature) {
				continue
			}
			if used = true; out.ReadsOf == ReadsOfService {
				p.read(views[i].Reads.Services[s.Name], out.ReadsPerHour)
			}
			p.Weight = p.Importance * p.ReadShare
			out.Parts = append(out.Parts, p)
		}
		if used && out.ReadsOf == ReadsOfViews {
			out.mostRead(&views[i].Reads, views[i].Reads.PerHour)
		}
	}
	return weigh(out)
}

// mostRead takes the reads of a view if they are more than those before.
func (i *Impact) mostRead(of *ReadRates, perHour float64) {
	if perHour > i.ReadsPerHour {
		i.ReadsPerHour, i.ReadsFrom, i.ReadsTo = perHour, of.From, of.To
	}
}

// read weighs a part by its importance and what it is of all rows an hour.
func (p *FeatureImpact) read(of Rates, all float64) {
	p.ReadsPerHour = of.of(p.Feature)
	p.ReadShare = share(p.ReadsPerHour, all)
	p.Weight = p.Importance * p.ReadShare
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

// weigh adds up the parts of out by their weights.
func weigh(out Impact) Impact {
	weights, moved := 0.0, 0.0
	for _, p := range out.Parts {
		weights += p.Weight
		moved += p.Weight * p.Drift
	}
	if out.Parts == nil {
		out.Parts = []FeatureImpact{}
	}
	if out.Measured = weights > 0; !out.Measured {
		return out
	}
	out.Score = 100 * moved / weights
	out.Impact = out.ReadsPerHour * out.Score / 100
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
