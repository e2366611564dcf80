package definition

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sluice/feature"
)

// accounts is a view with computed features, and services that read them.
const accounts = `
views:
- name: accounts
  entities: [user]
  features:
  - {name: mean, type: float64}
  - {name: sd, type: float64}
  - {name: country, type: string}
  context: {amount: float64, merchant: string}
  computed:
  - {name: far, type: bool, expr: z > 3.0}
  - {name: z, type: float64, expr: (amount - mean) / sd, unit: deviations, description: How unusual it is}
  - {name: abroad, type: bool, expr: country != merchant}
services:
- {name: fraud, features: ["accounts:far", "accounts:mean"]}
- {name: travel, features: ["accounts:abroad"]}
`

func parseText(t *testing.T, text string) feature.Definitions {
	t.Helper()
	defs, err := Parse([]File{{Name: "a.yaml", Text: text}})
	if err != nil {
		t.Fatal(err)
	}
	return defs
}

func TestComputed(t *testing.T) {
	defs := parseText(t, accounts)
	v := defs.Views[0]
	if want := map[string]feature.Type{"amount": feature.Float64, "merchant": feature.String}; !reflect.DeepEqual(v.Context, want) {
		t.Errorf("context %v, want %v", v.Context, want)
	}
	if want := (feature.Computed{Name: "z", Type: feature.Float64, Expr: "(amount - mean) / sd", Unit: "deviations", Description: "How unusual it is", Reads: []string{"mean", "sd"}}); len(v.Computed) != 3 || !reflect.DeepEqual(v.Computed[1], want) {
		t.Errorf("computed %+v, want %+v second of three", v.Computed, want)
	}
	form, err := json.Marshal(FormOf(&defs))
	if err != nil {
		t.Fatal(err)
	}
	if again := parseText(t, string(form)); Digest(again) != Digest(defs) {
		t.Errorf("the form %s is read as other definitions", form)
	}
	plain := parseText(t, view(""))
	if text, _ := json.Marshal(plain.Views[0]); strings.Contains(string(text), "omputed") || strings.Contains(string(text), "ontext") {
		t.Errorf("a view without computed features is stored as %s: its digest would change", text)
	}
}

func TestComputedProblems(t *testing.T) {
	for name, tc := range map[string]struct{ old, next, want string }{
		"unknown name":          {"z > 3.0", "zz > 3.0", "a.yaml:11: views.accounts.computed.far.expr: column 1: undeclared reference to 'zz'"},
		"another type":          {"z > 3.0", "z", "a.yaml:11: views.accounts.computed.far.expr: gives double, and bool is declared"},
		"circle":                {"(amount - mean)", "double(size(string(far)))", "a.yaml:11: views.accounts.computed.far.expr: reads itself: far reads z reads far"},
		"no expression":         {"expr: z > 3.0", "expr: ''", "a.yaml:11: views.accounts.computed.far.expr: empty: give an expression"},
		"no type":               {"type: bool, expr: z", "expr: z", "a.yaml:11: views.accounts.computed.far.type: missing: give a type"},
		"json":                  {"name: far, type: bool", "name: far, type: json", "views.accounts.computed.far.type: a computed feature cannot be json"},
		"no name":               {"name: far, type", "type", "a.yaml:11: views.accounts.computed[0]: a computed feature has no name"},
		"name of a feature":     {"name: far", "name: mean", "a.yaml:11: views.accounts.computed.mean: mean is a feature of the view: choose another name"},
		"name of a join key":    {"name: far", "name: user", "views.accounts.computed.user: user is a join key of the view"},
		"name of context":       {"name: far", "name: amount", "views.accounts.computed.amount: amount is a value of requests of the view"},
		"twice":                 {"name: abroad", "name: far", "views.accounts.computed.far: far is another computed feature of the view"},
		"bad name":              {"name: far", "name: Far", `views.accounts.computed."Far": name "Far": want a lower-case letter`},
		"unknown key":           {"expr: z > 3.0", "expression: z > 3.0", "views.accounts.computed.far.expression: unknown key"},
		"context, a feature":    {"{amount: float64", "{mean: float64, amount: float64", `a.yaml:9: views.accounts.context.mean: "mean" is a feature of the view`},
		"context, json":         {"merchant: string", "merchant: json", "a.yaml:9: views.accounts.context.merchant: a value of requests cannot be json"},
		"context, no type":      {"merchant: string", "merchant: text", `a.yaml:9: views.accounts.context.merchant: type "text": want int32`},
		"context, a list":       {"context: {amount: float64, merchant: string}", "context: [amount]", "a.yaml:9: views.accounts.context: a list: want an object of types by name"},
		"service, misspelt":     {"accounts:far", "accounts:fra", "view accounts has no feature \"fra\": did you mean far?"},
		"service, path":         {"accounts:far", "accounts:far.x", `view accounts has no feature "far.x"`},
		"too long":              {"z > 3.0", strings.Repeat("z > 3.0 && ", 500) + "true", "bytes, and at most 4096 are read"},
		"always costs too much": {"expr: z > 3.0", "expr: 'size([" + strings.Repeat("[1,2,3,4,5,6,7,8,9].map(x, x + 1),", 90) + "[1]]) > 3'", "steps, and an expression may take 10000"},
	} {
		t.Run(name, func(t *testing.T) {
			if !strings.Contains(accounts, tc.old) {
				t.Fatalf("%q is not in the definitions", tc.old)
			}
			_, err := Parse([]File{{Name: "a.yaml", Text: strings.Replace(accounts, tc.old, tc.next, 1)}})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Parse gave\n%v\nwant\n%s", err, tc.want)
			}
		})
	}
}

func TestPlanOfComputed(t *testing.T) {
	for name, tc := range map[string]struct {
		old, next string
		fields    []string
		breaking  bool
		affects   []string
	}{
		"expression":              {"z > 3.0", "z > 4.0", []string{"computed.far.expr"}, false, []string{"fraud"}},
		"of what is read":         {"/ sd", "/ (sd + 1.0)", []string{"computed.z.expr"}, false, []string{"fraud"}},
		"a feature that is read":  {"name: country, type: string", "name: country, type: string, unit: ISO", []string{"features.country.unit"}, false, []string{"travel"}},
		"needs more of requests":  {"z > 3.0", "z > 3.0 && merchant != country", []string{"computed.far.expr"}, true, []string{"fraud"}},
		"type":                    {"far, type: bool, expr: z > 3.0", "far, type: float64, expr: z * 3.0", []string{"computed.far.expr", "computed.far.type"}, true, []string{"fraud"}},
		"goes":                    {"  - {name: abroad, type: bool, expr: country != merchant}\nservices:\n", "services: []\nx:\n", []string{"computed.abroad"}, true, []string{"travel"}},
		"comes":                   {"services:", "  - {name: home, type: bool, expr: country == merchant}\nservices:", []string{"computed.home"}, false, []string{}},
		"described":               {"How unusual it is", "How unusual", []string{"computed.z.description"}, false, []string{"fraud"}},
		"a value of requests":     {"merchant: string}", "merchant: string, hour: int64}", []string{"context.hour"}, false, []string{}},
		"another type of a value": {"amount: float64", "amount: float32", []string{"context.amount"}, true, []string{"fraud"}},
	} {
		t.Run(name, func(t *testing.T) {
			next := strings.Replace(accounts, tc.old, tc.next, 1)
			next, _, _ = strings.Cut(next, "x:\n")
			var got *Change
			changes := Plan(parseText(t, accounts), parseText(t, next)).Changes
			for i := range changes {
				if changes[i].Kind == "view" {
					got = &changes[i]
				}
			}
			if got == nil || !slices.Equal(got.Fields, tc.fields) || got.Breaking != tc.breaking || !slices.Equal(got.Affects, tc.affects) {
				t.Errorf("Plan = %+v, want %v, breaking %v, affects %v", got, tc.fields, tc.breaking, tc.affects)
			}
		})
	}
}
