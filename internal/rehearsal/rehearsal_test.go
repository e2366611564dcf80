package rehearsal

import (
	"fmt"
	"os"
	"path/filepath"
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
