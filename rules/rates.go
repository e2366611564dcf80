package rules

import (
	"time"

	"sluice/feature"
)

// ReadRates are how many rows of a view readers are given in an hour: of the view, by
// feature that was asked for, and of those that named a feature service by that.
type ReadRates struct {
	From time.Time `json:"from,omitzero"` // the period that they are over; zero if there were no reads, or that is not known
	To   time.Time `json:"to,omitzero"`
	Rates
	Services map[string]Rates `json:"services"` // by name; those in whose name anybody read
}

// Rates are rows an hour.
type Rates struct {
	PerHour  float64            `json:"per_hour"` // whatever was asked for
	Features map[string]float64 `json:"features"` // that were asked for a feature, by name; those of which there were any
}

// leastSpan is over how much time, at least, rows are said to be so many an hour.
const leastSpan = time.Minute

// RatesOf adds up what processes counted of a view in the hours that begin within
// feature.ReadershipPeriod before now, and divides it by the time from the first of these
// reads to now, at least a minute. Features that are no longer defined are left out. The
// result is empty without reads, and while now is the zero time. It is pure.
func RatesOf(view *feature.View, list []feature.Readership, now time.Time) ReadRates {
	r := ReadRates{Rates: Rates{Features: map[string]float64{}}, Services: map[string]Rates{}}
	if now.IsZero() {
		return r
	}
	names := make(map[uint32]string, len(view.Features))
	for i := range view.Features {
		names[view.Features[i].ID] = view.Features[i].Name
	}
	for i := range list {
		of := &list[i]
		if of.Window.Start.Before(now.Add(-feature.ReadershipPeriod)) || len(of.Reads) == 0 {
			continue
		}
		if r.From.IsZero() || of.First.Before(r.From) {
			r.From, r.To = of.First, now
		}
		for _, reads := range of.Reads {
			r.add(reads, names)
		}
	}
	if !r.From.IsZero() {
		r.divide(max(now.Sub(r.From), leastSpan).Hours())
	}
	return r
}

// add counts rows, which are of an hour only once they are divided.
func (r *ReadRates) add(reads feature.FeatureReads, names map[uint32]string) {
	r.Rates = r.Rates.plus(reads, names)
	if reads.Service != "" {
		r.Services[reads.Service] = r.Services[reads.Service].plus(reads, names)
	}
}

func (r Rates) plus(reads feature.FeatureReads, names map[uint32]string) Rates {
	if r.Features == nil {
		r.Features = map[string]float64{}
	}
	if reads.Feature == 0 {
		r.PerHour += float64(reads.Rows)
	} else if name, defined := names[reads.Feature]; defined {
		r.Features[name] += float64(reads.Rows)
	}
	return r
}

func (r *ReadRates) divide(hours float64) {
	r.PerHour /= hours
	for name := range r.Features {
		r.Features[name] /= hours
	}
	for service, of := range r.Services {
		of.PerHour /= hours
		for name := range of.Features {
			of.Features[name] /= hours
		}
		r.Services[service] = of
	}
}

// of returns the rows an hour that were asked for a feature, or of the view if name is
// empty.
func (r Rates) of(name string) float64 {
	if name == "" {
		return r.PerHour
	}
	return r.Features[name]
}

// leastShare is what a feature that nobody reads counts for, at least: whoever trains a
// model on it, or is about to read it, is not among those that are counted.
const leastShare = 0.1

// share returns how much of all is read, between leastShare and 1; 1 where nothing is
// known to be.
func share(reads, all float64) float64 {
	if !(all > 0) {
		return 1
	}
	return min(1, max(leastShare, reads/all))
}
