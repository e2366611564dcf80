package comparison

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"sluice/store/tabular"
)

// TestTimes: a time that goes with the event keeps its age, a birth its place; a source that
// stands still keeps neither. Hours and days are shown and do not count.
func TestTimes(t *testing.T) {
	monday := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	rows := func(day int, late time.Duration) *tabular.Contents {
		var text strings.Builder
		text.WriteString("event_time,ordered,born\n")
		for i := range 240 {
			event := monday.AddDate(0, 0, day).Add(time.Duration(i) * 6 * time.Minute)
			fmt.Fprintf(&text, "%s,%s,%s\n", event.Format(time.RFC3339), event.Add(-time.Hour-late).Format(time.RFC3339), monday.AddDate(-30, 0, -37*i).Format(time.RFC3339))
		}
		return file(t, "times.csv", text.String())
	}
	shifted := func(b, c *tabular.Contents) (names string) {
		for _, column := range Compare(b, c).Columns {
			if column.Severity >= 1 {
				names += " " + column.Column
			}
		}
		return names
	}
	if got := shifted(rows(0, 0), rows(1, 0)); got != " event_time" {
		t.Errorf("a day later: shifted are%s", got)
	}
	if got := shifted(rows(0, 0), rows(1, 48*time.Hour)); got != " event_time ordered" {
		t.Errorf("two days late: shifted are%s", got)
	}
	c := Compare(rows(0, 0), rows(1, 0)).Columns[1]
	if len(c.Parts) != 3 || c.Parts[0].Part != "age" || c.Parts[0].KS.Statistic != 0 || c.KS.Statistic != 1 && c.KS.Statistic < .9 {
		t.Errorf("parts %+v", c.Parts)
	}
	if days := c.Parts[2]; days.Part != "days of the week" || days.Severity.Defined() || days.TVD < .9 || days.Problem != notJudged {
		t.Errorf("days %+v", days)
	}
	d := Describe(rows(0, 0)).Columns
	event, ordered := d[0], d[1]
	if len(event.Parts) != 2 || event.Parts[0].Bins[0] != 10 || event.Parts[0].N != 240 || event.Parts[1].Bins[0] != 240 || event.Parts[1].Top[0].Value != "Monday" {
		t.Errorf("event time described as %+v", event.Parts)
	}
	if a := ordered.Parts[0]; len(ordered.Parts) != 3 || a.Part != "age" || math.Abs(float64(a.Quantiles["0.5"])-3600) > 1e-6 || ordered.Parts[2].Bins[6] != 10 {
		t.Errorf("ordered described as %+v", ordered.Parts)
	}
	none := file(t, "none.csv", "event_time,at\n,2026-03-02T00:00:00Z\n")
	if d := Describe(none).Columns[1]; len(d.Parts) != 2 {
		t.Errorf("without an event time: %+v", d.Parts)
	}
}
