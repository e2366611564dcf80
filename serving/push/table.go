package push

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"sluice/feature"
	"sluice/serving/jsonform"
	"sluice/serving/refusal"
)

// Table is rows to push: columns by name, cells read as the type that the view
// declares.
type Table struct {
	names  []string
	rows   int
	value  func(column, row int, t feature.Type) (feature.Value, error)
	moment func(column, row int) (time.Time, error) // a cell as event time
}

// Columns that Feast's clients send and that mean nothing here.
var passedOver = []string{"created", "created_timestamp"}

// The event time columns of Feast's clients and of files, after the one that the
// view's source names.
var timeColumns = []string{"event_timestamp", "event_time"}

// Columns are the columns of a table by what they hold; -1 where it has none.
type Columns struct {
	joins, features []int
	time            int
	Rest            []string // columns that are none of the view's
}

// Columns finds v's columns among those of t, which has rows. Join keys and features are
// named as in the view or as its source maps them. What is none of the view's is in Rest.
// The error, of code invalid_argument, names a column that v needs.
func (t *Table) Columns(v *feature.View) (Columns, error) {
	names := t.names
	if t.rows == 0 {
		return Columns{}, refusal.Invalid("give at least one row", "there are no rows")
	}
	c, used := Columns{time: -1}, make([]bool, len(names))
	index := make(map[string]int, len(names))
	for i, name := range names {
		index[name] = i
	}
	find := func(name string) int {
		at, ok := index[name]
		if mapped := v.Source.Map[name]; !ok && mapped != "" {
			at, ok = index[mapped]
		}
		if !ok {
			return -1
		}
		used[at] = true
		return at
	}
	for _, e := range v.Entities {
		at := find(e.Name)
		if at < 0 {
			return c, refusal.Invalid("the columns are "+columnNames(v), "join key %s of view %s has no column", e.Name, v.Name)
		}
		c.joins = append(c.joins, at)
	}
	for i := range v.Features {
		c.features = append(c.features, find(v.Features[i].Name))
	}
	for _, name := range append([]string{v.Source.EventTime}, timeColumns...) {
		if at, ok := index[name]; ok && !used[at] {
			used[at] = true
			if c.time < 0 {
				c.time = at
			}
		}
	}
	if c.time < 0 {
		return c, refusal.Invalid("the columns are "+columnNames(v), "view %s needs a column of event times", v.Name)
	}
	for i, name := range names {
		if !used[i] && !slices.Contains(passedOver, name) {
			c.Rest = append(c.Rest, name)
		}
	}
	return c, nil
}

// Known refuses columns that are none of v's, so that a misspelt one is not taken for
// a null.
func (c Columns) Known(v *feature.View) error {
	if len(c.Rest) == 0 {
		return nil
	}
	return refusal.Unknown(feature.CodeUnknownFeature, "column", c.Rest[0], slices.Concat(featureNames(v), entityNames(v.Entities)))
}

func entityNames(entities []feature.Entity) (names []string) {
	for _, e := range entities {
		names = append(names, e.Name)
	}
	return names
}

func featureNames(v *feature.View) (names []string) {
	for i := range v.Features {
		names = append(names, v.Features[i].Name)
	}
	return names
}

// columnNames lists some of the columns that v's rows may have: those that they need first.
// Over gRPC the list goes into a trailer, of which some clients take no more than 8 KiB.
func columnNames(v *feature.View) string {
	when := v.Source.EventTime
	if when == "" {
		when = timeColumns[0]
	}
	return refusal.SomeOf(slices.Concat(entityNames(v.Entities), []string{when}, featureNames(v)))
}

// Record is one write as the log carries it (design, section 3).
type Record struct {
	Key   []byte // the entity's key; keeps an entity in one partition
	Value []byte // JSON: flat on a view's own topic, with the view's name on the default one

	Backfill bool // becomes the header sluice-backfill
}

// batch is how many records are made at once: a row of few bytes becomes a record that names
// every feature of its view, so those of a large push take many times its body.
const batch = 4096

// Records gives the rows of t as records for v's topic to send, declared to be of long ago
// if backfill is set; columns are those that Columns found. There is more than one call of
// send where there are many rows. The first cell that is not of its column's type is an
// error of code type that names it, and so is one that ahead, which may be nil, says is an
// event time that the log's reader would refuse: of that error's code. Nothing is sent then;
// an error of send ends it, and rows of the calls before are sent.
func (t *Table) Records(v *feature.View, columns Columns, backfill bool, ahead func(at time.Time) error, send func(records []Record) error) error {
	w := writer{view: v, table: t, backfill: backfill, ahead: ahead}
	if t.rows > batch {
		for w.row = range t.rows {
			if _, err := w.record(columns); err != nil {
				return err
			}
		}
	}
	for from := 0; from < t.rows; from += batch {
		records := make([]Record, 0, min(batch, t.rows-from))
		for w.row = from; w.row < min(from+batch, t.rows); w.row++ {
			record, err := w.record(columns)
			if err != nil {
				return err
			}
			records = append(records, record)
		}
		if err := send(records); err != nil {
			return err
		}
	}
	return nil
}

// writer makes the record of one row.
type writer struct {
	view  *feature.View
	table *Table
	row   int

	backfill bool
	ahead    func(at time.Time) error
}

func (w *writer) record(c Columns) (Record, error) {
	keys, err := w.values(c.joins, func(i int) feature.Type { return w.view.Entities[i].Type }, false)
	if err != nil {
		return Record{}, err
	}
	key, err := feature.NewKey(w.view, keys)
	if err != nil {
		return Record{}, refusal.Invalid("", "row %d: %v", w.row, err)
	}
	values, err := w.values(c.features, func(i int) feature.Type { return w.view.Features[i].Type }, true)
	if err != nil {
		return Record{}, err
	}
	at, err := w.table.moment(c.time, w.row)
	if err == nil && (at.Year() < 1970 || at.Year() > 2261) {
		err = fmt.Errorf("%s is not in the years 1970 to 2261; check the unit", at.Format(time.RFC3339))
	}
	if err != nil {
		return Record{}, w.problem(c.time, err)
	}
	if w.ahead != nil {
		if err := w.ahead(at); err != nil {
			return Record{}, w.located(c.time, err)
		}
	}
	return Record{Key: []byte(key), Value: appendWrite(nil, w.view, keys, values, at), Backfill: w.backfill}, nil
}

// values reads the cells of columns; null only where it may be.
func (w *writer) values(columns []int, typeOf func(i int) feature.Type, null bool) ([]feature.Value, error) {
	values := make([]feature.Value, len(columns))
	for i, column := range columns {
		if column < 0 {
			continue
		}
		v, err := w.table.value(column, w.row, typeOf(i))
		if err == nil && v.IsNull() && !null {
			err = refusal.ErrNullKey
		}
		if err == nil && !null && v.Type().Float() && v.Float() != v.Float() {
			err = refusal.ErrNaNKey
		}
		if err != nil {
			return nil, w.problem(column, err)
		}
		values[i] = v
	}
	return values, nil
}

// located says in which cell an error lies that has a code.
func (w *writer) located(column int, err error) error {
	var known *feature.Error
	if !errors.As(err, &known) {
		return err
	}
	return refusal.Of(known.Code, known.Hint, "column %s, row %d: %s", refusal.Quoted(w.table.names[column]), w.row, known.Message)
}

func (w *writer) problem(column int, err error) error {
	return refusal.Of(feature.CodeType, "send values in the type that the view declares; nothing is converted",
		"column %s, row %d: %v", refusal.Quoted(w.table.names[column]), w.row, err)
}

// appendWrite appends a write as the log carries it: flat under the source's
// column names on a view's own topic, and with the view's name on the default one.
func appendWrite(dst []byte, v *feature.View, keys, values []feature.Value, at time.Time) []byte {
	if v.Source.Topic == "" {
		dst = jsonform.AppendString(append(dst, `{"view":`...), v.Name)
		dst = appendMembers(append(dst, `,"key":{`...), keys, func(i int) string { return v.Entities[i].Name })
		dst = jsonform.AppendTime(append(dst, `},"event_time":`...), at.UnixNano())
		dst = appendMembers(append(dst, `,"values":{`...), values, func(i int) string { return v.Features[i].Name })
		return append(dst, `}}`...)
	}
	column := func(name string) string {
		if mapped := v.Source.Map[name]; mapped != "" {
			return mapped
		}
		return name
	}
	when := v.Source.EventTime
	if when == "" {
		when = "event_time"
	}
	dst = appendMembers(append(dst, '{'), keys, func(i int) string { return column(v.Entities[i].Name) })
	dst = append(jsonform.AppendString(append(dst, ','), when), ':')
	dst = append(jsonform.AppendTime(dst, at.UnixNano()), ',')
	dst = appendMembers(dst, values, func(i int) string { return column(v.Features[i].Name) })
	return append(dst, '}')
}

func appendMembers(dst []byte, values []feature.Value, name func(i int) string) []byte {
	for i, v := range values {
		dst = append(jsonform.AppendString(jsonform.Comma(dst, i), name(i)), ':')
		dst = jsonform.Append(dst, feature.AppendValue(nil, v), v.Type(), jsonform.Own)
	}
	return dst
}
