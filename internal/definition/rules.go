package definition

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"sluice/feature"
	"sluice/rules"
)

// rulesOf returns the file that a document names with `rules:`; empty if none.
func rulesOf(doc *yaml.Node) string {
	if doc.Kind != yaml.MappingNode {
		return ""
	}
	for i := 0; i+1 < len(doc.Content); i += 2 {
		if v := doc.Content[i+1]; doc.Content[i].Value == "rules" && v.Kind == yaml.ScalarNode && v.Tag == "!!str" {
			return v.Value
		}
	}
	return ""
}

func (p *parser) rulesName(d *decoder) setter {
	return func(n *yaml.Node, key string) {
		if n.Kind == yaml.SequenceNode {
			d.problem(n, key, "this is a file of rules: name it in a definitions file, `rules: %s`", path.Base(d.file))
			return
		}
		var name string
		d.text(&name)(n, key)
		switch {
		case name == "":
		case path.IsAbs(name):
			d.problem(n, key, "%s: want a path relative to this file", show(name))
		case p.rulesAt.file != "":
			d.problem(n, key, "%s, but %s:%d names the rules already: keep one", show(name), escape(p.rulesAt.file), p.rulesAt.line)
		default:
			p.rulesAt = place{d.file, n.Line}
			p.defs.Rules = resolve(d.file, name) // its text takes its place below
		}
	}
}

// rules replaces the name of the rules file by its text.
func (p *parser) rules(files []File) {
	name := p.defs.Rules
	p.defs.Rules = ""
	if name == "" {
		return
	}
	for _, f := range files {
		if f.Name == name {
			p.defs.Rules = f.Text
			p.places["rules"] = place{file: f.Name}
			return
		}
	}
	p.problems.add(p.rulesAt.file, p.rulesAt.line, "rules", "%s: no such file: create it, or leave `rules` out", escape(name))
}

// validateRules reads the rules and looks up what they name.
func validateRules(defs *feature.Definitions, found *Problems) {
	if strings.TrimSpace(defs.Rules) == "" {
		return
	}
	list, err := rules.Parse(defs.Rules)
	if err != nil {
		rulesProblems(err, found)
		return
	}
	for i := range list {
		if !list[i].Default {
			validateRule(defs, &list[i], found)
		}
	}
}

var lineOfRules = regexp.MustCompile(`^line (\d+): (.*)$`)

// rulesProblems takes over the problems of a rules file, one a line.
func rulesProblems(err error, found *Problems) {
	for text := range strings.SplitSeq(strings.TrimPrefix(err.Error(), rules.ErrRules.Error()+":"), "\n") {
		if m := lineOfRules.FindStringSubmatch(strings.TrimSpace(text)); m != nil {
			line, _ := strconv.Atoi(m[1]) // the pattern takes digits only
			found.add("", line, "rules", "%s", m[2])
		} else if text = strings.TrimSpace(text); text != "" {
			found.add("", 0, "rules", "%s", text)
		}
	}
}

// validateRule looks up the views that a rule is for, and its feature in them. A
// * in either stands for any run of characters; alone it may match nothing.
func validateRule(defs *feature.Definitions, r *rules.Rule, found *Problems) {
	views := slices.DeleteFunc(viewNames(defs), func(name string) bool { return !matches(r.View, name) })
	if len(views) == 0 {
		if r.View != "*" {
			found.add("", 0, "rules", "rule %s: %s", r.Name, noMatch("there is no view", r.View, viewNames(defs)))
		}
		return
	}
	var known []string
	for _, name := range views {
		known = append(known, featureNames(defs.View(name))...)
	}
	if r.Feature != "*" && !slices.ContainsFunc(known, func(name string) bool { return matches(r.Feature, name) }) {
		found.add("", 0, "rules", "rule %s: %s", r.Name, noMatch("no view of it has a feature", r.Feature, known))
	}
	validateSelectors(defs, r, found)
}

// validateSelectors looks up the owner and the tags that a rule asks for, each in all
// views. That no view has all of them together is for `rules check` to say: views come and go.
func validateSelectors(defs *feature.Definitions, r *rules.Rule, found *Problems) {
	var owners, keys []string
	values := map[string][]string{}
	for i := range defs.Views {
		if owner := defs.Views[i].Owner; owner != "" {
			owners = append(owners, owner)
		}
		for key, value := range defs.Views[i].Tags {
			keys, values[key] = append(keys, key), append(values[key], value)
		}
	}
	slices.Sort(owners)
	slices.Sort(keys)
	has := func(pattern string, known []string) bool {
		return slices.ContainsFunc(known, func(name string) bool { return matches(pattern, name) })
	}
	if r.Owner != "" && !has(r.Owner, owners) {
		found.add("", 0, "rules", "rule %s: %s", r.Name, noMatch("no view has an owner", r.Owner, owners))
	}
	for _, key := range slices.Sorted(maps.Keys(r.Tags)) {
		slices.Sort(values[key])
		switch {
		case len(values[key]) == 0:
			found.add("", 0, "rules", "rule %s: no view has a tag %s%s", r.Name, show(key), meant(key, keys))
		case !has(r.Tags[key], values[key]):
			found.add("", 0, "rules", "rule %s: %s", r.Name, noMatch("no view has a tag "+key+" of", r.Tags[key], values[key]))
		}
	}
}

// matches reports whether a name is one that a rule's pattern is for. Rules read
// views and features alike.
func matches(pattern, name string) bool {
	return rules.MatchName(pattern, name)
}

// noMatch says that a name or pattern is none of known, with the one that is
// nearest.
func noMatch(none, pattern string, known []string) string {
	if !strings.Contains(pattern, "*") {
		return fmt.Sprintf("%s %s%s", none, show(pattern), meant(pattern, known))
	}
	text := fmt.Sprintf("%s that %s matches", none, show(pattern))
	if near := nearestTo(pattern, known); near != "" {
		text += ": the nearest is " + near
	}
	return text
}

// nearestTo returns the name whose beginning, end or whole is most like what a
// pattern spells out; empty if none is near.
func nearestTo(pattern string, known []string) string {
	spelt := strings.ReplaceAll(pattern, "*", "")
	var parts []string
	of := map[string]string{}
	for _, name := range known {
		n := min(len(spelt), len(name))
		for _, part := range []string{name, name[:n], name[len(name)-n:]} {
			if _, taken := of[part]; !taken {
				of[part], parts = name, append(parts, part)
			}
		}
	}
	return of[feature.Nearest(spelt, parts)]
}
