package rehearsal

import (
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
