package judge

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"time"

	"sluice/drift"
	"sluice/feature"
	"sluice/rules"
)

// slowEvidence is of a window after history, of which the last windows and the window
// itself are a little larger.
func slowEvidence(t *testing.T, f *flights, times float64) Evidence {
	t.Helper()
	e := f.evidence(t, 30)
	for i := range 12 {
		w := f.window(30+i, 300, func(v []feature.Value) { v[0] = feature.Float64Value(times * v[0].Float()) })
		if i < 11 {
			e.Recent = append(e.Recent, w)
		} else {
			e.Current, e.Window = []drift.WindowProfile{w}, w.Window
		}
	}
	return e
}

// What several windows show together is warned of, never failed, not said again once
// it was, and not beside what a window says alone; and it is recomputed.
func TestSlow(t *testing.T) {
	f := newFlights()
	f.pin(t)
	e := slowEvidence(t, f, 1.18)
	v, c := judged(t, e)
	if len(v.Reasons) != 1 || !v.Reasons[0].Accumulated || v.Reasons[0].Feature != "delay" || v.State != rules.Warn || v.Reasons[0].Onset.IsZero() {
		t.Fatalf("%s with %+v, want a warning of what adds up", v.State, v.Reasons)
	}
	if onset := v.Reasons[0].Onset; !onset.Before(e.Window.Start) || onset.Before(e.Recent[0].Window.Start) {
		t.Errorf("onset %s, want one of the last windows", onset)
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
	next := c.Remember(&v)
	if !next.Since["delay"].Equal(e.Window.End) {
		t.Errorf("remembered %+v, want the end of the window", next.Since)
	}
	e.Memory = next
	if v, _ := judged(t, e); v.State != rules.Pass {
		t.Errorf("after the alarm: %s with %+v, want pass", v.State, v.Reasons)
	}
	e.Memory = Memory{}
	e.Current[0] = f.window(41, 300, func(v []feature.Value) { v[0] = feature.Float64Value(100 * v[0].Float()) })
	v, _ = judged(t, e)
	for _, r := range v.Reasons {
		if r.Accumulated && r.Feature == "delay" {
			t.Errorf("beside what the window says alone: %+v", r)
		}
	}
	if v.State != rules.Fail {
		t.Errorf("a hundred times as large: %s", v.State)
	}
}

// A case of the first format is judged as it was: nothing accumulates.
func TestFirstFormat(t *testing.T) {
	f := newFlights()
	f.pin(t)
	_, c := judged(t, slowEvidence(t, f, 1.18))
	c.Slow = nil
	text, blobs, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	var h map[string]any
	if err := json.Unmarshal(text, &h); err != nil {
		t.Fatal(err)
	}
	h["format"] = 1
	if text, err = json.Marshal(h); err != nil {
		t.Fatal(err)
	}
	first, err := DecodeCase(text, fetch(blobs))
	if err != nil {
		t.Fatal(err)
	}
	if v, err := Judge(first); err != nil || v.State != rules.Pass {
		t.Errorf("%s, %v: %+v, want pass", v.State, err, v.Reasons)
	}
	h["format"] = headFormat + 1
	if text, err = json.Marshal(h); err != nil {
		t.Fatal(err)
	}
	if _, err := DecodeCase(text, fetch(blobs)); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a format to come: %v, want ErrCorrupt", err)
	}
}

// The memory of before is read, and what is written is.
func TestMemory(t *testing.T) {
	for text, want := range map[string]Memory{
		`{"drift/calibrated/delay":5}`: {Rules: rules.Memory{"drift/calibrated/delay": 5}},
		`{}`:                           {},
		`{"format":2,"rules":{"a/b/c":1},"since":{"x":"2024-01-01T00:00:00Z"}}`: {Rules: rules.Memory{"a/b/c": 1}, Since: map[string]time.Time{"x": epoch}},
	} {
		var got Memory
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if len(got.Rules) != len(want.Rules) || !reflect.DeepEqual(got.Since, want.Since) {
			t.Errorf("%s: %+v, want %+v", text, got, want)
		}
		body, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		var again Memory
		if err := json.Unmarshal(body, &again); err != nil || !reflect.DeepEqual(again.Since, got.Since) || len(again.Rules) != len(got.Rules) {
			t.Errorf("%s came back as %+v, %v", body, again, err)
		}
	}
	for _, text := range []string{`[]`, `{"format":3}`, `{"a/b/c":"x"}`} {
		if err := json.Unmarshal([]byte(text), new(Memory)); err == nil {
			t.Errorf("%s: no error", text)
		}
	}
}
