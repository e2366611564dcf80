package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"time"

	"sluice/feature"
	"sluice/serving/jsonform"
	"sluice/store/tabular"
)

// declaredTypes are the types that are declared for columns, by name.
type declaredTypes map[string]feature.Type

// typedColumn finds the type of a column: the declared one if every value is of it, else
// the narrowest that holds them all as they are.
type typedColumn struct {
	name     string
	declared feature.Type // 0: none
	typ      feature.Type // once all values were seen

	foreign                         bool // a value is not of the declared type
	bools, ints, floats, text, rest bool // kinds of values that were seen
	wide                            bool // an integer that no float64 is
	special                         bool // a text that may be a float: NaN or an infinity
}

// see takes a value into account.
func (c *typedColumn) see(raw []byte) {
	if raw[0] == 'n' {
		return
	}
	if c.declared != 0 && !c.foreign {
		_, err := cellOf(c.declared, raw)
		c.foreign = err != nil
	}
	switch raw[0] {
	case 't', 'f':
		c.bools = true
	case '"':
		switch string(raw) {
		case `"NaN"`, `"Infinity"`, `"-Infinity"`:
			c.special = true
		default:
			c.text = true
		}
	case '{', '[':
		c.rest = true
	default:
		c.number(string(raw))
	}
}

func (c *typedColumn) number(text string) {
	const exact = 1 << 53
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		c.ints, c.wide = true, c.wide || n > exact || n < -exact
		return
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil && (f != math.Trunc(f) || math.Abs(f) <= exact || bytes.ContainsAny([]byte(text), ".eE")) {
		c.floats = true
		return
	}
	c.rest = true // beyond int64 or float64
}

// settle returns the type; of a column without a value, text.
func (c *typedColumn) settle() feature.Type {
	if c.declared != 0 && !c.foreign {
		return c.declared
	}
	numbers := c.ints || c.floats
	switch texts := c.text || c.special; {
	case c.rest, c.bools && (numbers || texts), numbers && c.text:
		return feature.JSON
	case c.bools:
		return feature.Bool
	case c.ints && !c.floats && !c.special:
		return feature.Int64
	case numbers && c.wide:
		return feature.JSON
	case numbers:
		return feature.Float64
	}
	return feature.String
}

// cellOf returns a value for a column of a type; raw is nil where the row does not have it.
func cellOf(t feature.Type, raw []byte) (tabular.Cell, error) {
	switch {
	case len(raw) == 0 || raw[0] == 'n':
		return tabular.Cell{}, nil
	case t == feature.JSON:
		return tabular.Cell{JSON: raw}, nil
	case t == feature.Timestamp && raw[0] == '"':
		at, err := parseTime(raw) // to the microsecond, as those that pass through may be
		if at.IsZero() {
			return tabular.Cell{Value: feature.TimestampValue(at)}, err // a time as well
		}
		return tabular.Cell{Time: at}, err
	case !t.IsList():
		v, err := parseValue(t, raw)
		return tabular.Cell{Value: v}, err
	}
	var elements []json.RawMessage
	if err := json.Unmarshal(raw, &elements); err != nil {
		return tabular.Cell{}, err
	}
	values := make([]feature.Value, len(elements))
	for i, e := range elements {
		var err error
		if values[i], err = parseValue(t.Elem(), e); err != nil {
			return tabular.Cell{}, err
		}
	}
	return tabular.Cell{Value: feature.ListValue(t.Elem(), values)}, nil
}

var (
	errFine = errors.New("a time finer than microseconds")
	errNull = errors.New("a null in a list")
)

// parseValue returns a value that is not null.
func parseValue(t feature.Type, raw []byte) (feature.Value, error) {
	v, err := jsonform.Parse(t, raw)
	if err == nil && v.IsNull() {
		err = errNull
	}
	return v, err
}

func parseTime(raw []byte) (time.Time, error) {
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return time.Time{}, err
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err == nil && at.Nanosecond()%1000 != 0 {
		err = errFine
	}
	return at, err
}
