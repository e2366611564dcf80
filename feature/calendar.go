package feature

import (
	"fmt"
	"time"
)

// Occasion is a declared time of which a view's history says nothing: a sale, a
// holiday, a migration. Times are texts as in a definitions file.
type Occasion struct {
	Name string   `json:"name"`
	Days []string `json:"days,omitempty"` // YYYY-MM-DD, in UTC
	// From and To are both given or both empty: days, both included, or RFC 3339 times,
	// of which To is not included.
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
	// Project marks one that the project declares for all its views.
	Project bool `json:"project,omitempty"`
}

// Spans returns the times of o. The error names the text that is none.
func (o *Occasion) Spans() ([]Window, error) {
	var all []Window
	for _, day := range o.Days {
		start, err := time.Parse(time.DateOnly, day)
		if err != nil {
			return nil, fmt.Errorf("%q is no day: want YYYY-MM-DD", day)
		}
		all = append(all, Window{start, start.AddDate(0, 0, 1)})
	}
	if o.From == "" && o.To == "" {
		return all, nil
	}
	from, _, err := dayOrTime(o.From)
	if err != nil {
		return nil, err
	}
	to, day, err := dayOrTime(o.To)
	if err != nil {
		return nil, err
	}
	if day {
		to = to.AddDate(0, 0, 1)
	}
	if !from.Before(to) {
		return nil, fmt.Errorf("from %s is not before to %s", o.From, o.To)
	}
	return append(all, Window{from.UTC(), to.UTC()}), nil
}

func dayOrTime(text string) (at time.Time, day bool, err error) {
	if at, err = time.Parse(time.DateOnly, text); err == nil {
		return at, true, nil
	}
	if at, err = time.Parse(time.RFC3339, text); err != nil {
		return at, false, fmt.Errorf("%q is neither a day, YYYY-MM-DD, nor an RFC 3339 time", text)
	}
	return at, false, nil
}

// Occasion returns the name of the first declared occasion that any part of w is in;
// empty if there is none. What cannot be read is passed over: Spans says so.
func (v *View) Occasion(w Window) string {
	for i := range v.Calendar {
		spans, err := v.Calendar[i].Spans()
		if err != nil {
			continue
		}
		for _, s := range spans {
			if w.Start.Before(s.End) && s.Start.Before(w.End) {
				return v.Calendar[i].Name
			}
		}
	}
	return ""
}
