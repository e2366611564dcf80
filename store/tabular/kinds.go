package tabular

import (
	"context"
	"time"

	"sluice/feature"
)

// Kind says what values a column of a file holds, as Values would.
type Kind struct {
	Name      string
	Numbers   bool     // numbers alone, but not timestamps
	Texts     bool     // texts or booleans, with numbers perhaps
	Truths    bool     // what it holds, if anything, is true and false alone
	Times     bool     // timestamps alone
	Lists     bool     // lists alone, of elements that a list type holds
	Documents bool     // objects, or lists among others or of others
	Elements  Elements // of the lists
}

// Merge returns what a column holds of which two files hold k and o; the name is k's.
func (k Kind) Merge(o Kind) Kind {
	e := Elements{k.Elements.Numbers || o.Elements.Numbers, k.Elements.Texts || o.Elements.Texts, k.Elements.Truths || o.Elements.Truths, k.Elements.Times || o.Elements.Times}
	if e.Texts && e.Times { // times are texts as well
		e.Times = false
	}
	m := Kind{Name: k.Name, Numbers: k.Numbers || o.Numbers, Texts: k.Texts || o.Texts, Truths: k.Truths && o.Truths, Times: k.Times || o.Times,
		Lists: k.Lists || o.Lists, Documents: k.Documents || o.Documents || e.count() > 1, Elements: e}
	m.Documents = m.Documents || m.Lists && (m.Numbers || m.Texts || m.Times)
	if m.Documents {
		m = Kind{Name: k.Name, Documents: true}
	}
	return m
}

// Type returns the type of a feature that holds the column's values; false if there are
// none. Lists without any element are list<string>.
func (k Kind) Type() (t feature.Type, ok bool) {
	switch {
	case k.Documents:
		return feature.JSON, true
	case k.Lists:
		return feature.ListOf(k.Elements.Type()), true
	case k.Times && !k.Texts && !k.Numbers:
		return feature.Timestamp, true
	case k.Numbers && !k.Texts && !k.Times:
		return feature.Float64, true
	case k.Texts && k.Truths && !k.Numbers && !k.Times:
		return feature.Bool, true
	case k.Texts || k.Numbers:
		return feature.String, true
	}
	return t, false
}

// Type returns the type of elements of one kind.
func (e Elements) Type() feature.Type {
	switch {
	case e.Numbers:
		return feature.Float64
	case e.Truths:
		return feature.Bool
	case e.Times:
		return feature.Timestamp
	}
	return feature.String
}

// ReadKinds reads what every column of the file at path holds, in the order in which
// they first appear. It keeps no values, so that its memory does not grow with the rows.
// Columns and errors are those of ReadValues.
func ReadKinds(ctx context.Context, path string) ([]Kind, error) {
	r := roster[*columnKind]{fresh: func(name string) *columnKind { return &columnKind{name: name} }}
	if err := r.read(ctx, path, nil); err != nil {
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
	lists, objects     bool
	elements           elementKinds
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
	case '[':
		c.lists = true
		if !c.elements.nested {
			return Each(value, func(element []byte) error { return c.elements.add(c.name, element) })
		}
	case '{':
		c.objects = true
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
	if c.lists || c.objects {
		elements, ok := c.elements.kinds()
		if ok && !c.objects && !c.texts && !c.numbers && !c.special {
			return Kind{Name: c.name, Lists: true, Elements: elements}
		}
		return Kind{Name: c.name, Documents: true}
	}
	times := c.texts && c.timely && !c.untimely && !plain
	return Kind{Name: c.name, Numbers: !c.texts && (c.numbers || c.special), Texts: c.texts && !times,
		Truths: !c.texts || times || !c.untruthful && !plain, Times: times}
}
