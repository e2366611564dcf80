package flights_test

import (
	"io/fs"
	"slices"
	"testing"
	"time"

	"sluice/feature"
	"sluice/internal/definition"
	"sluice/internal/flights"
)

// definitions parses the embedded files as apply does.
func definitions(t *testing.T) feature.Definitions {
	t.Helper()
	names, err := fs.Glob(flights.Definitions, "features/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var files []definition.File
	for _, name := range names {
		text, err := flights.Definitions.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, definition.File{Name: name, Text: string(text)})
	}
	defs, err := definition.Parse(files)
	if err != nil {
		t.Fatal(err)
	}
	return defs
}

func TestDefinitions(t *testing.T) {
	defs := definitions(t)
	if defs.Project != "flights" || len(defs.Views) != 4 || defs.Service("delay_model") == nil || defs.Rules == "" {
		t.Fatalf("project %q with %d views, rules of %d bytes", defs.Project, len(defs.Views), len(defs.Rules))
	}
	modes := map[string]feature.Mode{
		"carrier_delays": feature.Gated, "origin_traffic": feature.Gated, "aircraft_trips": feature.Gated, "route_live": feature.Optimistic,
	}
	for _, v := range defs.Views {
		if v.Publish.Mode != modes[v.Name] || v.Window.Size != 24*time.Hour || v.Publish.ProbationWindows != 3 || v.Publish.Hold != 3 {
			t.Errorf("view %s is %s with windows of %s", v.Name, v.Publish.Mode, v.Window.Size)
		}
		if topic := v.Source.Topic; (topic == flights.TopicLive) != (v.Publish.Mode == feature.Optimistic) {
			t.Errorf("view %s reads %s", v.Name, topic)
		}
		if key := flights.KeyOf(v.Name, &flights.Row{}); len(key) != len(v.Entities) {
			t.Errorf("view %s has %d join keys, KeyOf gives %d", v.Name, len(v.Entities), len(key))
		}
	}
	for _, p := range flights.Plants() {
		for _, v := range defs.Views {
			reads := v.Source.Topic == p.Topic && v.FeatureAt(p.Feature) >= 0
			if reads != slices.Contains(p.Touches, v.Name) {
				t.Errorf("%s touches %v, but that %s reads %s is %t", p.Name, p.Touches, v.Name, p.Feature, reads)
			}
		}
	}
}

// TestPlantsKeepExpectations shows that min and max do not catch what the
// detectors are there for.
func TestPlantsKeepExpectations(t *testing.T) {
	y, defs := load(t), definitions(t)
	for _, p := range flights.Plants() {
		expect := defs.View(p.View).Features[defs.View(p.View).FeatureAt(p.Feature)].Expect
		for _, r := range y.Topic(p.Topic, p.Day) {
			value := map[string]float64{"dep_delay": r.DepDelay, "air_time": r.AirTime, "distance": r.Distance}[p.Feature]
			if expect.Min != nil && value < *expect.Min || expect.Max != nil && value > *expect.Max || expect.Expr != "" {
				t.Fatalf("%s: %v breaks %+v", p.Name, value, expect)
			}
		}
		if p.Feature == "air_time" && expect.Nulls != nil {
			t.Errorf("%s: the expectation of %v nulls catches it", p.Name, *expect.Nulls)
		}
	}
}
