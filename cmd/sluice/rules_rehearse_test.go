package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRulesTest runs the example, and one that expects something else.
func TestRulesTest(t *testing.T) {
	s := session{t}
	const example = "../../examples/rules/payments_test.yaml"
	s.run(0, "rules test "+example, "ok      cents in place of euros are blocked, and the next good window is published (22 windows)")
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name string, pairs ...string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(strings.NewReplacer(pairs...).Replace(string(text))), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	defs := "-f ../../examples/payments "
	inForce, err := filepath.Abs("../../examples/rules/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	wrong := write("wrong.yaml", "rules: rules.yaml", "rules: "+inForce, "decision: reject, reasons: [{rule: drift", "decision: publish, reasons: [{rule: drift")
	s.run(1, "rules test "+defs+wrong, "FAILED  cents in place of euros", "          window 1 (cents)", "- decision: publish", "+ state: fail", "+ reason: rule drift, feature amount", "!tests failed: 1 of 6")
	s.run(1, "rules test --format json "+defs+wrong, `"failed":1`, `"test":"quiet windows pass","ok":true`)
	for name, tc := range map[string]struct{ old, new, want string }{
		"unknown key":     {"repeat: 20", "repeats: 20", "field repeats not found"},
		"unknown feature": {"series: {amount: {normal", "series: {amuont: {normal", `view payments has no feature "amuont"`},
		"two laws":        {"{normal: [30, 20]}", "{normal: [30, 20], poisson: 3}", "want exactly one of normal"},
		"a text's number": {"shares: {DE: 0.2", "normal: [1, 2], shares: {DE: 0.2", "want exactly one of normal"},
		"no expectation":  {"expect: {state: pass, decision: publish}\n\n  - name: the index", "expect: {}\n\n  - name: the index", "nothing is expected"},
		"no such rule":    {"not: [{rule: floats_ks", "not: [{rule: floats_sk", `there is no "floats_sk": did you mean "floats_ks"?`},
		"a state of none": {"state: warn", "state: alarm", `"alarm" is none of pass, warn, fail`},
	} {
		bad := write("bad.yaml", "rules: rules.yaml", "rules: "+inForce, tc.old, tc.new)
		s.run(1, "rules test "+defs+bad, "!"+tc.want)
		if t.Failed() {
			t.Log(name)
		}
	}
	s.run(1, "rules test "+filepath.Join(dir, "none.yaml"), "!no such file")
}
