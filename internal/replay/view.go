package replay

import (
	"fmt"

	"sluice/feature"
	"sluice/store/tabular"
)

// columns is what the files of history hold, in the order in which they first appear.
type columns struct {
	all []tabular.Kind
	at  map[string]int
}

// add takes what one file holds.
func (c *columns) add(file []tabular.Kind) {
	if c.at == nil {
		c.at = map[string]int{}
	}
	for _, k := range file {
		if i, known := c.at[k.Name]; known {
			c.all[i] = c.all[i].Merge(k)
			continue
		}
		c.at[k.Name] = len(c.all)
		c.all = append(c.all, k)
	}
}

// times names the columns of timestamps.
func (c *columns) times() (names []string) {
	for _, k := range c.all {
		if t, ok := k.Type(); ok && t == feature.Timestamp && k.Name != tabular.EventID {
			names = append(names, k.Name)
		}
	}
	return names
}

// view makes up the view, and names the columns that it leaves out: event ids, those of
// nulls alone, the time of the rows, and all timestamps if windows are not placed in time.
func (c *columns) view(name string, o Options, placed *calendar) (*feature.View, []string) {
	v := &feature.View{ID: 1, Project: "replay", Name: name, Window: feature.WindowSpec{Size: placed.size},
		Baseline: feature.Baseline{From: "pinned", Windows: o.Baseline}}
	if o.Season > 1 {
		v.Baseline.Season = []string{fmt.Sprintf("windows:%d", o.Season)}
	}
	var out []string
	for i, k := range c.all {
		t, ok := k.Type()
		if !ok || k.Name == tabular.EventID || t == feature.Timestamp && (placed.column == "" || k.Name == placed.column) {
			out = append(out, k.Name)
			continue
		}
		v.Features = append(v.Features, feature.Feature{ID: uint32(i + 1), Name: k.Name, Type: t})
	}
	return v, out
}
