package flights_test

import (
	"bytes"
	"math"
	"slices"
	"testing"

	"sluice/feature"
	"sluice/internal/flights"
)

// storedRow is the last flight of an entity in a window, as views of flights store it.
type storedRow struct {
	entity string
	values []feature.Value
}

// BenchmarkRowBytes measures how many bytes a year's records of the demo's views
// take: as they are stored, against the entity's former version (values that stay
// the same are left out, a bit each says so), and against a dictionary of each text
// feature's 64 most frequent values (a byte instead of the text). It is what the
// decision on delta encoding stands on: docs/measured.md.
func BenchmarkRowBytes(b *testing.B) {
	y, err := year()
	if err != nil {
		b.Fatal(err)
	}
	number := func(f float64) feature.Value {
		if math.IsNaN(f) {
			return feature.Null
		}
		return feature.Float64Value(f)
	}
	text := feature.StringValue
	for name, take := range map[string]func(r *flights.Row) storedRow{
		"carrier_delays": func(r *flights.Row) storedRow {
			return storedRow{r.Carrier, []feature.Value{number(r.DepDelay), number(r.ArrDelay), text(r.Origin)}}
		},
		"origin_traffic": func(r *flights.Row) storedRow {
			return storedRow{r.Origin, []feature.Value{number(r.AirTime), text(r.Carrier), text(r.Dest)}}
		},
		"aircraft_trips": func(r *flights.Row) storedRow {
			return storedRow{r.TailNum, []feature.Value{number(r.AirTime), number(r.Distance)}}
		},
		"route_live": func(r *flights.Row) storedRow {
			return storedRow{r.Origin + r.Dest, []feature.Value{number(r.Distance), text(r.Carrier)}}
		},
	} {
		b.Run("view="+name, func(b *testing.B) {
			for b.Loop() {
				sizes := rowBytes(y, take)
				b.ReportMetric(sizes.stored, "B/record")
				b.ReportMetric(100*(1-sizes.former/sizes.stored), "%-saved-by-former")
				b.ReportMetric(100*(1-sizes.dictionary/sizes.stored), "%-saved-by-dictionary")
			}
		})
	}
}

type rowSizes struct{ stored, former, dictionary float64 } // bytes a record

func rowBytes(y *flights.Year, take func(*flights.Row) storedRow) (sizes rowSizes) {
	former, records := map[string][]feature.Value{}, 0.0
	frequent := frequentTexts(y, take)
	for _, day := range flights.Days() {
		last := map[string][]feature.Value{}
		rows := y.Rows(day.Date)
		for i := range rows {
			r := take(&rows[i])
			last[r.entity] = r.values
		}
		for entity, values := range last {
			header := len(feature.AppendRecord(nil, feature.Record{}))
			all, changed, coded := header, header+1, header
			for i, v := range values {
				size := valueBytes(v)
				all += size
				if before := former[entity]; before == nil || !sameBytes(before[i], v) {
					changed += size
				}
				if !v.IsNull() && v.Type() == feature.String && slices.Contains(frequent[i], v.Text()) {
					size = 2
				}
				coded += size
			}
			former[entity] = values
			records++
			sizes.stored, sizes.former, sizes.dictionary = sizes.stored+float64(all), sizes.former+float64(changed), sizes.dictionary+float64(coded)
		}
	}
	return rowSizes{sizes.stored / records, sizes.former / records, sizes.dictionary / records}
}

// valueBytes returns what a value takes in a packed row.
func valueBytes(v feature.Value) int {
	view := feature.View{Features: []feature.Feature{{ID: 1}}}
	return len(feature.AppendRow(nil, &view, []feature.Value{v}))
}

func sameBytes(a, b feature.Value) bool {
	return bytes.Equal(feature.AppendValue(nil, a), feature.AppendValue(nil, b))
}

// frequentTexts returns the 64 most frequent texts of each feature.
func frequentTexts(y *flights.Year, take func(*flights.Row) storedRow) (frequent [][]string) {
	var counts []map[string]int
	for _, day := range flights.Days() {
		rows := y.Rows(day.Date)
		for i := range rows {
			values := take(&rows[i]).values
			if counts == nil {
				counts = make([]map[string]int, len(values))
			}
			for at, v := range values {
				if counts[at] == nil {
					counts[at] = map[string]int{}
				}
				if !v.IsNull() && v.Type() == feature.String {
					counts[at][v.Text()]++
				}
			}
		}
	}
	for _, of := range counts {
		var texts []string
		for text := range of {
			texts = append(texts, text)
		}
		slices.SortFunc(texts, func(a, b string) int { return of[b] - of[a] })
		frequent = append(frequent, texts[:min(64, len(texts))])
	}
	return frequent
}
