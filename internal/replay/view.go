package replay

import (
	"fmt"
	"time"

	"sluice/feature"
	"sluice/store/tabular"
)

// seen is what the files of history hold of a column.
type seen struct {
	name           string
	numbers, texts bool
	truths         bool // the texts are true and false alone
	times          bool
}

// columns is what the files of history hold, in the order in which they first appear.
type columns struct {
	all []*seen
	at  map[string]*seen
}

// look says what one file holds.
func look(path string) (found []seen, err error) {
	kinds, err := tabular.ReadKinds(path)
	for _, k := range kinds {
		found = append(found, seen{name: k.Name, numbers: k.Numbers, texts: k.Texts, truths: k.Truths, times: k.Times})
	}
	return found, err
}

// add takes what one file holds.
func (c *columns) add(file []seen) {
	if c.at == nil {
		c.at = map[string]*seen{}
	}
	for _, v := range file {
		s := c.at[v.name]
		if s == nil {
			c.at[v.name], c.all = &v, append(c.all, &v)
			continue
		}
		s.times, s.numbers, s.texts, s.truths = s.times || v.times, s.numbers || v.numbers, s.texts || v.texts, s.truths && v.truths
	}
}

// typeOf returns the type of a column's feature; false if it is left out.
func (s *seen) typeOf() (t feature.Type, ok bool) {
	switch {
	case s.name == tabular.EventID || s.times && !s.texts && !s.numbers:
		return t, false
	case s.numbers && !s.texts:
		return feature.Float64, true
	case s.texts && s.truths && !s.numbers:
		return feature.Bool, true
	case s.texts || s.numbers:
		return feature.String, true
	}
	return t, false // nothing but nulls
}

// size is how long a made-up window is. Which it is does not matter: the n-th file is
// the n-th window after 1970.
const size = time.Hour

func windowAt(n int) feature.Window {
	start := time.Unix(0, 0).UTC().Add(time.Duration(n) * size)
	return feature.Window{Start: start, End: start.Add(size)}
}

// view makes up the view, and names the columns that it leaves out.
func (c *columns) view(name string, o Options) (*feature.View, []string) {
	v := &feature.View{ID: 1, Project: "replay", Name: name, Window: feature.WindowSpec{Size: size},
		Baseline: feature.Baseline{From: "pinned", Windows: o.Baseline}}
	if o.Season > 1 {
		v.Baseline.Season = []string{fmt.Sprintf("windows:%d", o.Season)}
	}
	var out []string
	for i, s := range c.all {
		t, ok := s.typeOf()
		if !ok {
			out = append(out, s.name)
			continue
		}
		v.Features = append(v.Features, feature.Feature{ID: uint32(i + 1), Name: s.name, Type: t})
	}
	return v, out
}
