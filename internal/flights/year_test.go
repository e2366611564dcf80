package flights_test

import (
	"errors"
	"math"
	"sync"
	"testing"
	"time"

	"sluice/internal/flights"
	"sluice/store/tabular"
)

// year reads the embedded file once for all tests.
var year = sync.OnceValues(func() (*flights.Year, error) {
	table, err := tabular.Columns(flights.Parquet(), flights.Columns()...)
	if err != nil {
		return nil, err
	}
	return flights.Load(table)
})

func load(t *testing.T) *flights.Year {
	t.Helper()
	y, err := year()
	if err != nil {
		t.Fatal(err)
	}
	return y
}

func TestYear(t *testing.T) {
	y := load(t)
	if y.Len() != 336_776 || len(flights.Parquet()) > 3<<20 {
		t.Errorf("%d flights in %d bytes, want 336776 in at most 3 MiB", y.Len(), len(flights.Parquet()))
	}
	// Sums and counts of the source, from pandas.
	var delays, minutes, miles float64
	cancelled, unflown, unassigned, rows := 0, 0, 0, 0
	for _, day := range flights.Days() {
		of := y.Rows(day.Date)
		if rows += len(of); len(of) < 600 {
			t.Errorf("%s has %d flights, want 600 and more", day.Date.Format(time.DateOnly), len(of))
		}
		for i := range of {
			r := &of[i]
			if r.Scheduled.Before(day.Date.Add(time.Hour)) || !r.Scheduled.Before(day.Date.Add(24*time.Hour)) {
				t.Fatalf("flight %d of %s is scheduled at %s", r.ID, day.Date.Format(time.DateOnly), r.Scheduled)
			}
			if math.IsNaN(r.DepDelay) {
				cancelled++
			} else {
				delays += r.DepDelay
			}
			if math.IsNaN(r.AirTime) {
				unflown++
			} else {
				minutes += r.AirTime
			}
			if r.TailNum == "" {
				unassigned++
			}
			miles += r.Distance
		}
	}
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"rows of all days", float64(rows), 336_776},
		{"without departure", float64(cancelled), 8_255},
		{"without air time", float64(unflown), 9_430},
		{"without aircraft", float64(unassigned), 2_512},
		{"sum of delays", delays, 4_152_200},
		{"sum of minutes in the air", minutes, 49_326_610},
		{"sum of miles", miles, 350_217_607},
	} {
		if c.got != c.want {
			t.Errorf("%s: %.0f, want %.0f", c.name, c.got, c.want)
		}
	}
}

func TestKeys(t *testing.T) {
	y := load(t)
	for view, want := range map[string]int{"carrier_delays": 16, "origin_traffic": 3, "aircraft_trips": 4044, "route_live": 224, "none": 0} {
		if got := len(y.Keys(view)); got != want {
			t.Errorf("Keys(%q) are %d, want %d", view, got, want)
		}
	}
}

func TestAppendJSON(t *testing.T) {
	row := load(t).Rows(time.Date(2013, 1, 1, 0, 0, 0, 0, time.UTC))[0]
	want := `{"scheduled":"2013-01-01T05:15:00Z","carrier":"UA","tailnum":"N14228","origin":"EWR","dest":"IAH",` +
		`"dep_delay":2,"arr_delay":11,"air_time":227,"distance":1400}`
	if got := string(row.AppendJSON(nil)); got != want || row.EventID() != "2013-000001" {
		t.Errorf("the first flight is %s with id %s, want %s with 2013-000001", got, row.EventID(), want)
	}
	row.TailNum, row.AirTime, row.Distance, row.DepDelay = "", math.NaN(), 1609.344, -3
	want = `{"scheduled":"2013-01-01T05:15:00Z","carrier":"UA","tailnum":"unassigned","origin":"EWR","dest":"IAH",` +
		`"dep_delay":-3,"arr_delay":11,"air_time":null,"distance":1609.344}`
	if got := string(row.AppendJSON(nil)); got != want {
		t.Errorf("a flight without values is %s, want %s", got, want)
	}
}

// table is a table of a test.
type table struct {
	times  []time.Time
	n      int
	absent string
}

func (t table) Times(string) []time.Time { return t.times }

func (t table) Strings(name string) []string {
	if name == t.absent {
		return nil
	}
	return make([]string, t.n)
}

func (t table) Floats(name string) []float64 {
	if name == t.absent {
		return nil
	}
	return make([]float64, t.n)
}

func TestLoadRefuses(t *testing.T) {
	a, b := time.Unix(0, 0).UTC(), time.Unix(60, 0).UTC()
	for name, tc := range map[string]struct {
		table table
		want  error
	}{
		"good":               {table{times: []time.Time{a, b}, n: 2}, nil},
		"a text is absent":   {table{times: []time.Time{a, b}, n: 2, absent: "tailnum"}, flights.ErrTable},
		"a number is absent": {table{times: []time.Time{a, b}, n: 2, absent: "distance"}, flights.ErrTable},
		"no times":           {table{n: 2}, flights.ErrTable},
		"out of order":       {table{times: []time.Time{b, a}, n: 2}, flights.ErrTable},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := flights.Load(tc.table); !errors.Is(err, tc.want) {
				t.Errorf("Load gave %v, want %v", err, tc.want)
			}
		})
	}
}

func TestDays(t *testing.T) {
	days := flights.Days()
	counts := map[flights.Label]int{}
	at := time.Date(2013, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, d := range days {
		if !d.Date.Equal(at) || flights.LabelOf(d.Date.Add(23*time.Hour)) != d.Label {
			t.Fatalf("day %s is %s, want %s with its label", d.Date, flights.LabelOf(d.Date), at)
		}
		counts[d.Label]++
		at = at.AddDate(0, 0, 1)
	}
	if len(days) != 365 || counts[flights.Quiet] != 212 || counts[flights.Storm] != 61 || counts[flights.Other] != 92 {
		t.Errorf("%d days: %v, want 365: 212 quiet, 61 storm, 92 other", len(days), counts)
	}
	if got := flights.LabelOf(at); got != flights.Other {
		t.Errorf("the day after the year is %s, want other", got)
	}
}
