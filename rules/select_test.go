package rules

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"sluice/feature"
)

var (
	cards = &feature.View{Name: "cards", Owner: "risk-team", Tags: map[string]string{"tier": "critical", "line": "retail"},
		Features: []feature.Feature{{Name: "amount", Type: feature.Float64}, {Name: "fee", Type: feature.Float32}, {Name: "country", Type: feature.String}}}
	loans = &feature.View{Name: "loans", Owner: "credit", Tags: map[string]string{"tier": "standard"},
		Features: []feature.Feature{{Name: "amount", Type: feature.Float64}, {Name: "tags", Type: feature.ListOf(feature.Float64)}}}
)

func TestSelect(t *testing.T) {
	for name, tc := range map[string]struct {
		rule  string
		cards string // features selected
		loans string
	}{
		"all":                   {"", "amount fee country", "amount tags"},
		"a type":                {"type: float64", "amount", "amount"},
		"types":                 {`type: "*float*"`, "amount fee", "amount tags"},
		"lists":                 {`type: "list<*>"`, "", "tags"},
		"a tag":                 {"tags: {tier: critical}", "amount fee country", ""},
		"a tag, any value":      {`tags: {tier: "*"}`, "amount fee country", "amount tags"},
		"two tags, both needed": {`tags: {tier: "*", line: retail}`, "amount fee country", ""},
		"tags that none has":    {"tags: {tier: standard, line: retail}", "", ""},
		"an owner":              {"owner: risk-team", "amount fee country", ""},
		"owners":                {`owner: "*t*"`, "amount fee country", "amount tags"},
		"all together":          {`view: c*, owner: "risk-*", tags: {tier: critical}, feature: "*e*", type: "float*"`, "fee", ""},
		"another owner's view":  {"view: loans, owner: risk-team", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := parseOne(t, "method: psi, threshold: 1, "+tc.rule)
			for _, of := range []struct {
				view *feature.View
				want string
			}{{cards, tc.cards}, {loans, tc.loans}} {
				if got := strings.Join(r.Features(of.view), " "); got != of.want {
					t.Errorf("Features(%s) of {%s} = %q, want %q", of.view.Name, tc.rule, got, of.want)
				}
				if got := r.Applies(of.view); got != (of.want != "") {
					t.Errorf("Applies(%s) of {%s} = %v with features %q", of.view.Name, tc.rule, got, of.want)
				}
			}
		})
	}
}

func parseOne(t *testing.T, keys string) *Rule {
	t.Helper()
	list, err := Parse("rules: [{name: one, " + strings.TrimSuffix(keys, ", ") + "}]")
	if err != nil {
		t.Fatal(err)
	}
	return &list[0]
}

// A type has no view as a whole: what is said of it is left to the other rules.
func TestTypeLeavesTheViewAsAWhole(t *testing.T) {
	list := append([]Rule{*parseOne(t, "method: calibrated, type: float64, mode: warn")}, Default()...)
	for want, s := range map[string]feature.Score{
		"one":   {Method: Calibrated, Feature: "amount"},
		"drift": {Method: Calibrated, Short: "few"},
	} {
		if got := inForce(list, cards, &s); len(got) != 1 || got[0].Name != want {
			t.Errorf("in force for %+v: %v, want %s alone", s, got, want)
		}
	}
	if got := inForce(list, cards, &feature.Score{Method: Calibrated, Feature: "country"}); len(got) != 1 || got[0].Name != "drift" {
		t.Errorf("in force for a text: %v, want the default", got)
	}
}

// TestPrecedence writes rules from the farthest to the closest: each judges in place of all
// that are written before it, wherever it stands in the file.
func TestPrecedence(t *testing.T) {
	order := []string{
		`feature: "*"`,
		"type: float64",
		"feature: amount",
		"feature: amount, type: float64",
		"owner: risk-team",
		"owner: risk-team, feature: amount",
		"owner: risk-team, tags: {tier: critical}",
		"tags: {tier: critical, line: retail}, owner: risk-team",
		"view: cards",
		"view: cards, type: float64",
		"view: cards, feature: amount",
		"view: cards, feature: amount, tags: {tier: critical}",
	}
	s := &feature.Score{Method: PSI, Feature: "amount"}
	for i := range order {
		for k := range i {
			far, close := *parseOne(t, "method: psi, threshold: 1, "+order[k]), *parseOne(t, "method: psi, threshold: 1, "+order[i])
			far.Name, close.Name = "far", "close"
			for _, list := range [][]Rule{{far, close}, {close, far}} {
				if got := inForce(list, cards, s); len(got) != 1 || got[0].Name != "close" {
					t.Errorf("{%s} against {%s}: %d in force, first %s, want the latter", order[k], order[i], len(got), got[0].Name)
				}
			}
			if by := Overruled([]Rule{far, close}, &far, cards)["amount"]; !reflect.DeepEqual(by, []string{"close"}) {
				t.Errorf("Overruled({%s}) beside {%s} = %v", order[k], order[i], by)
			}
		}
	}
	// Equally close rules both judge.
	both := []Rule{*parseOne(t, "method: psi, threshold: 1, tags: {tier: critical}"), *parseOne(t, "method: psi, threshold: 2, owner: risk-team")}
	if got := inForce(both, cards, s); len(got) != 2 || len(Overruled(both, &both[0], cards)) != 0 {
		t.Errorf("of two equally close, %d are in force", len(got))
	}
}

func TestIdle(t *testing.T) {
	views := []feature.View{*cards, *loans}
	for name, tc := range map[string]struct{ rules, want string }{
		"all are used":      {"[{name: a, method: psi, threshold: 1, type: float64}, {name: b, method: volume, tags: {tier: critical}}]", ""},
		"no such pair":      {"[{name: a, method: psi, threshold: 1, tags: {line: retail}, owner: credit}]", "rule a selects nothing: no view has all of view: *, tag line: retail, owner: credit, feature: *"},
		"no such type":      {"[{name: a, method: psi, threshold: 1, type: bytes}]", "rule a selects nothing: no view has all of view: *, feature: *, type: bytes"},
		"rows of a feature": {"[{name: a, method: volume, feature: amount}]", "rule a selects nothing: no view has all of view: *, feature: amount, scores of method volume, which are of a view as a whole"},
		"overruled":         {"[{name: a, method: psi, threshold: 1, owner: credit}, {name: b, method: psi, threshold: 2, view: loans, mode: warn}]", "rule a judges nothing: all that it selects is judged by closer rules: b"},
		"partly overruled":  {"[{name: a, method: psi, threshold: 1, owner: credit}, {name: b, method: psi, threshold: 2, view: loans, type: float64}]", ""},
	} {
		t.Run(name, func(t *testing.T) {
			list, err := Parse("rules: " + tc.rules)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(Idle(list, views), "\n"); got != tc.want {
				t.Errorf("Idle = %q\nwant %q", got, tc.want)
			}
		})
	}
}

func TestSelectorsRefused(t *testing.T) {
	for name, tc := range map[string]struct{ keys, want string }{
		"no type":          {"type: flaot64, method: psi, threshold: 1", `type: "flaot64" is no type of a feature: did you mean float64?`},
		"type of the view": {"type: float64, method: volume", "type: method volume is about a view as a whole"},
		"empty owner":      {`owner: "", method: psi, threshold: 1`, "owner: empty"},
		"owner of none":    {"owner: 3, method: psi, threshold: 1", `owner: "3" is not a text`},
		"tags as a list":   {"tags: [a], method: psi, threshold: 1", "tags: want keys and values"},
		"empty tag":        {`tags: {tier: ""}, method: psi, threshold: 1`, `tags: "tier": "" is empty`},
		"a tag twice":      {`tags: {tier: a, tier: b}, method: psi, threshold: 1`, `tags: key "tier" twice`},
		"a number":         {`tags: {tier: 1}, method: psi, threshold: 1`, `tags.tier: "1" is not a text`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("rules: [{name: one, " + tc.keys + "}]")
			if !errors.Is(err, ErrRules) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Parse = %v, want %s", err, tc.want)
			}
		})
	}
}

// A default holds on where a rule of its method selects but a part.
func TestSelectorLeavesDefaults(t *testing.T) {
	list, err := Parse("rules: [{name: floats, method: calibrated, type: float64, mode: observe}]")
	if err != nil {
		t.Fatal(err)
	}
	got := inForce(list, cards, &feature.Score{Method: Calibrated, Feature: "country"})
	if len(got) != 1 || !got[0].Default {
		t.Errorf("in force for a text: %v, want the default drift", got)
	}
}
