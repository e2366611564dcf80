package definition

import (
	"slices"
	"strings"
	"time"

	"sluice/feature"
)

// MinWindow is the shortest window.
const MinWindow = time.Second

var complianceLevels = []string{"PUBLIC", "INTERNAL", "CONFIDENTIAL", "RESTRICTED"}

// reserved are columns of flat records that are no features.
var reserved = []string{"op", "event_id"}

func validateView(v *feature.View, key string, found *Problems) {
	validateName(v.Name, key, found)
	validateKeys(v, key+".entities", found)
	validateFeatures(v, key+".features", found)
	validateSlices(v, key+".slices", found)
	validateExpectations(v, key+".expect", found)
	validateQuality(v, key, found)
	validateComputed(v, key, found)
	for name, text := range map[string]string{"owner": v.Owner, "description": v.Description} {
		if len(text) > maxText {
			found.add("", 0, join(key, name), "%d bytes, and at most %d are kept", len(text), maxText)
		}
	}
	if v.Compliance != "" && !slices.Contains(complianceLevels, v.Compliance) {
		found.add("", 0, key+".compliance", "%s: want PUBLIC, INTERNAL, CONFIDENTIAL or RESTRICTED", show(v.Compliance))
	}
	for _, tag := range sorted(v.Tags) {
		at := join(key+".tags", tag)
		validateName(tag, at, found)
		if len(v.Tags[tag]) > maxText {
			found.add("", 0, at, "%d bytes, and at most %d are kept", len(v.Tags[tag]), maxText)
		}
	}
	if v.Online != "" {
		validateName(v.Online, key+".online", found)
	}
	if v.Group != "" {
		validateName(v.Group, key+".group", found)
	}
	validateSource(v, key+".source", found)
	if v.TTL < 0 {
		found.add("", 0, key+".ttl", "%s is negative: want a duration, or 0 for rows that never expire", v.TTL)
	}
	validateWindow(&v.Window, key+".window", found)
	validatePublish(&v.Publish, key+".publish", found)
	validateBounds(v, key, found)
	validateFreshness(&v.Freshness, key+".freshness", found)
	validateBaseline(&v.Baseline, key+".baseline", found)
	validateCalendar(ownOccasions(v.Calendar), key+".calendar", found)
}

func validateKeys(v *feature.View, key string, found *Problems) {
	if len(v.Entities) == 0 {
		found.add("", 0, key, "empty: name at least one entity, whose key the rows have")
	}
	seen := map[string]bool{}
	for _, e := range v.Entities {
		at := join(key, e.Name)
		validateEntity(e, at, found)
		twice(seen, e.Name, at, found)
		if slices.Contains(reserved, e.Name) {
			found.add("", 0, at, "%s has a meaning of its own in records: choose another name", e.Name)
		}
	}
}

func validateFeatures(v *feature.View, key string, found *Problems) {
	switch {
	case len(v.Features) == 0:
		found.add("", 0, key, "empty: list at least one feature with name and type")
	case len(v.Features) > MaxFeatures:
		found.add("", 0, key, "%d features, and a view takes %d: split it", len(v.Features), MaxFeatures)
		return
	}
	seen := map[string]bool{}
	for i := range v.Features {
		f := &v.Features[i]
		at := join(key, f.Name)
		if f.Name == "" {
			found.add("", 0, key, "a feature has no name: %s", nameRule)
			continue
		}
		validateName(f.Name, at, found)
		twice(seen, f.Name, at, found)
		switch {
		case slices.Contains(reserved, f.Name):
			found.add("", 0, at, "%s has a meaning of its own in records: choose another name", f.Name)
		case slices.ContainsFunc(v.Entities, func(e feature.Entity) bool { return e.Name == f.Name }):
			found.add("", 0, at, "%s is a join key of the view: choose another name", f.Name)
		case !f.Type.Valid():
			found.add("", 0, at+".type", "missing: give a type such as float64 or string")
		}
		if !(f.Importance >= 0 && f.Importance <= feature.MaxImportance) {
			found.add("", 0, at+".importance", "%v: want a number above 0 and at most %d", f.Importance, feature.MaxImportance)
		}
		if f.TTL < 0 {
			found.add("", 0, at+".ttl", "%s is negative: want a duration, or leave it out for that of the view", f.TTL)
		}
		validateDefault(f, at+".default", found)
		validateNotFinite(f, at+".not_finite", found)
		validateExpect(f, at+".expect", found)
	}
}

// validateNotFinite wants one of the policies, of a feature that may need one.
func validateNotFinite(f *feature.Feature, key string, found *Problems) {
	switch {
	case f.NotFinite == "":
	case !slices.Contains(feature.NotFinitePolicies, f.NotFinite):
		found.add("", 0, key, "%s: want %s: what becomes of NaN, Infinity and -Infinity%s", show(f.NotFinite), strings.Join(feature.NotFinitePolicies, ", "), meant(f.NotFinite, feature.NotFinitePolicies))
	case f.Type.Valid() && !f.Type.Elem().Float():
		found.add("", 0, key, "a %s is always finite: leave it out", f.Type)
	}
}

// validateSlices wants columns whose values tell rows apart: not many of them, each once.
func validateSlices(v *feature.View, key string, found *Problems) {
	if len(v.Slices) > feature.MaxSlices {
		found.add("", 0, key, "%d slices, and a view takes %d: every value of each is counted apart", len(v.Slices), feature.MaxSlices)
		return
	}
	seen := map[string]bool{}
	for _, name := range v.Slices {
		at := join(key, name)
		twice(seen, name, at, found)
		var t feature.Type
		if i := v.FeatureAt(name); i >= 0 {
			t = v.Features[i].Type
		} else if i := slices.IndexFunc(v.Entities, func(e feature.Entity) bool { return e.Name == name }); i >= 0 {
			t = v.Entities[i].Type
		} else {
			found.add("", 0, at, "%s is neither a join key nor a feature of the view", show(name))
			continue
		}
		switch t {
		case feature.String, feature.Bool, feature.Int32, feature.Int64, 0: // 0: reported elsewhere
		default:
			found.add("", 0, at, "type %s: a slice is a string, bool, int32 or int64, whose values tell rows apart", t)
		}
	}
}

func validateWindow(w *feature.WindowSpec, key string, found *Problems) {
	if w.Size < MinWindow {
		found.add("", 0, key+".size", "%s: want at least %s", w.Size, MinWindow)
	}
	if w.Lateness < 0 {
		found.add("", 0, key+".lateness", "%s is negative: want 0 or more", w.Lateness)
	}
	if w.Idle <= 0 {
		found.add("", 0, key+".idle", "%s: want a positive duration", w.Idle)
	}
}

func validatePublish(p *feature.Publish, key string, found *Problems) {
	if p.Mode != feature.Gated && p.Mode != feature.Optimistic {
		found.add("", 0, key+".mode", "%s: want gated or optimistic", show(string(p.Mode)))
	}
	if p.ProbationWindows < 1 {
		found.add("", 0, key+".probation.windows", "%d: want 1 to %d", p.ProbationWindows, feature.MaxVisible-1)
	}
	if p.ProbationFail < 1 || p.ProbationFail > max(p.ProbationWindows, 1) {
		found.add("", 0, key+".probation.fail", "%d: want 1 to probation.windows, which is %d", p.ProbationFail, p.ProbationWindows)
	}
	if p.Hold < 1 {
		found.add("", 0, key+".hold", "%d: want 1 to %d", p.Hold, feature.MaxVisible-1)
	}
	if p.MaxRollbacksPerHour < 0 {
		found.add("", 0, key+".max_rollbacks_per_hour", "%d: want 0 or more", p.MaxRollbacksPerHour)
	}
	if !slices.Contains([]string{"serve", "freeze", "refuse"}, p.OnStaleRollback) {
		found.add("", 0, key+".on_stale_rollback", "%s: want serve, freeze or refuse", show(p.OnStaleRollback))
	}
}

// validateFreshness wants rising levels; a level that is 0 is left out.
func validateFreshness(f *feature.Freshness, key string, found *Problems) {
	var last time.Duration
	lastName := ""
	for _, level := range []struct {
		name string
		age  time.Duration
	}{{"warn", f.Warn}, {"page", f.Page}, {"critical", f.Critical}} {
		at := join(key, level.name)
		switch {
		case level.age < 0:
			found.add("", 0, at, "%s is negative: want a duration, or 0 for never", level.age)
		case level.age == 0:
		case level.age < last:
			found.add("", 0, at, "%s is below %s, which is %s: want warn <= page <= critical", FormatDuration(level.age), lastName, FormatDuration(last))
		default:
			last, lastName = level.age, level.name
		}
	}
}

// minBaseline is how many windows a calibrated verdict needs before it may block.
const minBaseline = 8

func validateBaseline(b *feature.Baseline, key string, found *Problems) {
	switch b.From {
	case "trailing", "pinned", "dataset":
	default:
		found.add("", 0, key+".from", "%s: want trailing, pinned or dataset", show(b.From))
		return
	}
	if b.Windows < minBaseline && b.From == "trailing" {
		found.add("", 0, key+".windows", "%d: a window is judged against at least %d", b.Windows, minBaseline)
	}
	if (b.From == "dataset") != (b.Dataset != "") {
		found.add("", 0, key+".dataset", "%s with from: %s: `from: dataset` takes a dataset, and nothing else does", show(b.Dataset), b.From)
	}
	if b.Version != 0 && b.From != "pinned" {
		found.add("", 0, key+".version", "%d with from: %s: only `from: pinned` takes a version", b.Version, b.From)
	}
	for _, season := range b.Season {
		if season != "hour_of_day" && season != "day_of_week" {
			found.add("", 0, key+".season", "%s: want hour_of_day or day_of_week", show(season))
		}
	}
}
