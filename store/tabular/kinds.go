package tabular

import "time"

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
	r := roster[*columnKind]{fresh: func(name string) *columnKind { return &columnKind{name: name} }}
	if err := r.read(path, nil); err != nil {
		return nil, err
	}
	var all []Kind
	for _, c := range r.columns {
		all = append(all, c.c.kind())
	}
	return all, nil
}

// columnKind is what a column held so far.
type columnKind struct {
	name               string
	numbers            bool // numbers, as such
	special            bool // texts that name an infinity
	undefined          bool // texts that name no number
	texts              bool
	untruthful, timely bool // a text that is neither true nor false; one that is a timestamp
	untimely           bool // a text that is none
}

func (c *columnKind) add(value []byte) error {
	switch value[0] {
	case 'n':
	case '"':
		if c.texts && c.untruthful && c.untimely {
			return nil // nothing more to learn
		}
		inner, err := textIn(c.name, value)
		if err != nil {
			return err
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

// kind decides what the column is.
func (c *columnKind) kind() Kind {
	plain := c.numbers || c.special || c.undefined
	times := c.texts && c.timely && !c.untimely && !plain
	return Kind{Name: c.name, Numbers: !c.texts && (c.numbers || c.special), Texts: c.texts && !times,
		Truths: !c.texts || times || !c.untruthful && !plain, Times: times}
}
