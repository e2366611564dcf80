package judge

import (
	"bytes"
	"encoding/json"
	"testing"

	"sluice/feature"
)

// A builder that judged other windows of the same view, times and numbers of rows makes the
// case that a new one makes: a verdict does not hang on what its process saw before.
func TestBuilderRemembersNothingElse(t *testing.T) {
	f := newFlights()
	f.pin(t)
	now := func(t *testing.T) Evidence { return f.evidence(t, 24, f.window(30, 300, nil)) }
	first := now(t)
	for name, change := range map[string]func(e *Evidence){
		"other rows":      func(*Evidence) {},
		"another feature": func(e *Evidence) { e.View.Features[1].Name = "miles" },
	} {
		t.Run(name, func(t *testing.T) {
			next := first
			if name == "other rows" {
				next = now(t)
			}
			view := *first.View
			view.Features = append([]feature.Feature(nil), view.Features...)
			next.View = &view
			change(&next)
			used := NewBuilder()
			before, err := used.Case(first)
			if err != nil {
				t.Fatal(err)
			}
			got, err := used.Case(next)
			if err != nil {
				t.Fatal(err)
			}
			_, want := judged(t, next)
			if a, b := verdictBytes(t, got), verdictBytes(t, want); !bytes.Equal(a, b) {
				t.Errorf("a builder that judged before\n%s\nwant\n%s", a, b)
			}
			a, errA := before.Forest.MarshalBinary()
			b, errB := want.Forest.MarshalBinary()
			if errA != nil || errB != nil || bytes.Equal(a, b) {
				t.Errorf("the forests of both are the same (%v, %v): the test says nothing", errA, errB)
			}
		})
	}
}

func verdictBytes(t *testing.T, c *Case) []byte {
	t.Helper()
	v, err := Judge(c)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
