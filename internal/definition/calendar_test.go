package definition

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sluice/feature"
)

const calendarYAML = `
project: shop
calendar:
  - {name: black_friday, days: ["2026-11-27", "2027-11-26"]}
entities: [user]
views:
  - name: v
    entities: [user]
    features: [{name: amount, type: float64}]
    calendar:
      - {name: migration, from: "2026-12-01T08:00:00+01:00", to: "2026-12-01T09:00:00Z"}
      - {name: holidays, from: "2026-12-24", to: "2026-12-26"}
`

// TestCalendar reads the occasions of a project and a view, and its JSON form again.
func TestCalendar(t *testing.T) {
	defs, err := Parse([]File{{Name: "a.yaml", Text: calendarYAML}})
	if err != nil {
		t.Fatal(err)
	}
	view := defs.View("v")
	for _, tc := range []struct{ start, want string }{
		{"2026-11-26T23:00:00Z", ""}, {"2026-11-27T00:00:00Z", "black_friday"}, {"2027-11-26T23:59:00Z", "black_friday"},
		{"2026-12-01T06:59:00Z", "migration"}, {"2026-12-01T09:00:00Z", ""}, {"2026-12-26T23:00:00Z", "holidays"}, {"2026-12-27T00:00:00Z", ""},
	} {
		var w feature.Window
		if err := json.Unmarshal(fmt.Appendf(nil, `{"start":%q,"end":%q}`, tc.start, tc.start), &w); err != nil {
			t.Fatal(err)
		}
		w.End = w.Start.Add(view.Window.Size)
		if got := view.Occasion(w); got != tc.want {
			t.Errorf("occasion of %s is %q, want %q", tc.start, got, tc.want)
		}
	}
	text, err := json.Marshal(FormOf(&defs))
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse([]File{{Name: "a.yaml", Text: string(text)}})
	if err != nil || !reflect.DeepEqual(again, defs) {
		t.Errorf("the form reads back as %+v, %v, want %+v", again, err, defs)
	}
	without := strings.Replace(calendarYAML, `, "2027-11-26"`, "", 1)
	old, err := Parse([]File{{Name: "a.yaml", Text: without}})
	if err != nil {
		t.Fatal(err)
	}
	if plan := Plan(old, defs); len(plan.Changes) != 1 || !slices.Equal(plan.Changes[0].Fields, []string{"calendar"}) || plan.Changes[0].Breaking {
		t.Errorf("plan of one more day: %+v, want the view's calendar", plan.Changes)
	}
}

func TestCalendarProblems(t *testing.T) {
	for text, want := range map[string]string{
		`{days: ["2026-11-27"]}`:                                           "has no name",
		`{name: x}`:                                                        "says no time",
		`{name: x, days: ["27.11.2026"]}`:                                  `"27.11.2026" is no day`,
		`{name: x, from: "2026-11-27"}`:                                    "only one of from and to",
		`{name: x, from: "2026-11-27", to: "2026-11-26"}`:                  "is not before",
		`{name: x, from: "2026-11-27", to: soon}`:                          "neither a day",
		`{name: x, days: ["2026-11-27"], until: "2026-11-28"}`:             "unknown key",
		`{name: x, days: ["2026-11-27"]}, {name: x, days: ["2026-11-28"]}`: "declared twice",
	} {
		_, err := Parse([]File{{Name: "a.yaml", Text: strings.Replace(calendarYAML, `{name: black_friday, days: ["2026-11-27", "2027-11-26"]}`, strings.ReplaceAll(text, "}, {", "}\n  - {"), 1)}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
