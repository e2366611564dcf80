package sketch

import (
	"fmt"

	"sluice/feature"
)

// HoursOfWeek is the number of bins of facet Hours.
const HoursOfWeek = 7 * 24

// firstHour is the hour of the week in which Unix time began, a Thursday.
const firstHour = 3 * 24

// HourOfWeek returns the hour of the week of a time in Unix seconds, in UTC: 0 is from
// Monday 00:00 to 01:00.
func HourOfWeek(seconds int64) int {
	hour := seconds / 3600
	if seconds%3600 < 0 {
		hour--
	}
	return int(((hour+firstHour)%HoursOfWeek + HoursOfWeek) % HoursOfWeek)
}

var weekdays = [...]string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"}

// HourName returns the name of an hour of the week, such as "Monday 05:00".
func HourName(hour int) string { return fmt.Sprintf("%s %02d:00", weekdays[hour/24%7], hour%24) }

// hoursLayout is the same for every feature and layout.
func hoursLayout(id uint32) *FeatureLayout {
	return &FeatureLayout{ID: id, Type: feature.Timestamp, Facet: Hours}
}

// addHour counts the hour of the week of a timestamp.
func (c *Column) addHour(seconds int64) {
	c.N++
	c.bins[HourOfWeek(seconds)]++
}
