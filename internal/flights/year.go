package flights

import (
	_ "embed" // flights.parquet
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"
)

//go:embed flights.parquet
var parquetFile []byte

// Parquet returns the Parquet file of the flights. Callers must not change it.
func Parquet() []byte { return parquetFile }

// Columns returns the names of the file's columns that Load needs.
func Columns() []string {
	return []string{"scheduled", "carrier", "tailnum", "origin", "dest", "dep_delay", "arr_delay", "air_time", "distance"}
}

// Table is what Load needs of whoever reads Parquet: whole columns in the order of
// the file, nil for one that is not there or of another kind. tabular.Table of
// package store/tabular is one.
type Table interface {
	// Strings returns a column of text, "" for null.
	Strings(column string) []string
	// Floats returns a column of numbers, NaN for null.
	Floats(column string) []float64
	// Times returns a column of timestamps in UTC.
	Times(column string) []time.Time
}

// ErrTable reports a table that is not of the flights.
var ErrTable = errors.New("not the table of flights")

// Row is one flight. Numbers are NaN where the source has none: flights that were
// cancelled or diverted.
type Row struct {
	ID        int       // position in the year, from 1
	Scheduled time.Time // departure by the timetable, local time written as UTC
	Carrier   string    // two letters
	TailNum   string    // the aircraft; empty if none was assigned
	Origin    string    // EWR, JFK or LGA
	Dest      string
	DepDelay  float64 // minutes late at departure, negative if early
	ArrDelay  float64 // minutes late at arrival
	AirTime   float64 // minutes in the air
	Distance  float64 // miles
}

// EventID names the flight's write.
func (r *Row) EventID() string { return fmt.Sprintf("2013-%06d", r.ID) }

// Unassigned stands for the aircraft of a flight that was cancelled before it had
// one: a join key is never null.
const Unassigned = "unassigned"

// tail returns the aircraft, or Unassigned.
func (r *Row) tail() string {
	if r.TailNum == "" {
		return Unassigned
	}
	return r.TailNum
}

// AppendJSON appends the flight as the flat record that topics flights and
// flights_live carry.
func (r *Row) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"scheduled":"`...)
	dst = r.Scheduled.AppendFormat(dst, time.RFC3339)
	dst = append(dst, '"')
	for _, text := range []struct{ name, value string }{
		{"carrier", r.Carrier}, {"tailnum", r.tail()}, {"origin", r.Origin}, {"dest", r.Dest},
	} {
		dst = append(append(append(dst, `,"`...), text.name...), `":`...)
		dst = strconv.AppendQuote(dst, text.value)
	}
	for _, number := range []struct {
		name  string
		value float64
	}{{"dep_delay", r.DepDelay}, {"arr_delay", r.ArrDelay}, {"air_time", r.AirTime}, {"distance", r.Distance}} {
		dst = append(append(append(dst, `,"`...), number.name...), `":`...)
		if math.IsNaN(number.value) {
			dst = append(dst, "null"...)
		} else {
			dst = strconv.AppendFloat(dst, number.value, 'f', -1, 64)
		}
	}
	return append(dst, '}')
}

// Year is all flights, by scheduled departure.
type Year struct {
	rows []Row
	days map[time.Time][]Row
}

// Load takes the year from the table that the caller read from Parquet. The error
// is ErrTable.
func Load(t Table) (*Year, error) {
	scheduled := t.Times("scheduled")
	n := len(scheduled)
	texts, numbers := map[string][]string{}, map[string][]float64{}
	for _, name := range Columns()[1:] {
		texts[name], numbers[name] = t.Strings(name), t.Floats(name)
		want := len(numbers[name])
		if name == "carrier" || name == "tailnum" || name == "origin" || name == "dest" {
			want = len(texts[name])
		}
		if want != n {
			return nil, fmt.Errorf("load flights: column %s: %d values for %d rows: %w", name, want, n, ErrTable)
		}
	}
	y := &Year{rows: make([]Row, n)}
	for i := range y.rows {
		y.rows[i] = Row{
			ID: i + 1, Scheduled: scheduled[i],
			Carrier: texts["carrier"][i], TailNum: texts["tailnum"][i], Origin: texts["origin"][i], Dest: texts["dest"][i],
			DepDelay: numbers["dep_delay"][i], ArrDelay: numbers["arr_delay"][i],
			AirTime: numbers["air_time"][i], Distance: numbers["distance"][i],
		}
	}
	return y, y.cut()
}

// cut finds where each day begins and ends.
func (y *Year) cut() error {
	if !slices.IsSortedFunc(y.rows, func(a, b Row) int { return a.Scheduled.Compare(b.Scheduled) }) {
		return fmt.Errorf("load flights: rows are not in the order of time: %w", ErrTable)
	}
	y.days = map[time.Time][]Row{}
	for from := 0; from < len(y.rows); {
		day := y.rows[from].Scheduled.Truncate(24 * time.Hour)
		to := from
		for to < len(y.rows) && y.rows[to].Scheduled.Before(day.AddDate(0, 0, 1)) {
			to++
		}
		y.days[day] = y.rows[from:to:to]
		from = to
	}
	return nil
}

// Len returns the number of flights.
func (y *Year) Len() int { return len(y.rows) }

// Rows returns the flights of a day, by scheduled departure, as they were. The
// caller must not change them.
func (y *Year) Rows(day time.Time) []Row { return y.days[day] }

// Topic returns the flights of a day as the topic carries them: with the faults
// that are planted there. The caller must not change them.
func (y *Year) Topic(topic string, day time.Time) []Row {
	rows := y.days[day]
	for _, p := range Plants() {
		if p.Topic == topic && p.Day.Equal(day) {
			rows = p.Apply(rows)
		}
	}
	return rows
}
