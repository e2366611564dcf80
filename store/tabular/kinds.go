package tabular

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"
)

// Kind says what values a column of a file holds, as Values would.
type Kind struct {
	Name    string
	Numbers bool // numbers alone, but not timestamps
	Texts   bool // texts, booleans, lists or objects, with numbers perhaps
	Truths  bool // what it holds, if anything, is true and false alone
	Times   bool // timestamps alone
}

// ReadKinds reads what every column of the file at path holds, in the order in which
// they first appear. It keeps no values, so that its memory does not grow with the rows.
// Columns and errors are those of ReadValues.
func ReadKinds(path string) ([]Kind, error) {
	in, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	k := kinds{at: map[string]int{}}
	for row := 1; ; row++ {
		line, id, err := in.Next()
		if errors.Is(err, io.EOF) {
			return k.done(), nil
		}
		if err != nil {
			return nil, err
		}
		if err := k.line(line, id); err != nil {
			return nil, fmt.Errorf("read %s: row %d: %w", filepath.Base(path), row, err)
		}
	}
}

// kinds is a file on its way into kinds of columns.
type kinds struct {
	fields  Fields
	rows    uint64
	at      map[string]int
	columns []*columnKind
}

// columnKind is what a column held so far.
type columnKind struct {
	name               string
	row                uint64 // of the last value, to find a name that comes twice
	numbers            bool   // numbers, as such
	special            bool   // texts that name an infinity
	undefined          bool   // texts that name no number
	texts              bool
	untruthful, timely bool // a text that is neither true nor false; one that is a timestamp
	untimely           bool // a text that is none
}

func (k *kinds) line(line []byte, id string) error {
	k.rows++
	members, err := k.fields.Of(line)
	if err != nil {
		return err
	}
	for i, m := range members {
		if err := k.value(i, m.Name, m.Value); err != nil {
			return err
		}
	}
	at, known := k.at[EventID]
	if id == "" || known && k.columns[at].row == k.rows {
		return nil
	}
	return k.value(len(members), []byte(EventID), appendString(nil, id)) // as in gathering.line
}

// value takes the i-th member of a row; most rows have their columns in one order.
func (k *kinds) value(i int, column, value []byte) error {
	if i >= len(k.columns) || k.columns[i].name != string(column) {
		known := false
		if i, known = k.at[string(column)]; !known {
			if len(k.columns) == maxColumns {
				return fmt.Errorf("more than %d columns: %w", maxColumns, ErrLimit)
			}
			i = len(k.columns)
			k.at[string(column)] = i
			k.columns = append(k.columns, &columnKind{name: string(column)})
		}
	}
	c := k.columns[i]
	if c.row == k.rows {
		return fmt.Errorf("column %.100q is there twice: %w", column, ErrCorrupt)
	}
	c.row = k.rows
	return c.add(value)
}

func (c *columnKind) add(value []byte) error {
	switch value[0] {
	case 'n':
	case '"':
		if c.texts && c.untruthful && c.untimely {
			return nil // nothing more to learn
		}
		inner := value[1 : len(value)-1]
		if bytes.IndexByte(inner, '\\') >= 0 {
			var text string
			if err := json.Unmarshal(value, &text); err != nil {
				return fmt.Errorf("column %.100q: %w: %w", c.name, err, ErrCorrupt)
			}
			inner = []byte(text)
		}
		c.text(string(inner))
	case 't', 'f':
		c.texts, c.untimely = true, true
	case '[', '{':
		c.texts, c.untimely, c.untruthful = true, true, true
	default:
		c.numbers = true
	}
	return nil
}

func (c *columnKind) text(text string) {
	switch specialName(text) {
	case "NaN":
		c.undefined = true
		return
	case "Infinity", "-Infinity":
		c.special = true
		return
	}
	c.texts = true
	c.untruthful = c.untruthful || text != "true" && text != "false"
	if !c.untimely {
		_, err := time.Parse(time.RFC3339Nano, text)
		c.timely, c.untimely = c.timely || err == nil, err != nil
	}
}

func (k *kinds) done() []Kind {
	var all []Kind
	for _, c := range k.columns {
		plain := c.numbers || c.special || c.undefined
		times := c.texts && c.timely && !c.untimely && !plain
		all = append(all, Kind{Name: c.name, Numbers: !c.texts && (c.numbers || c.special), Texts: c.texts && !times,
			Truths: !c.texts || times || !c.untruthful && !plain, Times: times})
	}
	return all
}
