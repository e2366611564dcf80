package judge

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"sluice/drift"
	"sluice/feature"
	"sluice/quality/sketch"
	"sluice/rules"
)

// tills are windows of a view whose rows come from eight tills, a header of their records.
func (f *flights) tills(index, rows int, change func(till int, v []feature.Value)) drift.WindowProfile {
	w := f.window(index, 0, nil)
	for n := range rows {
		x := f.rng.NormFloat64()
		v := []feature.Value{feature.Float64Value(10 + x), feature.Int64Value(int64(500 + 100*x)), feature.StringValue([]string{"EWR", "JFK", "LGA"}[f.rng.IntN(3)]), feature.Null}
		if change != nil {
			change(n%8, v)
		}
		f.offset++
		w.Profile.Add(&feature.Write{View: f.view, EventTime: w.Window.Start, Values: v, Topic: "t", Offset: f.offset, Producer: fmt.Sprintf("pos-%d", n%8)})
	}
	return w
}

// tilled is evidence of windows of tills.
func (f *flights) tilled(t testing.TB, current ...drift.WindowProfile) Evidence {
	t.Helper()
	e := f.evidence(t, 0, current...)
	e.Baseline = sketch.NewProfile(f.view, f.layout, sketch.HashKey{})
	for i := range 20 {
		e.History = append(e.History, f.tills(i, 400, nil))
		if err := e.Baseline.Merge(e.History[i].Profile); err != nil {
			t.Fatal(err)
		}
	}
	return e
}

func (f *flights) pinTills(t testing.TB) {
	t.Helper()
	layout, err := sketch.BuildLayout(f.view, f.tills(-1, 600, nil).Profile)
	if err != nil {
		t.Fatal(err)
	}
	f.layout = layout
}

func TestVerdictNamesTheProducer(t *testing.T) {
	f := newFlights()
	f.pinTills(t)
	v, c := judged(t, f.tilled(t, f.tills(30, 400, func(till int, v []feature.Value) {
		if till == 7 {
			v[0] = feature.Float64Value(60 * v[0].Float())
		}
	})))
	if v.State != rules.Fail || len(v.Reasons) == 0 {
		t.Fatalf("verdict %s %+v", v.State, v.Reasons)
	}
	for _, r := range v.Reasons {
		if r.Feature != "delay" || r.Method == rules.Forest { // whose reasons are not attributed
			continue
		}
		if r.Producer != "pos-7" || r.Slice != "" || !strings.Contains(r.Text, "of it comes from producer=pos-7 (") || len(r.Shares) == 0 || r.Shares[0].Rows != 50 {
			t.Errorf("reason %+v, want producer pos-7 in it", r)
		}
	}
	text, blobs, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	again, err := DecodeCase(text, fetch(blobs))
	if err != nil {
		t.Fatal(err)
	}
	body, _ := json.Marshal(v)
	var stored rules.Verdict
	if err := json.Unmarshal(body, &stored); err != nil {
		t.Fatal(err)
	}
	if differences := Verify(stored, again); len(differences) > 0 {
		t.Errorf("recomputed: %v", differences)
	}
	second, err := Judge(again)
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := json.Marshal(second); !bytes.Equal(body, b) {
		t.Errorf("the decoded case gives another verdict:\n%s\n%s", body, b)
	}
	stored.Reasons[0].Producer = "pos-1"
	if differences := Verify(stored, again); len(differences) != 1 {
		t.Errorf("another producer: %v, want one difference", differences)
	}
}

// A fault of all tills is laid to none.
func TestVerdictNamesNobody(t *testing.T) {
	f := newFlights()
	f.pinTills(t)
	v, _ := judged(t, f.tilled(t, f.tills(30, 400, func(_ int, v []feature.Value) { v[0] = feature.Float64Value(60 * v[0].Float()) })))
	if v.State != rules.Fail {
		t.Fatalf("verdict %s %+v", v.State, v.Reasons)
	}
	for _, r := range v.Reasons {
		if r.Producer != "" || r.Slice != "" || strings.Contains(r.Text, "comes from") {
			t.Errorf("reason %+v names somebody", r)
		}
	}
}

func TestVerdictNamesWhoseWritesAreRefused(t *testing.T) {
	f := newFlights()
	f.pinTills(t)
	w := f.tills(30, 400, nil)
	for i := range 40 {
		w.Profile.RefuseWrite(&feature.Write{View: f.view, Producer: "pos-3", Topic: "t", Offset: int64(i)}, 2)
	}
	v, _ := judged(t, f.tilled(t, w))
	if v.State != rules.Fail || v.Reasons[0].Method != rules.Expect || v.Reasons[0].Producer != "pos-3" {
		t.Errorf("verdict %s %+v, want refusals of pos-3", v.State, v.Reasons)
	}
}
