package flights

import (
	"math"
	"slices"
	"strings"
	"time"
)

// Spoiled is every planted value that a reader could meet, so that the demo can
// tell a bad value from an honest one of the same row.
type Spoiled map[mark]bool

// mark is one value of one row: view, key, event time in Unix seconds, feature,
// and the bits of the value.
type mark struct {
	view, key, feature string
	at                 int64
	bits               uint64
}

func markOf(view string, key []string, at time.Time, feature string, value float64) mark {
	if math.IsNaN(value) {
		value = math.NaN() // one of the many
	}
	return mark{view, strings.Join(key, "\x00"), feature, at.Unix(), math.Float64bits(value)}
}

// SpoiledOf returns the planted values of the year, in every view that reads them.
// A value that an honest row of the same key and event time has as well is none.
func SpoiledOf(y *Year) Spoiled {
	s := Spoiled{}
	for _, p := range Plants() {
		before := y.Rows(p.Day)
		after := p.Apply(before)
		for _, view := range p.Touches {
			var honest []mark
			for i := range after {
				value := after[i].number(p.Feature)
				m := markOf(view, KeyOf(view, &after[i]), after[i].Scheduled, p.Feature, value)
				if was := before[i].number(p.Feature); value == was || math.IsNaN(value) && math.IsNaN(was) {
					honest = append(honest, m)
				} else {
					s[m] = true
				}
			}
			for _, m := range honest {
				delete(s, m)
			}
		}
	}
	return s
}

// Has reports whether a value that was read is a planted one. key holds the join
// keys' values in the view's order; a null is NaN.
func (s Spoiled) Has(view string, key []string, eventTime time.Time, feature string, value float64) bool {
	return s[markOf(view, key, eventTime, feature, value)]
}

// number returns the row's value of a numeric feature.
func (r *Row) number(feature string) float64 {
	switch feature {
	case "dep_delay":
		return r.DepDelay
	case "arr_delay":
		return r.ArrDelay
	case "air_time":
		return r.AirTime
	}
	return r.Distance
}

// KeyOf returns the row's join keys in a view of the demo; nil for another view.
func KeyOf(view string, r *Row) []string {
	switch view {
	case "carrier_delays":
		return []string{r.Carrier}
	case "origin_traffic":
		return []string{r.Origin}
	case "aircraft_trips":
		return []string{r.tail()}
	case "route_live":
		return []string{r.Origin, r.Dest}
	}
	return nil
}

// Keys returns the distinct keys of a view in the year, in the order in which
// they first come.
func (y *Year) Keys(view string) [][]string {
	var keys [][]string
	seen := map[string]bool{}
	for i := range y.rows {
		key := KeyOf(view, &y.rows[i])
		if text := strings.Join(key, "\x00"); key != nil && !seen[text] {
			seen[text] = true
			keys = append(keys, slices.Clone(key))
		}
	}
	return keys
}
