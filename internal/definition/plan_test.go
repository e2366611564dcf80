package definition

import (
	"encoding/json"
	"strings"
	"testing"

	"sluice/feature"
)

func parse(t *testing.T, text string) feature.Definitions {
	t.Helper()
	defs, err := Parse([]File{{"a.yaml", text}})
	if err != nil {
		t.Fatal(err)
	}
	return defs
}

func TestPlan(t *testing.T) {
	old := read(t, "flights.yaml")
	edit := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(old) }
	for name, tc := range map[string]struct{ old, next, want string }{
		"nothing": {old, old, `[]`},
		"first apply": {"{}", old, `[{"op":"change","kind":"project","name":"flights","fields":["project"],"breaking":true,"affects":[]},` +
			`{"op":"add","kind":"entity","name":"carrier","fields":[],"breaking":false,"affects":[]},` +
			`{"op":"add","kind":"view","name":"carrier_delays","fields":[],"breaking":false,"affects":["delay_model"]},` +
			`{"op":"add","kind":"service","name":"delay_model","fields":[],"breaking":false,"affects":["delay_model"]}]`},
		"view goes": {old, "project: flights\nentities: [carrier]", `[{"op":"remove","kind":"view","name":"carrier_delays","fields":[],"breaking":true,"affects":["delay_model"]},` +
			`{"op":"remove","kind":"service","name":"delay_model","fields":[],"breaking":true,"affects":["delay_model"]}]`},
		"type changes": {old, edit("type: float64", "type: float32"), `[{"op":"change","kind":"view","name":"carrier_delays","fields":["features.dep_delay.type"],"breaking":true,"affects":["delay_model"]}]`},
		"feature nobody reads goes": {edit(`, "carrier_delays:origin"`, ""), edit(`, "carrier_delays:origin"`, "", "      - {name: origin, type: string, expect: {in: [EWR, JFK, LGA]}}\n", ""),
			`[{"op":"change","kind":"view","name":"carrier_delays","fields":["features.origin"],"breaking":true,"affects":[]}]`},
		"expectation and window":         {old, edit("max: 2000", "max: 3000", "lateness: 30s", "lateness: 1m"), `[{"op":"change","kind":"view","name":"carrier_delays","fields":["features.dep_delay.expect","window.lateness"],"breaking":false,"affects":["delay_model"]}]`},
		"window size":                    {old, edit("size: 5m", "size: 10m"), `[{"op":"change","kind":"view","name":"carrier_delays","fields":["window.size"],"breaking":true,"affects":["delay_model"]}]`},
		"service, priority":              {old, edit(`{name: delay_model`, `{priority: critical, name: delay_model`), `[{"op":"change","kind":"service","name":"delay_model","fields":["priority"],"breaking":false,"affects":["delay_model"]}]`},
		"service shrinks":                {old, edit(`, "carrier_delays:origin"`, ""), `[{"op":"change","kind":"service","name":"delay_model","fields":["features"],"breaking":true,"affects":["delay_model"]}]`},
		"how long a value counts":        {old, edit("ttl: 6h", "ttl: 7h"), `[{"op":"change","kind":"view","name":"carrier_delays","fields":["features.dep_delay.ttl"],"breaking":false,"affects":["delay_model"]}]`},
		"importance":                     {old, edit("importance: 2.5", "importance: 3"), `[{"op":"change","kind":"view","name":"carrier_delays","fields":["features.dep_delay.importance"],"breaking":false,"affects":["delay_model"]}]`},
		"importance of 1 is that of all": {edit("importance: 2.5, ", ""), edit("importance: 2.5", "importance: 1"), `[]`},
		"what is not finite":             {old, edit("importance: 2.5", "not_finite: null, importance: 2.5"), `[{"op":"change","kind":"view","name":"carrier_delays","fields":["features.dep_delay.not_finite"],"breaking":false,"affects":["delay_model"]}]`},
		"pass is what all do":            {old, edit("importance: 2.5", "not_finite: pass, importance: 2.5"), `[]`},
		"slices":                         {old, edit("slices: [carrier]", "slices: [origin, carrier]"), `[{"op":"change","kind":"view","name":"carrier_delays","fields":["slices"],"breaking":false,"affects":["delay_model"]}]`},
		"tag":                            {old, edit("tier: critical", "tier: low"), `[{"op":"change","kind":"view","name":"carrier_delays","fields":["tags"],"breaking":false,"affects":["delay_model"]}]`},
	} {
		t.Run(name, func(t *testing.T) {
			next := parse(t, tc.next)
			plan := Plan(parse(t, tc.old), next)
			got, err := json.Marshal(plan.Changes)
			if err != nil || string(got) != tc.want {
				t.Errorf("Plan = %s (%v)\nwant %s", got, err, tc.want)
			}
			if len(plan.Digest) != 32 || plan.Digest != Digest(next) {
				t.Errorf("Plan digest %q, want %q", plan.Digest, Digest(next))
			}
		})
	}
}

func TestPlanOfNothing(t *testing.T) {
	plan := Plan(feature.Definitions{}, feature.Definitions{Project: "p", Rules: "rules: []"})
	got, _ := json.Marshal(plan.Changes)
	if want := `[{"op":"add","kind":"rules","name":"rules","fields":[],"breaking":false,"affects":[]}]`; string(got) != want {
		t.Errorf("Plan from nothing = %s, want %s", got, want)
	}
}

func TestDigest(t *testing.T) {
	first := parse(t, read(t, "flights.yaml"))
	second := parse(t, read(t, "flights.yaml"))
	second.Views[0].ID, second.Views[0].Features[0].ID = 7, 9
	if Digest(first) != Digest(second) {
		t.Error("Digest differs by ids")
	}
	if first.Views[0].ID != 0 || second.Views[0].Features[0].ID != 9 {
		t.Error("Digest changed its argument")
	}
	second.Views[0].TTL++
	if Digest(first) == Digest(second) {
		t.Error("Digest does not see another ttl")
	}
}
