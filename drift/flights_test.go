package drift

import (
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"sluice/feature"
	"sluice/internal/flights"
	"sluice/store/tabular"
)

// flightColumns are what is known of a flight at its end, and the route.
var flightColumns = []struct {
	name string
	typ  feature.Type
	of   func(r *flights.Row) feature.Value
}{
	{"dep_delay", feature.Float64, func(r *flights.Row) feature.Value { return flightNumber(r.DepDelay) }},
	{"arr_delay", feature.Float64, func(r *flights.Row) feature.Value { return flightNumber(r.ArrDelay) }},
	{"air_time", feature.Float64, func(r *flights.Row) feature.Value { return flightNumber(r.AirTime) }},
	{"distance", feature.Float64, func(r *flights.Row) feature.Value { return flightNumber(r.Distance) }},
	{"minute", feature.Int64, func(r *flights.Row) feature.Value {
		return feature.Int64Value(int64(r.Scheduled.Sub(r.Scheduled.Truncate(24*time.Hour)) / time.Minute))
	}},
	{"carrier", feature.String, func(r *flights.Row) feature.Value { return feature.StringValue(r.Carrier) }},
	{"tailnum", feature.String, func(r *flights.Row) feature.Value { return flightText(r.TailNum) }},
	{"origin", feature.String, func(r *flights.Row) feature.Value { return feature.StringValue(r.Origin) }},
	{"dest", feature.String, func(r *flights.Row) feature.Value { return feature.StringValue(r.Dest) }},
	{"route", feature.String, func(r *flights.Row) feature.Value { return feature.StringValue(r.Origin + r.Dest) }},
}

func flightNumber(v float64) feature.Value {
	if math.IsNaN(v) {
		return feature.Null
	}
	return feature.Float64Value(v)
}

func flightText(v string) feature.Value {
	if v == "" {
		return feature.Null
	}
	return feature.StringValue(v)
}

// flightRows reads the embedded year once for all tests.
var flightRows = sync.OnceValues(func() ([]flights.Row, error) {
	table, err := tabular.Columns(flights.Parquet(), flights.Columns()...)
	if err != nil {
		return nil, err
	}
	year, err := flights.Load(table)
	if err != nil {
		return nil, err
	}
	var all []flights.Row
	for _, day := range flights.Days() {
		all = append(all, year.Rows(day.Date)...)
	}
	return all, nil
})

// shuffledFlights is a stream of rows drawn at random from a year of flights, with replacement:
// windows of any number of rows that differ by sampling alone, of columns as they are found.
func shuffledFlights(t testing.TB, seed uint64, rows int) *stream {
	t.Helper()
	all, err := flightRows()
	if err != nil {
		t.Fatal(err)
	}
	var defs []feature.Feature
	for _, c := range flightColumns {
		defs = append(defs, feature.Feature{Name: c.name, Type: c.typ})
	}
	return newStream(seed, rows, defs, func(r *randSource, values []feature.Value) {
		row := &all[r.IntN(len(all))]
		for i := range values {
			values[i] = flightColumns[i].of(row)
		}
	})
}

// Windows of flights whose rows are shuffled over the year do not alarm more often than is
// asked of drawn ones.
func TestShuffledFlightsFalseAlarms(t *testing.T) {
	kinds, by := map[feature.Type]*tally{feature.Float64: {}, feature.String: {}}, map[string]*tally{}
	for i := range *calibrationSeeds {
		l := learn(t, shuffledFlights(t, uint64(20_131+97*(i+*calibrationSkip)), *calibrationRows), 28)
		for k := range *calibrationWindows {
			for _, s := range l.score(t, testLevel, l.window(28+k, nil)) {
				at := slices.IndexFunc(l.view.Features, func(f feature.Feature) bool { return f.Name == s.Feature })
				if at < 0 {
					continue
				}
				if by[s.Feature] == nil {
					by[s.Feature] = &tally{}
				}
				by[s.Feature].add(&s)
				typ := l.view.Features[at].Type
				if typ == feature.Int64 {
					typ = feature.Float64
				}
				kinds[typ].add(&s)
			}
		}
	}
	for _, c := range flightColumns {
		t.Logf("%8d rows %-10s %s", *calibrationRows, c.name, by[c.name])
	}
	for typ, n := range kinds {
		t.Logf("%8d rows %-10s %s", *calibrationRows, typ, n)
		if most := 1.5 * float64(n.windows) / 1000; float64(n.alarms) > most+3*math.Sqrt(most) || n.blocks > 0 {
			t.Errorf("%s: %d alarms and %d blocks of %d stable feature-windows, want at most %.1f and none", typ, n.alarms, n.blocks, n.windows, most)
		}
	}
}
