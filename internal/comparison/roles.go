package comparison

import (
	"fmt"
	"slices"
	"strings"

	"sluice/feature"
	"sluice/store/tabular"
)

// operation is the column of flat records that says what a row does.
const operation = "op"

// roles are the columns of a file that are no features: what rows are found by, and when
// their events were. A position is -1 if there is none.
type roles struct{ key, time int }

// rolesOf finds the join key and the event time of a file: the key by its name, id, key,
// user_id or user_key, and else the first column that may be one; the time by its name or
// as the first timestamp that every row has. At least one column is left to be a feature,
// before there is a join key.
func rolesOf(d *Description) roles {
	r := roles{-1, slices.IndexFunc(d.Columns, func(c Described) bool { return c.Column == eventTime })}
	if r.time < 0 {
		r.time = slices.IndexFunc(d.Columns, func(c Described) bool { return c.Times && c.Nulls == 0 && c.Column != operation })
	}
	others := 0
	named := false
	for i := range d.Columns {
		c := &d.Columns[i]
		if i == r.time || c.meta() || !c.suggestable() {
			continue
		}
		others++
		if !c.keyable() || named || r.key >= 0 && !c.namedKey() {
			continue
		}
		r.key, named = i, c.namedKey()
	}
	if others < 2 {
		r.key = -1
	}
	if others == 0 && r.time >= 0 && d.Columns[r.time].Column != eventTime {
		r.time = -1
	}
	return r
}

// meta reports whether the column says something of a row and is no feature.
func (c *Described) meta() bool { return c.Column == tabular.EventID || c.Column == operation }

// namedKey reports whether the column is called as join keys are.
func (c *Described) namedKey() bool {
	return c.Column == "id" || c.Column == "key" || strings.HasSuffix(c.Column, "_id") || strings.HasSuffix(c.Column, "_key")
}

// keyable reports whether every row has a text or a whole number there, of which there are
// more than one.
func (c *Described) keyable() bool {
	if c.Nulls > 0 || c.Distinct < 2 || c.Times || c.Type != "" || c.Cards > 0 || c.namedCard() || c.invalid > 0 {
		return false
	}
	return c.Kind == Categorical && !c.truths() || c.Kind == Numeric && c.int64 && c.Infinite == 0
}

// keyType is the type of the column as a join key.
func (c *Described) keyType() feature.Type {
	if c.Kind == Numeric {
		return feature.Int64
	}
	return feature.String
}

// suggestedKey is the suggested entity.
func (r *roles) suggestedKey(d *Description) (name, line string) {
	if r.key < 0 {
		return "key", "- {name: key, type: string}  # WARNING: the file has no column that looks like a join key, and rows without one are refused: name it here and in entities"
	}
	c := &d.Columns[r.key]
	name = quoted(c.Column)
	return name, fmt.Sprintf("- {name: %s, type: %s}  # the join key, if that is what rows are looked up by: %d values in %d rows", name, c.keyType(), c.Distinct, c.N)
}

// lastSecond is the last that a time may be of, in Unix seconds.
const lastSecond = 253402300799

// suggestedSource is what a view says of its event time, and a remark; line is empty where
// nothing has to be said.
func (r *roles) suggestedSource(d *Description) (line string) {
	switch {
	case r.time < 0:
		return "# WARNING: no column says in every row when its event was, and rows without are refused: add event_time (RFC 3339), or name a column: source: {event_time: COLUMN}"
	case d.Columns[r.time].Column != eventTime:
		return fmt.Sprintf("source: {event_time: %q}  # when a row's event was, if that is the one", d.Columns[r.time].Column)
	}
	c := &d.Columns[r.time]
	if !c.Times && c.Kind == Numeric && c.Max > lastSecond {
		return "# WARNING: event_time is beyond the year 9999 in seconds, so of another unit, such as milliseconds: such rows are refused"
	}
	if !c.Times && !(c.Kind == Numeric && c.int64) || c.Nulls > 0 {
		return "# WARNING: event_time is not an RFC 3339 time, or a number of Unix seconds, in every row: the others are refused"
	}
	return ""
}

// windowSizes are the sizes of windows that are suggested, the first of which is the one of
// views that name none.
var windowSizes = []struct {
	text    string
	seconds float64
}{{"5m", 300}, {"15m", 900}, {"1h", 3600}, {"6h", 6 * 3600}, {"24h", 24 * 3600}, {"168h", 7 * 24 * 3600}}

// windowRows is how many rows windows of the suggested size have on the average: as many as
// bins are made from, and twice what suggested shares are meant for.
const windowRows = 200

// suggestedWindow is the shortest window that has enough rows; empty where that is the one
// of views that name none, the file does not say, or it has not enough for any.
func (r *roles) suggestedWindow(d *Description) (line string) {
	if r.time < 0 || !d.Columns[r.time].Times {
		return ""
	}
	span := float64(d.Columns[r.time].Max - d.Columns[r.time].Min)
	for i, size := range windowSizes {
		rows := float64(d.Rows) / max(1, span/size.seconds)
		if rows < windowRows {
			continue
		}
		if i == 0 {
			return ""
		}
		return fmt.Sprintf("window: {size: %s}  # of about %.0f rows each; shorter ones have too few to judge", size.text, rows)
	}
	return ""
}

// role says of a column that is no feature what it is; empty if it is one.
func (r *roles) role(i int, c *Described) string {
	switch {
	case i == r.key:
		return "the join key"
	case i == r.time:
		return "the event time"
	case c.Column == tabular.EventID:
		return "names a write, so that it counts once however often it is sent"
	case c.Column == operation && slices.ContainsFunc(c.all, func(f Frequency) bool { return f.Value != "write" && f.Value != "delete" }) || c.Column == operation && c.N > 0 && len(c.all) == 0:
		return "WARNING: op says what a row does, write or delete, and rows with something else are refused: rename the column if it is a feature"
	case c.Column == operation:
		return "says what a row does, write or delete"
	}
	return ""
}
