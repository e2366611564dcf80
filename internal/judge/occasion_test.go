package judge

import (
	"strings"
	"testing"

	"sluice/feature"
	"sluice/rules"
)

// In a declared occasion a shift that would block warns, an expectation still blocks, and
// both are recomputed from what is stored.
func TestOccasion(t *testing.T) {
	f := newFlights()
	f.pin(t)
	times100 := func(v []feature.Value) { v[0] = feature.Float64Value(100 * v[0].Float()) }
	e := f.evidence(t, 20, f.window(30, 300, times100))
	if v, _ := judged(t, e); v.State != rules.Fail || v.Occasion != "" {
		t.Fatalf("times 100: %s in occasion %q", v.State, v.Occasion)
	}
	view := *e.View
	view.Calendar = []feature.Occasion{{Name: "sale", From: e.Window.Start.Format("2006-01-02T15:04:05Z"), To: e.Window.End.Format("2006-01-02T15:04:05Z")}}
	e.View = &view
	v, c := judged(t, e)
	if v.State != rules.Warn || v.Occasion != "sale" || !strings.Contains(v.Reasons[0].Text, "declared occasion sale") {
		t.Errorf("times 100 in an occasion: %s, occasion %q, %+v", v.State, v.Occasion, v.Reasons)
	}
	text, blobs, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	again, err := DecodeCase(text, fetch(blobs))
	if err != nil {
		t.Fatal(err)
	}
	if differences := Verify(v, again); len(differences) > 0 {
		t.Errorf("recomputed: %v", differences)
	}
	least := 0.01
	view.Features = append([]feature.Feature{}, view.Features...)
	view.Features[0].Expect.Nulls = &least
	e.Current[0] = f.window(30, 300, func(v []feature.Value) { v[0] = feature.Null })
	if v, _ := judged(t, e); v.State != rules.Fail || v.Reasons[0].Method != rules.Nulls {
		t.Errorf("nulls against an expectation in an occasion: %s %+v", v.State, v.Reasons)
	}
}
