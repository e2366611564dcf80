package flights

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// The topics of the demo: the gated views read one, the optimistic view has its
// own, so that its fault is not theirs.
const (
	TopicFlights = "flights"
	TopicLive    = "flights_live"
)

// Plant is a fault that the demo puts into one day of one topic.
type Plant struct {
	Name    string
	Text    string    // what happened, in a sentence
	Topic   string    // where
	Day     time.Time // when: start of the window
	View    string    // the view whose verdict must name Feature
	Feature string
	Touches []string // every view that reads planted values, View among them
	Joint   bool     // no feature alone shows it: a verdict must name the forest
	change  func(rows []Row)
}

const (
	secondsPerMinute = 60
	kilometresInMile = 1.609344
)

// Plants returns the faults in the order of their days.
//
// Each has a month of its own, and its day is the first quiet Wednesday on or
// after the 10th of that month: no storm that could be blocked in its stead, no
// weekend, and weeks between them, so that history is clean again before the next.
func Plants() []Plant {
	return []Plant{
		{
			Name: "seconds_for_minutes", Text: "one carrier's producer, UA, sends dep_delay in seconds instead of minutes",
			Topic: TopicFlights, Day: plantDay(time.March), View: "carrier_delays", Feature: "dep_delay",
			Touches: []string{"carrier_delays"}, change: secondsForMinutes,
		},
		{
			Name: "half_null", Text: "air_time arrives null in every second record",
			Topic: TopicFlights, Day: plantDay(time.May), View: "origin_traffic", Feature: "air_time",
			Touches: []string{"origin_traffic", "aircraft_trips"}, change: halfNull,
		},
		{
			Name: "kilometres_from_noon", Text: "from noon on every second record has distance in kilometres instead of miles",
			Topic: TopicLive, Day: plantDay(time.August), View: "route_live", Feature: "distance",
			Touches: []string{"route_live"}, change: kilometresFromNoon,
		},
		{
			Name: "reversed_join", Text: "distance is joined in the opposite order of air_time: both columns as ever, the pairs wrong",
			Topic: TopicFlights, Day: plantDay(time.October), View: "aircraft_trips", Feature: "distance",
			Touches: []string{"aircraft_trips"}, Joint: true, change: reversedJoin,
		},
	}
}

// plantDay returns the first quiet Wednesday on or after the 10th.
func plantDay(month time.Month) time.Time {
	day := date(2013, month, 10)
	for day.Weekday() != time.Wednesday || LabelOf(day) != Quiet {
		day = day.AddDate(0, 0, 1)
	}
	return day
}

// Planted returns the plant whose values the view reads on that day.
func Planted(view string, day time.Time) (Plant, bool) {
	for _, p := range Plants() {
		if p.Day.Equal(day) && slices.Contains(p.Touches, view) {
			return p, true
		}
	}
	return Plant{}, false
}

// Apply returns the rows of the plant's day with its fault; rows stay as they are.
func (p Plant) Apply(rows []Row) []Row {
	rows = slices.Clone(rows)
	p.change(rows)
	return rows
}

// secondsForMinutes multiplies dep_delay of UA by 60. UA has a sixth of all
// flights, the largest share.
func secondsForMinutes(rows []Row) {
	for i := range rows {
		if rows[i].Carrier == "UA" {
			rows[i].DepDelay *= secondsPerMinute
		}
	}
}

// halfNull takes air_time from every second row.
func halfNull(rows []Row) {
	for i := range rows {
		if rows[i].ID%2 == 0 {
			rows[i].AirTime = math.NaN()
		}
	}
}

// kilometresFromNoon changes the unit of distance in every second row whose
// scheduled departure is at noon or later.
func kilometresFromNoon(rows []Row) {
	for i := range rows {
		if rows[i].ID%2 == 0 && rows[i].Scheduled.Hour() >= 12 {
			rows[i].Distance *= kilometresInMile
		}
	}
}

// reversedJoin gives the row with the k-th shortest air_time the k-th longest
// distance, among the rows that have an air_time. Both columns hold the same
// values as before, so nothing that looks at one feature alone can see it.
func reversedJoin(rows []Row) {
	var flown []int
	var distances []float64
	for i := range rows {
		if !math.IsNaN(rows[i].AirTime) {
			flown = append(flown, i)
			distances = append(distances, rows[i].Distance)
		}
	}
	slices.SortStableFunc(flown, func(a, b int) int { return cmp.Compare(rows[a].AirTime, rows[b].AirTime) })
	slices.SortFunc(distances, func(a, b float64) int { return cmp.Compare(b, a) })
	for k, i := range flown {
		rows[i].Distance = distances[k]
	}
}
