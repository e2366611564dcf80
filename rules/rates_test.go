package rules

import (
	"reflect"
	"testing"
	"time"

	"sluice/feature"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// hourly is a readership of the hour that starts so many hours before noon, of reads that
// began ten minutes into it.
func hourly(before int, reads ...feature.FeatureReads) feature.Readership {
	start := noon.Add(-time.Duration(before) * time.Hour)
	return feature.Readership{Window: feature.Window{Start: start, End: start.Add(time.Hour)}, First: start.Add(10 * time.Minute), Reads: reads}
}

func TestRatesOf(t *testing.T) {
	view := &feature.View{Features: []feature.Feature{{ID: 1, Name: "amount"}, {ID: 2, Name: "country"}, {ID: 3, Name: "note"}}}
	none := ReadRates{Rates: Rates{Features: map[string]float64{}}, Services: map[string]Rates{}}
	reads := []feature.FeatureReads{{Rows: 60}, {Feature: 1, Rows: 60}, {Feature: 2, Rows: 20}, {Feature: 9, Rows: 5}, {Service: "fraud", Rows: 20}, {Service: "fraud", Feature: 1, Rows: 20}}
	for name, tc := range map[string]struct {
		list []feature.Readership
		now  time.Time
		want ReadRates
	}{
		"nobody reads":    {nil, noon, none},
		"clock not set":   {[]feature.Readership{hourly(1, reads...)}, time.Time{}, none},
		"nothing counted": {[]feature.Readership{hourly(1)}, noon, none},
		"a day before":    {[]feature.Readership{hourly(25, reads...)}, noon, none},
		"two processes, of which one began earlier, over two hours": {
			[]feature.Readership{hourly(2, reads...), hourly(1, feature.FeatureReads{Rows: 30}, feature.FeatureReads{Feature: 2, Rows: 30})}, noon.Add(10 * time.Minute),
			ReadRates{From: noon.Add(-110 * time.Minute), To: noon.Add(10 * time.Minute),
				Rates:    Rates{PerHour: 55, Features: map[string]float64{"amount": 40, "country": 25}},
				Services: map[string]Rates{"fraud": {PerHour: 10, Features: map[string]float64{"amount": 10}}}},
		},
		"of this second": {
			[]feature.Readership{hourly(0, feature.FeatureReads{Rows: 2}, feature.FeatureReads{Feature: 3, Rows: 1})}, noon.Add(10 * time.Minute),
			ReadRates{From: noon.Add(10 * time.Minute), To: noon.Add(10 * time.Minute), Rates: Rates{PerHour: 120, Features: map[string]float64{"note": 60}}, Services: map[string]Rates{}},
		},
	} {
		if got := RatesOf(view, tc.list, tc.now); !reflect.DeepEqual(rounded(got), tc.want) {
			t.Errorf("%s: RatesOf = %+v, want %+v", name, got, tc.want)
		}
	}
}

// rounded takes off what the order of the additions leaves.
func rounded(r ReadRates) ReadRates {
	whole := func(of Rates) Rates {
		of.PerHour = float64(int(of.PerHour + .5))
		for name, v := range of.Features {
			of.Features[name] = float64(int(v + .5))
		}
		return of
	}
	r.Rates = whole(r.Rates)
	for name, of := range r.Services {
		r.Services[name] = whole(of)
	}
	return r
}
