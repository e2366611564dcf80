package definition

import (
	"slices"

	"go.yaml.in/yaml/v3"

	"sluice/feature"
)

// Limits of a calendar.
const (
	maxOccasions = 1000
	maxDays      = 1000 // of one occasion
)

// calendar reads the declared times of a project or a view.
func (d *decoder) calendar(into *[]feature.Occasion) setter {
	return d.list(func(n *yaml.Node, key string) {
		var o feature.Occasion
		d.mapping(n, key, map[string]setter{"name": d.text(&o.Name), "days": d.texts(&o.Days), "from": d.text(&o.From), "to": d.text(&o.To)})
		*into = append(*into, o)
	})
}

// ownOccasions are those that a view declares itself.
func ownOccasions(all []feature.Occasion) []feature.Occasion {
	return slices.DeleteFunc(slices.Clone(all), func(o feature.Occasion) bool { return o.Project })
}

func validateCalendar(all []feature.Occasion, key string, found *Problems) {
	if len(all) > maxOccasions {
		found.add("", 0, key, "%d occasions, and at most %d are kept", len(all), maxOccasions)
		return
	}
	seen := map[string]bool{}
	for i := range all {
		o := &all[i]
		if o.Name == "" {
			found.add("", 0, key, "an occasion has no name: %s", nameRule)
			continue
		}
		at := join(key, o.Name)
		validateName(o.Name, at, found)
		twice(seen, o.Name, at, found)
		switch {
		case (o.From == "") != (o.To == ""):
			found.add("", 0, at, "only one of from and to: give both, or days")
		case o.From == "" && len(o.Days) == 0:
			found.add("", 0, at, "says no time: give days: [YYYY-MM-DD], or from and to")
		case len(o.Days) > maxDays:
			found.add("", 0, at+".days", "%d days, and at most %d are kept: use from and to", len(o.Days), maxDays)
		default:
			if _, err := o.Spans(); err != nil {
				found.add("", 0, at, "%v", err)
			}
		}
	}
}
