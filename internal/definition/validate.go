package definition

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"sluice/feature"
)

// Limits of a set of definitions.
const (
	MaxViews    = 1000
	MaxFeatures = 2000 // of one view
	maxText     = 4096 // bytes of an owner, a description, an expression or a tag
)

const nameRule = "want a lower-case letter, then up to 62 lower-case letters, digits and _"

// Validate returns every problem of definitions that did not come through
// Parse, as Problems without places; nil if there is none.
func Validate(defs *feature.Definitions) error {
	var found Problems
	validate(defs, &found)
	return found.err()
}

func validate(defs *feature.Definitions, found *Problems) {
	validateName(defs.Project, "project", found)
	if defs.AlertsPerWeek != 0 {
		validateBudget(defs.AlertsPerWeek, found, place{})
	}
	entities := map[string]bool{}
	for _, e := range defs.Entities {
		validateEntity(e, join("entities", e.Name), found)
		twice(entities, e.Name, join("entities", e.Name), found)
	}
	if len(defs.Views) > MaxViews {
		found.add("", 0, "views", "%d views, and an installation takes %d", len(defs.Views), MaxViews)
		return
	}
	views := map[string]bool{}
	for i := range defs.Views {
		key := join("views", defs.Views[i].Name)
		twice(views, defs.Views[i].Name, key, found)
		validateView(&defs.Views[i], key, found)
	}
	validateGroups(defs, found)
	services := map[string]bool{}
	for i := range defs.Services {
		key := join("services", defs.Services[i].Name)
		twice(services, defs.Services[i].Name, key, found)
		validateService(defs, &defs.Services[i], key, found)
	}
	validateCalendar(defs.Calendar, "calendar", found)
	validateRules(defs, found)
}

// MaxAlertsPerWeek bounds an alert budget: one alert a minute is no budget.
const MaxAlertsPerWeek = 7 * 24 * 60

func validateBudget(budget float64, found *Problems, at place) bool {
	ok := budget > 0 && budget <= MaxAlertsPerWeek
	if !ok {
		found.add(at.file, at.line, "alerts_per_week", "%g: want a number above 0, such as 1, and at most %d: how many incidents a week may be false alarms", budget, MaxAlertsPerWeek)
	}
	return ok
}

func validateName(name, key string, found *Problems) bool {
	ok := feature.ValidName(name)
	if !ok {
		found.add("", 0, key, "name %s: %s", show(name), nameRule)
	}
	return ok
}

// twice reports a name that seen holds already, and adds it.
func twice(seen map[string]bool, name, key string, found *Problems) {
	if seen[name] {
		found.add("", 0, key, "declared twice: keep one")
	}
	seen[name] = true
}

func validateEntity(e feature.Entity, key string, found *Problems) {
	validateName(e.Name, key, found)
	switch e.Type {
	case feature.String, feature.Int32, feature.Int64, feature.Bool, feature.Bytes, feature.Timestamp:
	default:
		found.add("", 0, key+".type", "%s: a join key is string, int32, int64, bytes, bool or timestamp", e.Type)
	}
}

func validateService(defs *feature.Definitions, s *feature.Service, key string, found *Problems) {
	validateName(s.Name, key, found)
	if len(s.Features) == 0 {
		found.add("", 0, key+".features", "empty: list features as view:feature")
	}
	if s.Priority != "" && !slices.Contains(feature.ServicePriorities, s.Priority) {
		found.add("", 0, key+".priority", "%s: want %s: which reads go on when there are too many%s", show(s.Priority), strings.Join(feature.ServicePriorities, ", "), meant(s.Priority, feature.ServicePriorities))
	}
	for _, ref := range s.Features {
		if text := unknownRef(defs, ref); text != "" {
			found.add("", 0, key+".features", "%s", text)
		}
	}
	if n := len(slices.Compact(slices.Sorted(slices.Values(s.Features)))); n != len(s.Features) {
		found.add("", 0, key+".features", "a feature is listed twice: keep one")
	}
}

// unknownRef says what is wrong with a reference view:feature; empty if nothing.
func unknownRef(defs *feature.Definitions, ref string) string {
	view, name, ok := strings.Cut(ref, ":")
	if !ok {
		return fmt.Sprintf("%s: want view:feature", show(ref))
	}
	v := defs.View(view)
	if v == nil {
		return fmt.Sprintf("%s: there is no view %s%s", show(ref), show(view), meant(view, viewNames(defs)))
	}
	base, path, nested := strings.Cut(name, ".")
	if i := v.FeatureAt(base); nested && i >= 0 {
		return pathProblem(ref, &v.Features[i], path)
	}
	if v.FeatureAt(name) < 0 && v.ComputedAt(name) < 0 {
		return fmt.Sprintf("%s: view %s has no feature %s%s", show(ref), view, show(name), meant(name, append(featureNames(v), computedNames(v)...)))
	}
	return ""
}

// pathProblem says what is wrong with a path into a feature; empty if nothing.
func pathProblem(ref string, f *feature.Feature, path string) string {
	if f.Type != feature.JSON {
		return fmt.Sprintf("%s: %s is %s, and only json features have paths", show(ref), f.Name, f.Type)
	}
	if _, err := feature.ParsePath(path); err != nil {
		return fmt.Sprintf("%s: %s", show(ref), err)
	}
	return ""
}

// meant ends a sentence about an unknown name with the one that is nearest.
func meant(name string, known []string) string {
	if near := feature.Nearest(name, known); near != "" {
		return ": did you mean " + near + "?"
	}
	return ""
}

func viewNames(defs *feature.Definitions) []string {
	names := make([]string, len(defs.Views))
	for i := range defs.Views {
		names[i] = defs.Views[i].Name
	}
	return names
}

func featureNames(v *feature.View) []string {
	names := make([]string, len(v.Features))
	for i := range v.Features {
		names[i] = v.Features[i].Name
	}
	return names
}

func computedNames(v *feature.View) []string {
	names := make([]string, len(v.Computed))
	for i := range v.Computed {
		names[i] = v.Computed[i].Name
	}
	return names
}

var topicPattern = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)

func validateSource(v *feature.View, key string, found *Problems) {
	s := &v.Source
	switch {
	case s.Topic == "":
	case !topicPattern.MatchString(s.Topic) || s.Topic == "." || s.Topic == "..":
		found.add("", 0, key+".topic", "%s: a topic has 1 to 249 letters, digits, dots, _ and -", show(s.Topic))
	case s.Topic == profilesTopic || s.Topic == deadTopic:
		found.add("", 0, key+".topic", "%s is Sluice's own: name another topic, or leave it out for %s", s.Topic, DefaultTopic)
	}
	if s.Format != formatJSON {
		found.add("", 0, key+".format", "%s: the formats that exist are: json", show(s.Format))
	}
	if s.EventTime == "" || len(s.EventTime) > maxText {
		found.add("", 0, key+".event_time", "%s: want the name of a column", show(s.EventTime))
	}
	known := featureNames(v)
	for _, e := range v.Entities {
		known = append(known, e.Name)
	}
	for _, name := range sorted(s.Map) {
		at := join(key+".map", name)
		if !slices.Contains(known, name) {
			found.add("", 0, at, "%s is neither a join key nor a feature of the view%s", show(name), meant(name, known))
		}
		if column := s.Map[name]; column == "" || len(column) > maxText {
			found.add("", 0, at, "%s: want the name of a column", show(column))
		}
	}
}
