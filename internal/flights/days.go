package flights

import (
	_ "embed" // days.csv
	"encoding/csv"
	"strings"
	"sync"
	"time"
)

//go:embed days.csv
var daysFile string

// Label says what the weather of a day was.
type Label string

const (
	// Quiet: hardly any rain, no strong wind, good sight at all three airports.
	Quiet Label = "quiet"
	// Storm: heavy rain, a storm's wind, or hours of fog or snow at one of them.
	Storm Label = "storm"
	// Other: neither, or not enough readings to know.
	Other Label = "other"
)

// Day is a day of 2013 with its label; tools/flights/make.py holds the thresholds.
type Day struct {
	Date  time.Time // its first instant; the start of its window
	Label Label
}

// Days returns every day of 2013 in order. The caller may change the slice.
func Days() []Day { return append([]Day(nil), days()...) }

// LabelOf returns the label of the day that t lies in; Other outside 2013.
func LabelOf(t time.Time) Label {
	all := days()
	if i := int(t.Sub(all[0].Date) / (24 * time.Hour)); t.Year() == 2013 && i < len(all) {
		return all[i].Label
	}
	return Other
}

// HistoryEnd is the first day that is replayed; those before it are history.
var HistoryEnd = date(2013, time.March, 1)

func date(year int, month time.Month, day int) time.Time {
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

// days reads the embedded file, which the tests check.
var days = sync.OnceValue(func() []Day {
	records, err := csv.NewReader(strings.NewReader(daysFile)).ReadAll()
	if err != nil {
		panic("days.csv: " + err.Error())
	}
	all := make([]Day, 0, 365)
	for _, record := range records[1:] {
		at, err := time.Parse(time.DateOnly, record[0])
		if err != nil {
			panic("days.csv: " + err.Error())
		}
		all = append(all, Day{Date: at, Label: Label(record[1])})
	}
	return all
})
