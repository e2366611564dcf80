package tabular

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// Values are all values of one column of a file, in no order that means anything.
type Values struct {
	Name  string
	Rows  uint64
	Nulls uint64 // null, missing or not a number
	// Numbers are those of a column that holds nothing else, infinities among them. A
	// column of timestamps has seconds since 1970.
	Numbers []float64
	// Counts say how often each text comes, in a column that is not of numbers. Booleans
	// are true and false, lists and objects their JSON.
	Counts map[string]uint64
	Times  bool // the numbers are timestamps
}

// Numeric reports whether the column holds numbers alone. One of nulls alone is neither
// numeric nor of texts.
func (v *Values) Numeric() bool { return v.Counts == nil && len(v.Numbers) > 0 }

// Empty reports whether the column holds nothing but nulls.
func (v *Values) Empty() bool { return v.Counts == nil && len(v.Numbers) == 0 }

// maxColumns is how many columns of a file are read.
const maxColumns = 10_000

// ReadValues reads every column of the file at path, by its ending as Open does, and
// calls told, which may be nil, with the number of rows so far now and then. Columns
// are in the order in which they first appear. A column that holds numbers and texts is
// one of texts. In text, NaN is null, and inf and infinity are numbers, whatever their
// case; RFC 3339 timestamps are numbers if the column holds nothing else.
//
// The error is one of Open and Reader.Next, and names the line that is no JSON object.
func ReadValues(path string, told func(rows int)) ([]*Values, error) {
	in, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	g := gathering{at: map[string]int{}}
	for row := 1; ; row++ {
		line, id, err := in.Next()
		if errors.Is(err, io.EOF) {
			return g.done(), nil
		}
		if err != nil {
			return nil, err
		}
		if err := g.line(line, id); err != nil {
			return nil, fmt.Errorf("read %s: row %d: %w", filepath.Base(path), row, err)
		}
		if told != nil && row%50_000 == 0 {
			told(row)
		}
	}
}

// gathering is a file on its way into columns.
type gathering struct {
	fields  Fields
	rows    uint64
	at      map[string]int
	columns []*gathered
}

// gathered is what came of a column so far.
type gathered struct {
	name     string
	row      uint64 // of the last value, to find a name that comes twice
	seen     uint64 // values and nulls
	nulls    uint64
	numbers  []float64
	special  map[string]uint64 // texts that name infinities or no number, as they stood
	texts    map[string]uint64
	times    []float64
	untimely bool // a text is no timestamp
}

func (g *gathering) line(line []byte, id string) error {
	g.rows++
	members, err := g.fields.Of(line)
	if err != nil {
		return err
	}
	for _, m := range members {
		if err := g.value(m.Name, m.Value); err != nil {
			return err
		}
	}
	at, known := g.at[EventID]
	if id == "" || known && g.columns[at].row == g.rows {
		return nil
	}
	return g.value([]byte(EventID), appendString(nil, id)) // CSV and Parquet leave it out of their lines
}

func (g *gathering) value(column, value []byte) error {
	i, known := g.at[string(column)]
	if !known {
		if len(g.columns) == maxColumns {
			return fmt.Errorf("more than %d columns: %w", maxColumns, ErrLimit)
		}
		i = len(g.columns)
		name := string(column)
		g.at[name] = i
		g.columns = append(g.columns, &gathered{name: name, special: map[string]uint64{}})
	}
	c := g.columns[i]
	if c.row == g.rows {
		return fmt.Errorf("column %.100q is there twice: %w", column, ErrCorrupt)
	}
	c.row = g.rows
	c.seen++
	return c.add(value)
}

func (c *gathered) add(value []byte) error {
	switch value[0] {
	case 'n':
		c.nulls++
	case '"':
		inner := value[1 : len(value)-1]
		if bytes.IndexByte(inner, '\\') >= 0 {
			var text string
			if err := json.Unmarshal(value, &text); err != nil {
				return fmt.Errorf("column %.100q: %w: %w", c.name, err, ErrCorrupt)
			}
			inner = []byte(text)
		}
		if n, known := c.texts[string(inner)]; known && c.untimely {
			c.texts[string(inner)] = n + 1 // which is neither a number's name nor a time
			return nil
		}
		c.text(string(inner))
	case 't', 'f', '[', '{':
		c.count(string(value))
	default:
		n, err := strconv.ParseFloat(string(value), 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			return fmt.Errorf("column %.100q: %.100q is no number: %w", c.name, value, ErrCorrupt)
		}
		c.numbers = append(c.numbers, n)
	}
	return nil
}

func (c *gathered) text(text string) {
	switch specialName(text) {
	case "NaN", "Infinity", "-Infinity":
		c.special[text]++
		return
	}
	if !c.untimely {
		if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
			c.times = append(c.times, float64(t.Unix())+float64(t.Nanosecond())/1e9)
		} else {
			c.untimely, c.times = true, nil
		}
	}
	c.count(text)
}

func (c *gathered) count(text string) {
	if c.texts == nil {
		c.texts = map[string]uint64{}
	}
	c.texts[text]++
}

func (g *gathering) done() []*Values {
	var all []*Values
	for _, c := range g.columns {
		all = append(all, c.values(g.rows))
	}
	return all
}

// values decides what the column is.
func (c *gathered) values(rows uint64) *Values {
	v := &Values{Name: c.name, Rows: rows, Nulls: c.nulls + rows - c.seen}
	timed := uint64(0)
	for _, n := range c.texts {
		timed += n
	}
	switch {
	case c.texts == nil:
		v.Numbers = c.numbers
		for _, text := range slices.Sorted(maps.Keys(c.special)) {
			n := c.special[text]
			special, _ := strconv.ParseFloat(specialName(text), 64) // all of them are in its grammar
			if math.IsNaN(special) {
				v.Nulls += n
				continue
			}
			v.Numbers = append(v.Numbers, slices.Repeat([]float64{special}, int(n))...)
		}
	case timed == uint64(len(c.times)) && len(c.numbers)+len(c.special) == 0:
		v.Numbers, v.Times = c.times, true
	default:
		v.Counts = c.texts
		for _, n := range c.numbers {
			v.Counts[strconv.FormatFloat(n, 'g', -1, 64)]++
		}
		for text, n := range c.special {
			v.Counts[text] += n
		}
	}
	return v
}
