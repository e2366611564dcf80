package definition

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"sluice/feature"
)

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func number(v float64) *float64 { return &v }

func TestParseFull(t *testing.T) {
	got, err := Parse([]File{{"flights.yaml", read(t, "flights.yaml")}})
	if err != nil {
		t.Fatal(err)
	}
	carrier := feature.Entity{Name: "carrier", Type: feature.String}
	want := feature.Definitions{
		Project:  "flights",
		Entities: []feature.Entity{carrier},
		Views: []feature.View{{
			Project: "flights", Name: "carrier_delays", Entities: []feature.Entity{carrier},
			Owner: "ops@example.com", Description: "Delay at departure, per carrier", Compliance: "INTERNAL",
			Tags:   map[string]string{"tier": "critical"},
			Source: feature.Source{Topic: "flights", Format: "json", EventTime: "event_time", Map: map[string]string{"dep_delay": "delay"}},
			TTL:    24 * time.Hour,
			Features: []feature.Feature{
				{Name: "dep_delay", Type: feature.Float64, Unit: "minutes", Expect: feature.Expect{Min: number(-120), Max: number(2000), Nulls: number(.05)}, TTL: 6 * time.Hour, Importance: 2.5},
				{Name: "origin", Type: feature.String, Expect: feature.Expect{In: []string{"EWR", "JFK", "LGA"}}},
			},
			Slices:    []string{"carrier"},
			Window:    feature.WindowSpec{Size: 5 * time.Minute, Lateness: 30 * time.Second, Idle: time.Minute},
			Publish:   feature.Publish{Mode: feature.Gated, ProbationWindows: 3, ProbationFail: 2, Hold: 3, MaxRollbacksPerHour: 3, OnStaleRollback: "serve"},
			Freshness: feature.Freshness{Warn: 30 * time.Minute, Page: time.Hour, Critical: 2 * time.Hour},
			Baseline:  feature.Baseline{From: "trailing", Windows: 2016, Season: []string{"hour_of_day", "day_of_week"}},
		}},
		Services: []feature.Service{{Name: "delay_model", Features: []string{"carrier_delays:dep_delay", "carrier_delays:origin"}}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Parse(flights.yaml) = %+v, want %+v", got, want)
	}
}

func TestParseDefaults(t *testing.T) {
	got, err := Parse([]File{{"a.yaml", "views: [{name: v, entities: [user], features: [{name: x, type: int64}]}]"}})
	if err != nil {
		t.Fatal(err)
	}
	want := NewView()
	want.Name, want.Project = "v", "default"
	want.Entities = []feature.Entity{{Name: "user", Type: feature.String}}
	want.Features = []feature.Feature{{Name: "x", Type: feature.Int64}}
	want.Window.Lateness = 30 * time.Second
	if !reflect.DeepEqual(got.Views[0], want) {
		t.Errorf("Parse of a view with three keys = %+v, want %+v", got.Views[0], want)
	}
	if !reflect.DeepEqual(got.Entities, want.Entities) || got.Project != "default" {
		t.Errorf("Parse of a view with three keys: project %q, entities %v", got.Project, got.Entities)
	}
}

func TestParseMerges(t *testing.T) {
	files := []File{
		{"features/b.yaml", "views: [{name: two, entities: [user], features: [{name: x, type: bool}]}]"},
		{"features/a.yaml", "project: p\nentities: [{name: user, type: int64}]\nrules: rules.yaml\n---\nservices: [{name: s, features: ['two:x']}]"},
		{"features/rules.yaml", "rules: []\n"},
		{"features/json.yml", `{"views":[{"name":"three","entities":[{"name":"card","type":"int32"}],"features":[{"name":"x","type":"list<int64>"}]}]}`},
	}
	got, err := Parse(files)
	if err != nil {
		t.Fatal(err)
	}
	if got.Project != "p" || got.Rules != "rules: []\n" || len(got.Views) != 2 || len(got.Services) != 1 {
		t.Errorf("Parse = %+v, want project p, two views, one service, the rules", got)
	}
	if e := got.View("two").Entities[0]; e.Type != feature.Int64 {
		t.Errorf("join key user has type %s, want the project's int64", e.Type)
	}
}

// lateness is the default of each size and mode.
func TestParseLateness(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		want time.Duration
	}{
		"five minutes":         {"window: {size: 5m}", 30 * time.Second},
		"ten seconds":          {"window: {size: 10s}", 30 * time.Second},
		"one second":           {"window: {size: 1s}", 3 * time.Second},
		"zero is given":        {"window: {size: 1s, lateness: 0s}", 0},
		"optimistic":           {"publish: {mode: optimistic}", 30 * time.Second},
		"optimistic and short": {"window: {size: 2s}, publish: {mode: optimistic}", time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Parse([]File{{"a.yaml", "views: [{name: v, entities: [u], features: [{name: x, type: bool}], " + tc.text + "}]"}})
			if err != nil || got.Views[0].Window.Lateness != tc.want {
				t.Errorf("Parse(%s) has lateness %s (%v), want %s", tc.text, got.Views[0].Window.Lateness, err, tc.want)
			}
		})
	}
}

func TestReadDir(t *testing.T) {
	dir := t.TempDir()
	sub := filepath.Join(dir, "features")
	if err := os.Mkdir(sub, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"features/a.yaml":    "rules: ../rules.yaml\nviews: [{name: v, entities: [u], features: [{name: x, type: bool}]}]",
		"features/notes.txt": "not read",
		"rules.yaml":         "rules: []",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Load(sub)
	if err != nil || got.Rules != "rules: []" || len(got.Views) != 1 {
		t.Errorf("Load(folder) = %+v, %v, want a view and the rules", got, err)
	}
	if got, err = Load(filepath.Join(sub, "a.yaml")); err != nil || len(got.Views) != 1 {
		t.Errorf("Load(file) = %+v, %v, want a view", got, err)
	}
	if _, err := Load(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Load(none) = %v, want ErrNotExist", err)
	}
	if _, err := ReadDir(t.TempDir()); err == nil || !strings.Contains(err.Error(), "no *.yaml file") {
		t.Errorf("ReadDir(empty folder) = %v, want one that says so", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"project: p\nviews: [{name: v, entities: [u], features: [{name: x, type: float64, expect: {min: 1, in: [2]}}]}]",
		"a: &a [*a]\nviews: &v [{name: v, entities: *v}]", "rules: rules.yaml", "{", "views: [[]]", "? [a]\n: b", "<<: {project: x}",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		first, err := Parse([]File{{"fuzz.yaml", text}, {"rules.yaml", ""}})
		if err != nil {
			var problems Problems
			if !errors.As(err, &problems) || len(problems) == 0 {
				t.Fatalf("Parse error %v is no Problems", err)
			}
			return
		}
		form, err := json.Marshal(FormOf(&first))
		if err != nil {
			t.Fatal(err)
		}
		second, err := Parse([]File{{"again.yaml", string(form)}})
		if err != nil || Digest(first) != Digest(second) || len(Plan(first, second).Changes) != 0 {
			t.Fatalf("round trip of %s gave %+v (%v), want %+v", form, second, err, first)
		}
	})
}
