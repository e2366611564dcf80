package rules

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sluice/feature"
)

// maxTags is the most tags that a rule can ask for.
const maxTags = 16

// MatchName reports whether name has the form of pattern, as rules read their view,
// feature, owner, type and values of tags: * stands for any run of characters.
func MatchName(pattern, name string) bool { return match(pattern, name) }

// SelectsView reports whether r is for a view: by its name, its owner and its tags. It may
// still read no feature of it: see Applies.
func (r *Rule) SelectsView(view *feature.View) bool {
	if !match(r.View, view.Name) || r.Owner != "" && !match(r.Owner, view.Owner) {
		return false
	}
	for key, pattern := range r.Tags {
		if value, has := view.Tags[key]; !has || !match(pattern, value) {
			return false
		}
	}
	return true
}

// whole reports whether scores of r's method are of a view as a whole alone.
func (r *Rule) whole() bool { return r.Method == Volume || r.Method == Forest }

// ofView reports whether r's method scores a view that it selects as a whole.
func (r *Rule) ofView(view *feature.View) bool {
	return (r.whole() || r.Method == Expect) && r.selectsFeature(view, "")
}

// selectsFeature reports whether r is for a feature of a view that it selects; of the view
// as a whole, which has no type, if name is empty.
func (r *Rule) selectsFeature(view *feature.View, name string) bool {
	if !match(r.Feature, name) {
		return false
	}
	if r.Type == "" {
		return true
	}
	at := view.FeatureAt(name)
	return at >= 0 && match(r.Type, view.Features[at].Type.String())
}

// Covers reports whether r reads scores of a feature of view; of the view as a whole if
// name is empty.
func (r *Rule) Covers(view *feature.View, name string) bool {
	return r.SelectsView(view) && r.selectsFeature(view, name)
}

// Applies reports whether r reads anything of view.
func (r *Rule) Applies(view *feature.View) bool {
	return r.SelectsView(view) && (r.selectsFeature(view, "") || len(r.Features(view)) > 0)
}

// Features returns the features of view that r is for, in the order of the view; none if
// it does not select the view, or its method is about a view as a whole.
func (r *Rule) Features(view *feature.View) []string {
	out := []string{}
	if r.whole() || !r.SelectsView(view) {
		return out
	}
	for i := range view.Features {
		if name := view.Features[i].Name; r.selectsFeature(view, name) {
			out = append(out, name)
		}
	}
	return out
}

// Overruled returns the features of view that r is for and does not judge, with the names
// of the rules that judge them in its place: those of the same method that name the
// feature more closely. Where two rules are equally close both judge, and the outcome that
// counts most decides.
func Overruled(rules []Rule, r *Rule, view *feature.View) map[string][]string {
	out := map[string][]string{}
	for _, name := range r.Features(view) {
		if by := closer(rules, r, view, name); len(by) > 0 {
			out[name] = by
		}
	}
	return out
}

// Idle returns the rules of a file that read nothing of views, or nothing that no closer
// rule judges in their place, each with why. Without views there are none.
func Idle(rules []Rule, views []feature.View) (idle []string) {
	for i := range rules {
		r := &rules[i]
		if r.Default || len(views) == 0 {
			continue
		}
		if why := r.idle(rules, views); why != "" {
			idle = append(idle, fmt.Sprintf("rule %s %s", r.Name, why))
		}
	}
	return idle
}

// idle returns why r judges nothing; empty if it does.
func (r *Rule) idle(rules []Rule, views []feature.View) string {
	selected, by := 0, []string{}
	for i := range views {
		view := &views[i]
		if !r.Applies(view) {
			continue
		}
		selected++
		over := Overruled(rules, r, view)
		if r.ofView(view) && len(closer(rules, r, view, "")) == 0 || len(over) < len(r.Features(view)) {
			return ""
		}
		for _, name := range slices.Sorted(maps.Keys(over)) {
			by = append(by, over[name]...)
		}
		if r.ofView(view) {
			by = append(by, closer(rules, r, view, "")...)
		}
	}
	if selected == 0 {
		return "selects nothing: no view has all of " + r.asks()
	}
	slices.Sort(by)
	return "judges nothing: all that it selects is judged by closer rules: " + strings.Join(slices.Compact(by), ", ")
}

// asks says what r asks of views and features.
func (r *Rule) asks() string {
	parts := []string{"view: " + r.View}
	for _, key := range slices.Sorted(maps.Keys(r.Tags)) {
		parts = append(parts, fmt.Sprintf("tag %s: %s", key, r.Tags[key]))
	}
	for _, part := range [][2]string{{"owner", r.Owner}, {"feature", r.Feature}, {"type", r.Type}} {
		if part[1] != "" {
			parts = append(parts, part[0]+": "+part[1])
		}
	}
	if r.whole() {
		parts = append(parts, "scores of method "+r.Method+", which are of a view as a whole")
	}
	return strings.Join(parts, ", ")
}

// closer returns the names of the closest rules that read what r reads of a feature, if
// they are closer than r.
func closer(rules []Rule, r *Rule, view *feature.View, name string) (names []string) {
	rank := r.rank()
	for i := range rules {
		other := &rules[i]
		switch {
		case other.Method != r.Method || other.plain() != r.plain() || !other.Covers(view, name):
		case other.rank() > rank:
			rank, names = other.rank(), []string{other.Name}
		case other.rank() == rank && len(names) > 0:
			names = append(names, other.Name)
		}
	}
	return names
}

// rank orders rules by how closely they select what they read. A default rule comes last.
// What is said of the view counts before what is said of the feature: its name, spelt out,
// most, then how many of owner and tags are asked for; then the feature's name, spelt out,
// and then its type.
func (r *Rule) rank() int {
	const view, selector, name, kind = 1 << 8, 1 << 2, 2, 1 // maxTags + 1 selectors are less than a name
	if r.Default {
		return -1
	}
	rank := selector * len(r.Tags)
	if r.Owner != "" {
		rank += selector
	}
	if !strings.Contains(r.View, "*") {
		rank += view
	}
	if !strings.Contains(r.Feature, "*") {
		rank += name
	}
	if r.Type != "" {
		rank += kind
	}
	return rank
}

// selective reports whether r asks for tags, an owner or a type.
func (r *Rule) selective() bool { return len(r.Tags) > 0 || r.Owner != "" || r.Type != "" }

// validateSelectors returns what is wrong with tags, type and owner.
func (r *Rule) validateSelectors() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if len(r.Tags) > maxTags {
		bad("tags: %d of them; at most %d", len(r.Tags), maxTags)
	}
	for _, key := range slices.Sorted(maps.Keys(r.Tags)) {
		if key == "" || r.Tags[key] == "" {
			bad("tags: %q: %q is empty; * is any value", key, r.Tags[key])
		}
	}
	if r.Type == "" {
		return errors.Join(errs...)
	}
	if types := feature.TypeNames(); !slices.ContainsFunc(types, func(name string) bool { return match(r.Type, name) }) {
		hint := ""
		if near := feature.Nearest(strings.ReplaceAll(r.Type, "*", ""), types); near != "" {
			hint = ": did you mean " + near + "?"
		}
		bad("type: %q is no type of a feature%s", r.Type, hint)
	}
	if r.whole() {
		bad("type: method %s is about a view as a whole, which has no type; leave it out", r.Method)
	}
	return errors.Join(errs...)
}
