package tabular

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/feature"
)

// Contents are all values of a file.
type Contents struct {
	Rows    uint64
	Columns []*Values
}

// Values are all values of one column of a file, in no order that means anything.
type Values struct {
	Name  string
	Rows  uint64
	Nulls uint64 // null, missing or not a number
	NaN   uint64 // of the nulls, those that are not a number
	// Numbers are those of a column that holds nothing else, infinities among them. A
	// column of timestamps has seconds since 1970, one of lists the lists' lengths.
	Numbers []float64
	// Counts say how often each text comes, in a column that is neither of numbers nor
	// nested. Booleans are true and false.
	Counts map[string]uint64
	Times  bool // the numbers are timestamps
	Wide   bool // some numbers are whole and beyond 2^53, where no float64 is exact
	Int64  bool // all numbers are written as whole ones that an int64 holds

	// Type is that of a nested column, and not set of any other: a list, if all values are
	// lists whose elements are of one kind, and else json. Elements are those of all lists,
	// as if each were a row; Documents say how often each object or list of a json column comes.
	Type      feature.Type
	Elements  *Values
	Documents map[string]uint64
}

// Numeric reports whether the column holds numbers alone. One of nulls alone is neither
// numeric nor of texts, nor is a nested one.
func (v *Values) Numeric() bool { return !v.Nested() && v.Counts == nil && len(v.Numbers) > 0 }

// Empty reports whether the column holds nothing but nulls.
func (v *Values) Empty() bool { return !v.Nested() && v.Counts == nil && len(v.Numbers) == 0 }

// Nested reports whether the column holds lists or objects.
func (v *Values) Nested() bool { return v.Type != 0 }

// ReadValues reads every column of the file at path, by its ending as Open does, and
// calls told, which may be nil, with the number of rows so far now and then. Columns
// are in the order in which they first appear; those of a file without rows are its
// header's or schema's, and JSON lines without rows have none. A column that holds numbers and texts is
// one of texts. In text, NaN is null, and inf and infinity are numbers, whatever their
// case; RFC 3339 timestamps are numbers if the column holds nothing else.
//
// The error is one of Open and Reader.Next, and names the line that is no JSON object, or that
// of ctx.
func ReadValues(ctx context.Context, path string, told func(rows int)) (*Contents, error) {
	r := roster[*gathered]{fresh: func(name string) *gathered { return &gathered{name: name, special: map[string]uint64{}} }}
	if err := r.read(ctx, path, told); err != nil {
		return nil, err
	}
	all := &Contents{Rows: r.rows}
	for _, c := range r.columns {
		all.Columns = append(all.Columns, c.c.values(r.rows))
	}
	return all, nil
}

// gathered is what came of a column so far.
type gathered struct {
	name     string
	seen     uint64 // values and nulls
	nulls    uint64
	numbers  []float64
	wide     bool              // a whole number is beyond 2^53
	unlike64 bool              // a number is none that an int64 holds, as it is written
	special  map[string]uint64 // texts that name infinities or no number, as they stood
	texts    map[string]uint64
	times    []float64
	untimely bool // a text is no timestamp
	lists    listed
	objects  map[string]uint64 // and lists that no list type holds
}

func (c *gathered) add(value []byte) error {
	c.seen++
	switch value[0] {
	case 'n':
		c.nulls++
	case '"':
		inner, err := textIn(c.name, value)
		if err != nil {
			return err
		}
		if n, known := c.texts[string(inner)]; known && c.untimely {
			c.texts[string(inner)] = n + 1 // which is neither a number's name nor a time
			return nil
		}
		c.text(string(inner))
	case '[':
		return c.list(value)
	case '{':
		c.object(string(value), 1)
	case 't', 'f':
		c.count(string(value))
	default:
		n, err := strconv.ParseFloat(string(value), 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			return fmt.Errorf("column %.100q: %.100q is no number: %w", c.name, value, ErrCorrupt)
		}
		c.numbers = append(c.numbers, n)
		c.whole(value, n)
	}
	return nil
}

// whole notes whether a number, as it is written, is one for an int64 or for a float64.
func (c *gathered) whole(value []byte, n float64) {
	const exact = 1 << 53
	if bytes.ContainsAny(value, ".eE") {
		c.unlike64 = true
		return
	}
	if math.Abs(n) < exact {
		return
	}
	_, err := strconv.ParseInt(string(value), 10, 64)
	c.unlike64 = c.unlike64 || err != nil
	c.wide = c.wide || strings.TrimPrefix(string(value), "-") != "9007199254740992" // 2^53, which is exact
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

// NumberText returns the shortest form of a number, as in JSON without an exponent where
// that is not too long: what a column of texts counts a number as. -0 is 0.
func NumberText(n float64) string {
	form := byte('f')
	n += 0 // of -0 that makes 0
	if size := math.Abs(n); size != 0 && size < 1e-6 || size >= 1e21 {
		form = 'g'
	}
	return strconv.FormatFloat(n, form, -1, 64)
}

// values decides what the column is.
func (c *gathered) values(rows uint64) *Values {
	v := &Values{Name: c.name, Rows: rows, Nulls: c.nulls + rows - c.seen, Wide: c.wide, Int64: len(c.numbers) > 0 && !c.unlike64 && len(c.special) == 0}
	if c.nested(v) {
		return v
	}
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
				v.Nulls, v.NaN = v.Nulls+n, v.NaN+n
				continue
			}
			v.Numbers = append(v.Numbers, slices.Repeat([]float64{special}, int(n))...)
		}
	case timed == uint64(len(c.times)) && len(c.numbers)+len(c.special) == 0:
		v.Numbers, v.Times = c.times, true
	default:
		v.Counts = c.texts
		for _, n := range c.numbers {
			v.Counts[NumberText(n)]++
		}
		for text, n := range c.special {
			v.Counts[text] += n
		}
	}
	return v
}
