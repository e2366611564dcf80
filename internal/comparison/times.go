package comparison

import (
	"math"
	"slices"
	"strings"

	"sluice/drift/sample"
	"sluice/quality/sketch"
	"sluice/store/tabular"
)

// eventTime is the column that says when a row's event was.
const eventTime = "event_time"

// age names the part of a timestamp that is how old it is.
const age = "age"

// notJudged says why hours and days count for nothing: of two files the one may be of
// another day.
const notJudged = "not judged: two files do not show whether hours and days come again"

// happened returns the median event time of a file, in seconds since 1970; not a number
// without any.
func happened(file *tabular.Contents) float64 {
	if v := named(file, eventTime); v != nil && v.Times {
		return sample.New(slices.Clone(v.Numbers)).Quantile(0.5)
	}
	return math.NaN()
}

// agesOf returns how many seconds before the event time of their file times are.
func agesOf(v *tabular.Values, event float64) *tabular.Values {
	ages := &tabular.Values{Name: v.Name, Rows: v.Rows, Nulls: v.Nulls, Numbers: make([]float64, len(v.Numbers))}
	for i, at := range v.Numbers {
		ages.Numbers[i] = event - at
	}
	return ages
}

// hoursOf and daysOf return hours of the day and days of the week of times, in UTC.
func hoursOf(v *tabular.Values) *tabular.Values {
	hours := &tabular.Values{Name: v.Name, Rows: v.Rows - v.Nulls, Numbers: make([]float64, len(v.Numbers))}
	for i, at := range v.Numbers {
		hours.Numbers[i] = float64(hourOfWeek(at) % 24)
	}
	return hours
}

func daysOf(v *tabular.Values) *tabular.Values {
	days := &tabular.Values{Name: v.Name, Rows: v.Rows - v.Nulls, Counts: map[string]uint64{}}
	for _, at := range v.Numbers {
		days.Counts[dayName(hourOfWeek(at)/24)]++
	}
	return days
}

func hourOfWeek(at float64) int { return sketch.HourOfWeek(int64(math.Floor(at))) }

// dayName names a day of the week; 0 is Monday.
func dayName(day int) string {
	name, _, _ := strings.Cut(sketch.HourName(24*day), " ")
	return name
}

// times compares timestamps by their age, too, where both files say when their rows are
// from: of place and age the one that says less counts, as at the gate. Hours and days are
// shown.
func (out *Column) times(b, c *tabular.Values, before, now float64) {
	if !math.IsNaN(before) && !math.IsNaN(now) && b.Name != eventTime {
		ages := compare(agesOf(b, before), agesOf(c, now))
		ages.Part = age
		if out.Parts = append(out.Parts, ages); ages.Severity.Defined() && ages.Severity < out.Severity {
			out.Severity = ages.Severity
		}
	}
	hours, days := compare(hoursOf(b), hoursOf(c)), compare(daysOf(b), daysOf(c))
	hours.Part, days.Part = sketch.HoursOfDay, sketch.DaysOfWeek
	for _, p := range []Column{hours, days} {
		p.Severity, p.Problem = undefined, notJudged
		out.Parts = append(out.Parts, p)
	}
}

// times describes the ages, hours and days of timestamps; the bins of hours and days are one each.
func (c *Described) times(v *tabular.Values, event float64) {
	if !math.IsNaN(event) && v.Name != eventTime {
		c.Parts = append(c.Parts, describe(agesOf(v, event)))
		c.Parts[0].Part = age
	}
	hours, days := describe(hoursOf(v)), describe(daysOf(v))
	hours.Part, days.Part = sketch.HoursOfDay, sketch.DaysOfWeek
	hours.Bins, days.Bins = make([]uint64, 24), make([]uint64, 7)
	for _, at := range v.Numbers {
		hour := hourOfWeek(at)
		hours.Bins[hour%24]++
		days.Bins[hour/24]++
	}
	c.Parts = append(c.Parts, hours, days)
}
