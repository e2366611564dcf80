package definition

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"sluice/expression"
	"sluice/feature"
)

// MaxComputed is how many computed features a view may have, and how many values of
// requests it may name.
const MaxComputed = 200

// validateComputed checks the values of requests and the computed features of a view.
func validateComputed(v *feature.View, key string, found *Problems) {
	if len(v.Computed) > MaxComputed {
		found.add("", 0, key+".computed", "%d computed features, and a view takes %d", len(v.Computed), MaxComputed)
		return
	}
	if len(v.Context) > MaxComputed {
		found.add("", 0, key+".context", "%d values, and a view takes %d", len(v.Context), MaxComputed)
		return
	}
	before := len(*found)
	taken := map[string]string{}
	for _, e := range v.Entities {
		taken[e.Name] = "a join key"
	}
	for _, f := range v.Features {
		taken[f.Name] = "a feature"
	}
	for _, name := range sorted(v.Context) {
		validateContext(name, v.Context[name], join(key+".context", name), taken, found)
		taken[name] = "a value of requests"
	}
	for i := range v.Computed {
		c := &v.Computed[i]
		at := join(key+".computed", c.Name)
		if c.Name == "" {
			found.add("", 0, fmt.Sprintf("%s.computed[%d]", key, i), "a computed feature has no name: %s", nameRule)
			continue
		}
		validateOneComputed(c, at, taken, found)
		taken[c.Name] = "another computed feature"
	}
	if len(*found) == before && len(v.Computed) > 0 && !slices.ContainsFunc(v.Features, unusable) {
		validateExpressions(v, key, found)
	}
}

// unusable reports a feature with a problem that is reported elsewhere, without which
// nothing compiles.
func unusable(f feature.Feature) bool { return !f.Type.Valid() || !feature.ValidName(f.Name) }

func validateContext(name string, t feature.Type, at string, taken map[string]string, found *Problems) {
	if validateName(name, at, found); taken[name] != "" {
		found.add("", 0, at, "%s is %s of the view: choose another name", show(name), taken[name])
	}
	switch {
	case !t.Valid():
		found.add("", 0, at, "missing: give a type such as float64 or string")
	case t == feature.JSON:
		found.add("", 0, at, "a value of requests cannot be json: name each of its parts")
	}
}

func validateOneComputed(c *feature.Computed, at string, taken map[string]string, found *Problems) {
	validateName(c.Name, at, found)
	switch {
	case slices.Contains(reserved, c.Name):
		found.add("", 0, at, "%s has a meaning of its own in records: choose another name", c.Name)
	case taken[c.Name] != "":
		found.add("", 0, at, "%s is %s of the view: choose another name", c.Name, taken[c.Name])
	}
	switch {
	case !c.Type.Valid():
		found.add("", 0, at+".type", "missing: give a type such as float64 or string")
	case c.Type == feature.JSON:
		found.add("", 0, at+".type", "a computed feature cannot be json: compute each part that is needed")
	}
	switch {
	case strings.TrimSpace(c.Expr) == "":
		found.add("", 0, at+".expr", "empty: give an expression over the view's features and context, such as \"amount / mean\"")
	case len(c.Expr) > maxText:
		found.add("", 0, at+".expr", "%d bytes, and at most %d are read", len(c.Expr), maxText)
	}
	for name, text := range map[string]string{"unit": c.Unit, "description": c.Description} {
		if len(text) > maxText {
			found.add("", 0, join(at, name), "%d bytes, and at most %d are kept", len(text), maxText)
		}
	}
}

// validateExpressions adds what is wrong with the expressions themselves.
func validateExpressions(v *feature.View, key string, found *Problems) {
	_, err := expression.Compile(v)
	var faults expression.Faults
	if !errors.As(err, &faults) {
		if err != nil {
			found.add("", 0, key+".computed", "%v", err)
		}
		return
	}
	for _, f := range faults {
		found.add("", 0, join(key+".computed", f.Computed)+".expr", "%s", f.Text)
	}
}
