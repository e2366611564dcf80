package rehearsal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestExample runs the example, which says what its rules are for.
func TestExample(t *testing.T) {
	s, err := Load("../../examples/rules/payments_test.yaml", "")
	if err != nil {
		t.Fatal(err)
	}
	all, err := s.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range all {
		if !o.OK || len(o.Failures) > 0 {
			t.Errorf("%+v", o)
		}
	}
}

// TestAbsolutePaths: a file of tests may name definitions, rules and rows wherever they are.
func TestAbsolutePaths(t *testing.T) {
	examples, err := filepath.Abs("../../examples")
	if err != nil {
		t.Fatal(err)
	}
	rows := filepath.Join(t.TempDir(), "rows.jsonl")
	if err := os.WriteFile(rows, []byte(`{"account":"a","amount":1,"country":"DE"}`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(t.TempDir(), "test.yaml")
	if err := os.WriteFile(script, fmt.Appendf(nil, `definitions: %[1]s/payments
rules: %[1]s/rules/rules.yaml
tests:
  - {name: rows from a file, view: payments, windows: [{file: %[2]s, expect: {decision: publish}}]}
`, examples, rows), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Load(script, "")
	if err != nil {
		t.Fatal(err)
	}
	if all, err := s.Run(t.Context()); err != nil || len(all) != 1 || !all[0].OK {
		t.Errorf("Run = %+v, %v, want the test to pass", all, err)
	}
}

// TestReasonsThereAre: what a test says of a reason names rules, features, methods and outcomes that
// there are. `not` of a name that nothing has would hold whatever the gate does.
func TestReasonsThereAre(t *testing.T) {
	examples, err := filepath.Abs("../../examples")
	if err != nil {
		t.Fatal(err)
	}
	for expect, want := range map[string]string{
		"{not: [{feature: amuont}]}":                         `expect.not[0]: feature: there is no "amuont": did you mean "amount"?`,
		"{not: [{outcome: fail}, {rule: drfit}]}":            `expect.not[1]: rule: there is no "drfit": did you mean "drift"?`,
		"{not: [{method: calibratd}]}":                       `method: there is no "calibratd": did you mean "calibrated"?`,
		"{not: [{outcome: failed}]}":                         `outcome: there is no "failed": did you mean "fail"?`,
		"{not: [{outcome: blocked_by_us}]}":                  `outcome: "blocked_by_us" is none of fail, inconclusive, warn, pending, observed, error`,
		"{reasons: [{rule: drift, feature: nothing_of_it}]}": `expect.reasons[0]: feature: "nothing_of_it" is none of amount, country`,
		"{rolled_back: -1}":                                  "expect.rolled_back: -1; want a number of versions",
		"{reasons: [], not: [{rule: drift, feature: amount, method: calibrated, outcome: fail}, {rule: country_psi}, {}]}": "",
	} {
		t.Run(expect, func(t *testing.T) {
			script := filepath.Join(t.TempDir(), "test.yaml")
			if err := os.WriteFile(script, fmt.Appendf(nil, `definitions: %[1]s/payments
rules: %[1]s/rules/rules.yaml
tests:
  - {name: one, view: payments, windows: [{values: [], expect: %[2]s}]}
`, examples, expect), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Load(script, "")
			if want == "" && err != nil || want != "" && (!errors.Is(err, ErrScript) || !strings.Contains(err.Error(), want)) {
				t.Errorf("Load = %v, want ErrScript with %q", err, want)
			}
		})
	}
}
