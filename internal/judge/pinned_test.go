package judge

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"sluice/drift"
	"sluice/feature"
	"sluice/quality/sketch"
	"sluice/rules"
)

// pinnedEvidence is of a window after windows that are a little larger than those
// pinned, and that history has followed.
func pinnedEvidence(t testing.TB, f *flights, times float64) Evidence {
	t.Helper()
	e := f.evidence(t, 30)
	reference, err := drift.BuildReference(f.view, f.layout, e.History)
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(reference)
	if err != nil {
		t.Fatal(err)
	}
	baseline, err := e.Baseline.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	if e.Pinned, err = NewPinned(body, baseline, f.layout, 30, feature.Window{Start: e.History[0].Window.Start, End: e.History[29].Window.End}); err != nil {
		t.Fatal(err)
	}
	e.History, e.Baseline = nil, sketch.NewProfile(f.view, f.layout, sketch.HashKey{})
	for i := range 30 {
		w := f.window(30+i, 300, func(v []feature.Value) { v[0] = feature.Float64Value(times * v[0].Float()) })
		if err := e.Baseline.Merge(w.Profile); err != nil {
			t.Fatal(err)
		}
		e.History = append(e.History, w)
	}
	e.Recent = e.History[14:]
	now := f.window(60, 300, func(v []feature.Value) { v[0] = feature.Float64Value(times * v[0].Float()) })
	e.Current, e.Window = []drift.WindowProfile{now}, now.Window
	for i := range e.Rules {
		if e.Rules[i].Method == rules.Pinned {
			e.Rules[i].Mode = rules.Notify
		}
	}
	return e
}

// What history has followed is warned of against what is pinned, once; it is recomputed,
// and nothing is said where nothing is pinned.
func TestPinned(t *testing.T) {
	f := newFlights()
	f.pin(t)
	e := pinnedEvidence(t, f, 1.3)
	v, c := judged(t, e)
	if len(v.Reasons) != 1 || v.Reasons[0].Method != rules.Pinned || v.Reasons[0].Feature != "delay" || v.State != rules.Warn ||
		!strings.Contains(v.Reasons[0].Text, "the 30 pinned ones") || v.Reasons[0].Severity <= 1 {
		t.Fatalf("%s with %+v, want a warning of delay against what is pinned", v.State, v.Reasons)
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
	if second, more, err := again.Encode(); err != nil || string(second) != string(text) || !reflect.DeepEqual(more, blobs) {
		t.Errorf("encoded again: %v, and other bytes", err)
	}
	damaged := *again
	damaged.Pinned.Windows = 31
	if len(Verify(v, &damaged)) == 0 {
		t.Error("another number of pinned windows gives the same verdict")
	}
	e.Memory = c.Remember(&v)
	if at := e.Memory.Since["pinned:delay"]; !at.Equal(e.Window.End) || len(e.Memory.Since) != 1 {
		t.Errorf("remembered %+v, want the end of the window", e.Memory.Since)
	}
	if v, _ := judged(t, e); v.State != rules.Pass {
		t.Errorf("after the alarm: %s with %+v, want pass", v.State, v.Reasons)
	}
	e.Memory = Memory{}
	e.Recent = e.Recent[3:]
	if v, c := judged(t, e); c.Pinned != nil || v.State != rules.Pass {
		t.Errorf("with too few windows: %s", v.State)
	}
}

// A rule of the method says what becomes of it, which only warns in a declared occasion.
func TestPinnedRules(t *testing.T) {
	f := newFlights()
	f.pin(t)
	e := pinnedEvidence(t, f, 3)
	for name, tc := range map[string]struct {
		mode     rules.Mode
		calendar []feature.Occasion
		state    rules.State
		outcome  rules.Outcome
	}{
		"observed":                    {rules.Observe, nil, rules.Pass, rules.Observed},
		"warned of":                   {rules.Notify, nil, rules.Warn, rules.Warned},
		"enforced":                    {rules.Enforce, nil, rules.Fail, rules.Failed},
		"enforced, in a declared day": {rules.Enforce, []feature.Occasion{{Name: "sale", From: e.Window.Start.Format(time.RFC3339), To: e.Window.End.Format(time.RFC3339)}}, rules.Warn, rules.Warned},
	} {
		view := *f.view
		view.Calendar = tc.calendar
		e.View, e.Rules = &view, []rules.Rule{{Name: "away", View: "*", Feature: "*", Method: rules.Pinned, For: rules.For{K: 1, N: 1}, Mode: tc.mode}}
		if v, _ := judged(t, e); v.State != tc.state || len(v.Reasons) != 1 || v.Reasons[0].Outcome != tc.outcome {
			t.Errorf("%s: %s with %+v, want %s", name, v.State, v.Reasons, tc.state)
		}
	}
}

// BenchmarkPinned judges a window of four features with and without what is pinned: the case
// is encoded as well, as at the gate.
func BenchmarkPinned(b *testing.B) {
	f := newFlights()
	f.pin(b)
	e := pinnedEvidence(b, f, 1)
	for _, beside := range []bool{false, true} {
		b.Run(fmt.Sprintf("beside=%v", beside), func(b *testing.B) {
			in := e
			if !beside {
				in.Pinned = nil
			}
			builder := NewBuilder()
			bytes := 0
			for b.Loop() {
				c, err := builder.Case(in)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := Judge(c); err != nil {
					b.Fatal(err)
				}
				head, _, err := c.Encode()
				if err != nil {
					b.Fatal(err)
				}
				bytes = len(head)
			}
			b.ReportMetric(float64(bytes), "head-bytes")
		})
	}
}

// Bytes that are nothing pinned are refused, and so is a case that lacks a part.
func TestPinnedCorrupt(t *testing.T) {
	f := newFlights()
	f.pin(t)
	e := pinnedEvidence(t, f, 1.3)
	if _, err := NewPinned([]byte("{"), e.Pinned.baseline, f.layout, 30, e.Pinned.Span); !errors.Is(err, ErrCorrupt) {
		t.Errorf("no reference: %v, want ErrCorrupt", err)
	}
	if _, err := NewPinned(e.Pinned.reference, []byte{1}, f.layout, 30, e.Pinned.Span); !errors.Is(err, ErrCorrupt) {
		t.Errorf("no profile: %v, want ErrCorrupt", err)
	}
	_, c := judged(t, e)
	text, blobs, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	var h map[string]any
	if err := json.Unmarshal(text, &h); err != nil {
		t.Fatal(err)
	}
	h["pinned"].(map[string]any)["recent"] = []any{}
	if text, err = json.Marshal(h); err != nil {
		t.Fatal(err)
	}
	if _, err := DecodeCase(text, fetch(blobs)); !errors.Is(err, ErrCorrupt) {
		t.Errorf("without windows: %v, want ErrCorrupt", err)
	}
}
