package rules

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"sluice/feature"
)

const contractFile = `# rules.yaml
rules:
  - {name: drift, view: "*", feature: "*", method: calibrated, for: {k: 1, n: 1}, mode: enforce}
  - {name: amount_psi, view: payments, feature: amount, method: psi, threshold: 0.25, mode: warn}
`

func TestParse(t *testing.T) {
	rules, err := Parse(contractFile)
	if err != nil {
		t.Fatal(err)
	}
	if len(rules) != 2+len(Default())-1 {
		t.Fatalf("%d rules, want 2 and the %d default ones but the one that the file replaces", len(rules), len(Default()))
	}
	want := Rule{Name: "amount_psi", View: "payments", Feature: "amount", Method: PSI, Threshold: 0.25, For: For{1, 1}, Mode: Notify}
	if !reflect.DeepEqual(rules[1], want) {
		t.Errorf("second rule %+v, want %+v", rules[1], want)
	}
	for _, text := range []string{"", "# nothing\n", "rules:\n", "rules: []\n"} {
		if rules, err := Parse(text); err != nil || len(rules) != len(Default()) {
			t.Errorf("Parse(%q) = %d rules, %v, want the default ones", text, len(rules), err)
		}
	}
	rules, err = Parse("rules:\n  - {name: x, method: calibrated}\n")
	if err != nil || rules[0].Mode != Observe || rules[0].View != "*" || rules[0].Feature != "*" || rules[0].For != (For{1, 1}) {
		t.Errorf("a rule of two keys is %+v, %v", rules[0], err)
	}
}

func TestParseReportsAllProblems(t *testing.T) {
	_, err := Parse(`rules:
  - {name: a, method: psi, mode: warn}
  - name: b
    method: ks
    threshhold: 0.1
    mode: enforced
  - {name: a, method: calibrated, threshold: 3}
  - {name: c, method: kolmogorov, for: {k: 3, n: 2, m: 1}}
  - {name: d, method: ks, threshold: high}
  - {name: e, method: ks, threshold: 0}
  - {name: E!, method: volume, threshold: 0.5}
  - {name: 7, method: expect}
alerts: 3
`)
	if !errors.Is(err, ErrRules) {
		t.Fatalf("error %v is not ErrRules", err)
	}
	for _, want := range []string{
		`line 2: rule "a": threshold: method psi needs one`,
		`line 5: rule: unknown key "threshhold"`,
		`line 3: rule "b": mode: "enforced" is none of`,
		`line 7: rule "a": threshold: method calibrated has its own`,
		`line 7: rule "a": the name is used on line 2 already`,
		`line 8: for: unknown key "m"`,
		`line 8: rule "c": method: "kolmogorov" is none of`,
		`line 8: rule "c": for: {k: 3, n: 2}`,
		`line 9: threshold: "high" is not a number`,
		`line 10: threshold: 0 is not a positive number`,
		`line 11: rule "E!": name: "E!" is not a name`,
		`line 11: rule "E!": threshold: 0.5; volume takes a ratio above 1`,
		`line 12: name: "7" is not a text`,
		`line 13: the file: unknown key "alerts"`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q:\n%v", want, err)
		}
	}
}

func TestParseRefusesOtherShapes(t *testing.T) {
	for _, text := range []string{"- a\n", "rules: 3\n", "rules: {a: b}\n", "rules: [3]\n", "rules:\n\t- x\n", "rules: []\nrules: []\n", "a: &x [*x]\n"} {
		if _, err := Parse(text); !errors.Is(err, ErrRules) {
			t.Errorf("Parse(%q) = %v, want ErrRules", text, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(contractFile)
	f.Add("rules: [{name: a, for: &f {k: 1, n: 1}}, {name: b, for: *f}]")
	f.Fuzz(func(t *testing.T, text string) {
		rules, err := Parse(text)
		if err != nil && !errors.Is(err, ErrRules) {
			t.Fatalf("error %v is not ErrRules", err)
		}
		for i := range rules {
			if problem := rules[i].Validate(); problem != nil {
				t.Fatalf("accepted rule %+v: %v", rules[i], problem)
			}
		}
	})
}

func TestMatch(t *testing.T) {
	for name, tc := range map[string]struct {
		pattern, name string
		want          bool
	}{
		"all":             {"*", "anything", true},
		"all of nothing":  {"*", "", true},
		"exact":           {"amount", "amount", true},
		"longer":          {"amount", "amount_2", false},
		"prefix":          {"amount_*", "amount_2", true},
		"suffix":          {"*_delay", "dep_delay", true},
		"not the suffix":  {"*_delay", "delay", false},
		"middle":          {"a*c*e", "abcde", true},
		"overlap":         {"aba*aba", "ababa", false},
		"order":           {"*b*a*", "ab", false},
		"exact, no name":  {"amount", "", false},
		"brackets differ": {"[a]", "a", false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := match(tc.pattern, tc.name); got != tc.want {
				t.Errorf("match(%q, %q) = %v, want %v", tc.pattern, tc.name, got, tc.want)
			}
		})
	}
}

func TestInForce(t *testing.T) {
	rules := append([]Rule{
		{Name: "all", View: "*", Feature: "*", Method: Calibrated, For: For{1, 1}, Mode: Notify},
		{Name: "one", View: "flights", Feature: "dest", Method: Calibrated, For: For{1, 1}, Mode: Observe},
		{Name: "low", View: "flights", Feature: "*", Method: PSI, Threshold: 0.1, For: For{1, 1}, Mode: Notify},
		{Name: "high", View: "flights", Feature: "*", Method: PSI, Threshold: 0.25, For: For{1, 1}, Mode: Enforce},
		{Name: "third", View: "*", Feature: "*", Method: Volume, Threshold: 3, For: For{1, 1}, Mode: Enforce},
	}, Default()...)
	for name, tc := range map[string]struct {
		view  string
		score feature.Score
		want  string
	}{
		"the closest":                     {"flights", feature.Score{Method: Calibrated, Feature: "dest"}, "one"},
		"another feature":                 {"flights", feature.Score{Method: Calibrated, Feature: "origin"}, "all"},
		"two thresholds":                  {"flights", feature.Score{Method: PSI, Feature: "dest"}, "low high"},
		"no rule":                         {"other", feature.Score{Method: PSI, Feature: "dest"}, ""},
		"a default":                       {"flights", feature.Score{Method: Expect, Feature: "dest"}, "expect"},
		"a default beside a threshold":    {"flights", feature.Score{Method: Volume, Summary: "volume"}, "volume"},
		"the threshold reads the ratio":   {"flights", feature.Score{Method: Volume, Summary: "ratio"}, "third"},
		"plain nulls need a threshold":    {"flights", feature.Score{Method: Nulls, Summary: "share", Feature: "dest"}, ""},
		"expected nulls need no other":    {"flights", feature.Score{Method: Nulls, Feature: "dest"}, "nulls"},
		"too few rows concern the method": {"flights", feature.Score{Method: Calibrated, Short: "few"}, "all"},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, r := range inForce(rules, &feature.View{Name: tc.view}, &tc.score) {
				got = append(got, r.Name)
			}
			if strings.Join(got, " ") != tc.want {
				t.Errorf("in force for %+v of %s: %v, want %q", tc.score, tc.view, got, tc.want)
			}
		})
	}
}
