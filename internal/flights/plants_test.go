package flights_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"sluice/internal/flights"
)

// same reports whether two numbers are equal or both are absent.
func same(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }

func TestPlantDays(t *testing.T) {
	var got []string
	for _, p := range flights.Plants() {
		got = append(got, p.Day.Format(time.DateOnly))
		if p.Day.Before(flights.HistoryEnd) || flights.LabelOf(p.Day) != flights.Quiet || p.Day.Weekday() != time.Wednesday {
			t.Errorf("%s is on %s %s, a day that is %s", p.Name, p.Day.Weekday(), p.Day, flights.LabelOf(p.Day))
		}
		if !slices.Contains(p.Touches, p.View) {
			t.Errorf("%s does not touch its own view %s", p.Name, p.View)
		}
	}
	if want := []string{"2013-03-13", "2013-05-15", "2013-08-21", "2013-10-16"}; !slices.Equal(got, want) {
		t.Errorf("plants are on %v, want %v", got, want)
	}
}

// TestPlantsChangeOnlyWhatTheySay compares every field of every row of the year.
func TestPlantsChangeOnlyWhatTheySay(t *testing.T) {
	y := load(t)
	// want says, by plant, what dep_delay, air_time and distance must be, and
	// whether the row is one that the plant changes at all.
	want := map[string]func(was *flights.Row) (flights.Row, bool){
		"seconds_for_minutes": func(was *flights.Row) (flights.Row, bool) {
			now := *was
			now.DepDelay *= 60
			return now, was.Carrier == "UA"
		},
		"half_null": func(was *flights.Row) (flights.Row, bool) {
			now := *was
			now.AirTime = math.NaN()
			return now, was.ID%2 == 0
		},
		"kilometres_from_noon": func(was *flights.Row) (flights.Row, bool) {
			now := *was
			now.Distance *= 1.609344
			return now, was.ID%2 == 0 && was.Scheduled.Hour() >= 12
		},
	}
	for _, topic := range []string{flights.TopicFlights, flights.TopicLive} {
		for _, day := range flights.Days() {
			before, after := y.Rows(day.Date), y.Topic(topic, day.Date)
			plant := slices.IndexFunc(flights.Plants(), func(p flights.Plant) bool { return p.Topic == topic && p.Day.Equal(day.Date) })
			if plant < 0 {
				if len(before) != len(after) || &before[0] != &after[0] {
					t.Fatalf("%s of %s is not the flights as they were", topic, day.Date)
				}
				continue
			}
			name := flights.Plants()[plant].Name
			if want[name] == nil {
				continue // TestReversedJoin
			}
			changed := 0
			for i := range before {
				expected, hit := want[name](&before[i])
				if !hit {
					expected = before[i]
				} else {
					changed++
				}
				if !equal(&after[i], &expected) {
					t.Fatalf("%s: row %+v became %+v, want %+v", name, before[i], after[i], expected)
				}
			}
			if share := float64(changed) / float64(len(before)); share < 0.1 || share > 0.6 {
				t.Errorf("%s changes %.2f of its day's rows", name, share)
			}
		}
	}
}

func equal(a, b *flights.Row) bool {
	return a.ID == b.ID && a.Scheduled.Equal(b.Scheduled) && a.Carrier == b.Carrier && a.TailNum == b.TailNum &&
		a.Origin == b.Origin && a.Dest == b.Dest && same(a.DepDelay, b.DepDelay) && same(a.ArrDelay, b.ArrDelay) &&
		same(a.AirTime, b.AirTime) && same(a.Distance, b.Distance)
}

func TestReversedJoin(t *testing.T) {
	y := load(t)
	p := flights.Plants()[3]
	before, after := y.Rows(p.Day), y.Topic(p.Topic, p.Day)
	var was, is, air, far []float64
	for i := range before {
		expected := before[i]
		expected.Distance = after[i].Distance
		if !equal(&after[i], &expected) || math.IsNaN(before[i].AirTime) && after[i].Distance != before[i].Distance {
			t.Fatalf("row %+v became %+v, more than its distance differs", before[i], after[i])
		}
		was, is = append(was, before[i].Distance), append(is, after[i].Distance)
		if !math.IsNaN(after[i].AirTime) {
			air, far = append(air, after[i].AirTime), append(far, after[i].Distance)
		}
	}
	for i := range air {
		for k := range air {
			if air[i] < air[k] && far[i] < far[k] {
				t.Fatalf("%v minutes go with %v miles and %v with %v: not reversed", air[i], far[i], air[k], far[k])
			}
		}
	}
	slices.Sort(was)
	slices.Sort(is)
	if !slices.Equal(was, is) {
		t.Error("the values of distance are not those of before")
	}
}

func TestPlanted(t *testing.T) {
	may := flights.Plants()[1].Day
	for view, want := range map[string]bool{"origin_traffic": true, "aircraft_trips": true, "carrier_delays": false, "route_live": false} {
		if _, got := flights.Planted(view, may); got != want {
			t.Errorf("Planted(%q, %s) = %t, want %t", view, may, got, want)
		}
	}
	if _, got := flights.Planted("origin_traffic", may.AddDate(0, 0, 1)); got {
		t.Error("the day after a plant is planted")
	}
}

// TestSpoiled shows that every value that a plant changed is known as bad, and
// that no value that an honest row of the same key and time holds is.
func TestSpoiled(t *testing.T) {
	y := load(t)
	spoiled := flights.SpoiledOf(y)
	if len(spoiled) < 500 {
		t.Errorf("%d planted values, want some hundreds", len(spoiled))
	}
	for _, day := range flights.Days() {
		rows := y.Rows(day.Date)
		for i := range rows {
			r := &rows[i]
			if spoiled.Has("carrier_delays", flights.KeyOf("carrier_delays", r), r.Scheduled, "dep_delay", r.DepDelay) && r.DepDelay != 0 {
				// 60 times one delay may be another of the same minute: only a planted day has such.
				if !day.Date.Equal(flights.Plants()[0].Day) || r.Carrier != "UA" {
					t.Fatalf("honest dep_delay of %+v is taken for a planted one", *r)
				}
			}
			if !day.Date.Equal(flights.Plants()[2].Day) && spoiled.Has("route_live", flights.KeyOf("route_live", r), r.Scheduled, "distance", r.Distance) {
				t.Fatalf("honest distance of %+v is taken for a planted one", *r)
			}
		}
	}
	missed := 0
	for _, r := range y.Topic(flights.TopicFlights, flights.Plants()[1].Day) {
		if r.ID%2 == 0 && !spoiled.Has("aircraft_trips", flights.KeyOf("aircraft_trips", &r), r.Scheduled, "air_time", r.AirTime) {
			missed++ // null before, or the same aircraft twice
		}
	}
	if missed > 30 {
		t.Errorf("%d planted nulls are not known as such", missed)
	}
}
