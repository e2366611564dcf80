package comparison

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"sluice/feature"
	"sluice/quality"
	"sluice/quality/sketch"
	"sluice/store/tabular"
)

const (
	// elements names the part of a list that its elements are.
	elements = "elements"
	// mostPaths is how many paths an answer has, those that most values have.
	mostPaths = 200
	// present is the category of what is no null, of which nothing else is looked at.
	present = "present"
)

// compareNested compares columns of which one at least is nested, as the gate judges such
// features: lists by their lengths and their elements, json by its presence and that of its
// paths. What is of another class on the other side is compared by what it is alone.
func compareNested(b, c *tabular.Values) Column {
	out := newColumn(b, c)
	out.Type, out.parts = typeOf(b, c), 2 // itself and its parts
	of, now := classOf(b), classOf(c)
	switch {
	case b.Rows == 0 || c.Rows == 0:
		out.Problem = missing(b.Rows, c.Rows)
	case b.Empty() || c.Empty():
		out.Problem = fmt.Sprintf("nothing but nulls in the %s", side(b.Empty()))
	case of != now:
		out.Problem = fmt.Sprintf("%s in the baseline, %s in the current file: compared by that alone", of, now)
	}
	switch {
	case of != now && !b.Empty() && !c.Empty():
		out.Kind, out.Type, out.parts = Categorical, "", 1
		out.categorical(allOf(b, of), allOf(c, now))
	case cmp.Or(b.Type, c.Type).IsList():
		out.Kind = Numeric
		out.numeric(b, c)
		out.Parts = []Column{compareElements(elementsOf(b), elementsOf(c))}
	default:
		out.Kind = Categorical
		out.categorical(allOf(b, present), allOf(c, present))
		out.paths(b, c)
	}
	out.Severity = out.severity(b, c)
	for i := range out.Parts {
		if p := &out.Parts[i]; p.Severity.Defined() && p.Severity > out.Severity {
			out.Severity = p.Severity
		}
	}
	return out
}

// compareElements compares the elements of all lists, as if each were a row.
func compareElements(b, c *tabular.Values) Column {
	out := compare(b, c)
	out.Part, out.parts = elements, 2
	if b.Rows == 0 || c.Rows == 0 {
		out.Problem = "no elements in the " + side(b.Rows == 0)
	}
	out.Severity = out.severity(b, c)
	return out
}

// typeOf names the type of both sides; list if they are lists of different types.
func typeOf(b, c *tabular.Values) string {
	switch {
	case b.Type == c.Type || !c.Nested():
		return b.Type.String()
	case !b.Nested():
		return c.Type.String()
	case b.Type.IsList() && c.Type.IsList():
		return "list"
	}
	return ""
}

// classOf says what a column holds.
func classOf(v *tabular.Values) string {
	switch {
	case v.Type.IsList():
		return "lists"
	case v.Type == feature.JSON:
		return "objects"
	case v.Times:
		return "timestamps"
	case v.Numeric():
		return "numbers"
	}
	return "texts"
}

// allOf returns a column with one category for whatever is no null.
func allOf(v *tabular.Values, name string) *tabular.Values {
	return presence(v.Name, name, v.Rows-v.Nulls, v.Rows)
}

// presence returns a column of which n of so many rows hold a category, and the others null.
func presence(column, name string, n, rows uint64) *tabular.Values {
	v := &tabular.Values{Name: column, Rows: rows, Nulls: rows - n, Counts: map[string]uint64{}}
	if n > 0 {
		v.Counts[name] = n
	}
	return v
}

// elementsOf returns the elements of a column's lists; those of a column of nulls are none.
func elementsOf(v *tabular.Values) *tabular.Values {
	if v.Elements == nil {
		return &tabular.Values{Name: v.Name}
	}
	return v.Elements
}

// paths compares how many of the values have each path.
func (out *Column) paths(b, c *tabular.Values) {
	before, now := pathsOf(b), pathsOf(c)
	rows := [2]uint64{b.Rows - b.Nulls, c.Rows - c.Nulls}
	names := slices.Collect(maps.Keys(before))
	for name := range now {
		if _, known := before[name]; !known {
			names = append(names, name)
		}
	}
	most := func(name string) float64 {
		return max(float64(before[name])/float64(max(1, rows[0])), float64(now[name])/float64(max(1, rows[1])))
	}
	slices.SortFunc(names, func(x, y string) int { return cmp.Or(cmp.Compare(most(y), most(x)), cmp.Compare(x, y)) })
	for _, name := range names[:min(len(names), mostPaths)] {
		x, y := presence(b.Name, present, before[name], rows[0]), presence(b.Name, present, now[name], rows[1])
		p := newColumn(x, y)
		p.Kind, p.parts, p.Problem = Categorical, 2*float64(len(names)), missing(x.Rows, y.Rows)
		p.Part, _ = quality.MaskCards(name)
		p.categorical(x, y)
		p.Severity = p.severity(x, y)
		out.Parts = append(out.Parts, p)
	}
	out.PartsLeft = len(names) - len(out.Parts)
}

// pathsOf counts the values of a json column by their paths.
func pathsOf(v *tabular.Values) map[string]uint64 {
	counts := map[string]uint64{}
	var names sketch.PathNames
	for text, n := range v.Documents {
		paths, ok := names.Of(text)
		if !ok {
			continue
		}
		slices.Sort(paths) // long names are cut, and may then be one
		for _, path := range slices.Compact(paths) {
			counts[path] += n
		}
	}
	return counts
}
