package judge

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/drift"
	"sluice/feature"
	"sluice/quality/sketch"
	"sluice/rules"
)

var epoch = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

// flights is a small view with windows of it.
type flights struct {
	view   *feature.View
	layout *sketch.Layout
	rng    *rand.Rand
	offset int64
	key    sketch.HashKey
}

func newFlights() *flights {
	nulls := 0.05
	view := &feature.View{ID: 1, Project: "p", Name: "flights", Window: feature.WindowSpec{Size: time.Hour}, Features: []feature.Feature{
		{ID: 1, Name: "delay", Type: feature.Float64, Unit: "minutes", Expect: feature.Expect{Nulls: &nulls}},
		{ID: 2, Name: "distance", Type: feature.Int64},
		{ID: 3, Name: "origin", Type: feature.String, Expect: feature.Expect{In: []string{"EWR", "JFK", "LGA"}}},
		{ID: 4, Name: "detail", Type: feature.JSON},
	}}
	return &flights{view: view, layout: sketch.Unbinned(view), rng: rand.New(rand.NewPCG(4, 5)), key: sketch.HashKey{1}}
}

func (f *flights) window(index, rows int, change func([]feature.Value)) drift.WindowProfile {
	w := f.view.Window.Starting(epoch.Add(time.Duration(index) * time.Hour))
	p := sketch.NewProfile(f.view, f.layout, f.key)
	for range rows {
		x := f.rng.NormFloat64()
		v := []feature.Value{feature.Float64Value(math.Exp(x)), feature.Int64Value(int64(500 + 100*x + 20*f.rng.NormFloat64())),
			feature.StringValue([]string{"EWR", "JFK", "LGA"}[f.rng.IntN(3)]), feature.JSONValue("{}")}
		if change != nil {
			change(v)
		}
		f.offset++
		p.Add(&feature.Write{View: f.view, EventTime: w.Start, Values: v, Topic: "t", Offset: f.offset})
	}
	return drift.WindowProfile{Window: w, Profile: p}
}

// evidence is that of the current windows after so many windows of history.
func (f *flights) evidence(t testing.TB, history int, current ...drift.WindowProfile) Evidence {
	t.Helper()
	e := Evidence{Kind: KindWindow, View: f.view, Versions: []feature.Version{7}, Layout: f.layout, Current: current, Rules: rules.Default(), Level: 1e-4}
	if len(current) > 0 {
		e.Window = current[len(current)-1].Window
	}
	if history > 0 {
		e.Baseline = sketch.NewProfile(f.view, f.layout, sketch.HashKey{})
	}
	for i := range history {
		w := f.window(i, 300, nil)
		if err := e.Baseline.Merge(w.Profile); err != nil {
			t.Fatal(err)
		}
		e.History = append(e.History, w)
	}
	return e
}

func (f *flights) pin(t testing.TB) {
	t.Helper()
	layout, err := sketch.BuildLayout(f.view, f.window(-1, 600, nil).Profile)
	if err != nil {
		t.Fatal(err)
	}
	f.layout = layout
}

func judged(t testing.TB, e Evidence) (rules.Verdict, *Case) {
	t.Helper()
	c, err := NewBuilder().Case(e)
	if err != nil {
		t.Fatal(err)
	}
	v, err := Judge(c)
	if err != nil {
		t.Fatal(err)
	}
	return v, c
}

func TestJudge(t *testing.T) {
	times100 := func(v []feature.Value) { v[0] = feature.Float64Value(100 * v[0].Float()) }
	null := func(v []feature.Value) { v[0] = feature.Null }
	for name, tc := range map[string]struct {
		history, rows int
		change        func([]feature.Value)
		refuse        int
		state         rules.State
		feature       string
		uncalibrated  bool
		tooFew        bool
	}{
		"stable":                          {20, 300, nil, 0, rules.Pass, "", false, false},
		"times 100":                       {20, 300, times100, 0, rules.Fail, "delay", false, false},
		"first window":                    {0, 300, times100, 0, rules.Pass, "", true, false},
		"cold start, stable":              {4, 300, nil, 0, rules.Pass, "", true, false},
		"cold start, times 100":           {4, 300, times100, 0, rules.Warn, "delay", true, false},
		"cold start, nulls":               {4, 300, null, 0, rules.Fail, "delay", true, false},
		"first window, nulls":             {0, 300, null, 0, rules.Fail, "delay", true, false},
		"first window, refused":           {0, 300, nil, 30, rules.Fail, "origin", true, false},
		"too few rows":                    {20, 5, nil, 0, rules.Inconclusive, "", false, true},
		"too few rows, cold":              {4, 5, times100, 0, rules.Inconclusive, "", true, true},
		"a third of the rows":             {20, 90, nil, 0, rules.Fail, "", false, false},
		"rows that no longer go together": {20, 300, func(v []feature.Value) { v[1] = feature.Int64Value(1000 - v[1].Int()) }, 0, rules.Fail, "", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFlights()
			f.pin(t)
			w := f.window(30, tc.rows, tc.change)
			for range tc.refuse {
				w.Profile.Refuse(2)
			}
			v, c := judged(t, f.evidence(t, tc.history, w))
			if v.State != tc.state || v.Uncalibrated != tc.uncalibrated || v.TooFew != tc.tooFew {
				t.Fatalf("verdict %s uncalibrated %v too few %v, want %s %v %v: %+v", v.State, v.Uncalibrated, v.TooFew, tc.state, tc.uncalibrated, tc.tooFew, v.Reasons)
			}
			if tc.feature != "" && v.Reasons[0].Feature != tc.feature {
				t.Errorf("first reason is about %q, want %q: %+v", v.Reasons[0].Feature, tc.feature, v.Reasons[0])
			}
			if v.View != "flights" || v.Project != "p" || v.Version != 7 || v.History != tc.history || v.Layout != f.layout.Digest() || v.Rows != uint64(tc.rows) {
				t.Errorf("verdict head %+v", v)
			}
			if differences := Verify(v, c); len(differences) > 0 {
				t.Errorf("Verify: %v", differences)
			}
		})
	}
}

func TestUnbinnedWindowsAreJudgedByNullsAndVolume(t *testing.T) {
	f := newFlights()
	e := f.evidence(t, 10, f.window(30, 300, func(v []feature.Value) { v[1] = feature.Null }))
	if v, _ := judged(t, e); v.State != rules.Fail || v.Reasons[0].Feature != "distance" {
		t.Errorf("verdict %s %+v, want fail by nulls of distance", v.State, v.Reasons)
	}
}

func TestCaseRoundTrip(t *testing.T) {
	f := newFlights()
	f.pin(t)
	for name, e := range map[string]Evidence{
		"calibrated": f.evidence(t, 20, f.window(30, 300, func(v []feature.Value) { v[2] = feature.StringValue("JFK") })),
		"cold":       f.evidence(t, 3, f.window(30, 300, nil)),
		"first":      f.evidence(t, 0, f.window(30, 300, nil)),
		"probation":  f.evidence(t, 12, f.window(30, 300, nil), f.window(31, 280, nil)),
	} {
		t.Run(name, func(t *testing.T) {
			if name == "probation" {
				e.Kind = KindProbation
			}
			v, c := judged(t, e)
			head, blobs, err := c.Encode()
			if err != nil {
				t.Fatal(err)
			}
			again, err := DecodeCase(head, fetch(blobs))
			if err != nil {
				t.Fatal(err)
			}
			second, err := Judge(again)
			a, _ := json.Marshal(v)
			b, _ := json.Marshal(second)
			if err != nil || !bytes.Equal(a, b) {
				t.Errorf("the decoded case gives another verdict (%v):\n%s\n%s", err, a, b)
			}
			var stored rules.Verdict
			if err := json.Unmarshal(a, &stored); err != nil {
				t.Fatal(err)
			}
			if differences := Verify(stored, again); len(differences) > 0 {
				t.Errorf("Verify of the stored verdict: %v", differences)
			}
			head2, blobs2, err := again.Encode()
			if err != nil || !bytes.Equal(head, head2) || !reflect.DeepEqual(blobs, blobs2) {
				t.Errorf("encoding again gives other bytes (%v)", err)
			}
			t.Logf("head %d bytes, blobs %v", len(head), sizes(blobs))
		})
	}
}

// TestSelectedRulesAreStored verifies a verdict by rules that select by tag, owner and type,
// from what is stored alone: what the view's tags are by then does not matter.
func TestSelectedRulesAreStored(t *testing.T) {
	f := newFlights()
	f.view.Owner, f.view.Tags = "risk-team", map[string]string{"tier": "gold"}
	f.pin(t)
	e := f.evidence(t, 20, f.window(30, 300, func(v []feature.Value) {
		v[0], v[1] = feature.Float64Value(v[0].Float()*3), feature.Int64Value(v[1].Int()*3)
	}))
	var err error
	if e.Rules, err = rules.Parse(`rules: [{name: floats, method: calibrated, tags: {tier: gold}, owner: "risk-*", type: float64, mode: warn}]`); err != nil {
		t.Fatal(err)
	}
	v, c := judged(t, e)
	by := map[string]string{}
	for _, r := range v.Reasons {
		if r.Method == rules.Calibrated {
			by[r.Feature] = r.Rule + " " + string(r.Outcome)
		}
	}
	if by["delay"] != "floats warn" || by["distance"] != "drift fail" {
		t.Errorf("a float64 and an int64 alarm by %v, want floats warn and drift fail", by)
	}
	head, blobs, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	f.view.Owner, f.view.Tags = "others", nil
	again, err := DecodeCase(head, fetch(blobs))
	if err != nil {
		t.Fatal(err)
	}
	body, _ := json.Marshal(v)
	var stored rules.Verdict
	if err := json.Unmarshal(body, &stored); err != nil {
		t.Fatal(err)
	}
	if differences := Verify(stored, again); len(differences) > 0 {
		t.Errorf("Verify: %v", differences)
	}
	again.View.Tags = nil // as if the tags of today were read
	if differences := Verify(stored, again); len(differences) == 0 {
		t.Error("Verify without the tag finds nothing: the test says nothing")
	}
}

func fetch(blobs map[string][]byte) func(string) ([]byte, error) {
	return func(name string) ([]byte, error) {
		body, ok := blobs[name]
		if !ok {
			return nil, errors.New("no such blob")
		}
		return body, nil
	}
}

func sizes(blobs map[string][]byte) (out []int) {
	for _, body := range blobs {
		out = append(out, len(body))
	}
	slices.Sort(out)
	return out
}

func TestVerifyFindsATamperedVerdict(t *testing.T) {
	f := newFlights()
	f.pin(t)
	v, c := judged(t, f.evidence(t, 12, f.window(30, 300, func(v []feature.Value) { v[0] = feature.Null })))
	for name, change := range map[string]func(*rules.Verdict){
		"state":   func(v *rules.Verdict) { v.State = rules.Pass },
		"reasons": func(v *rules.Verdict) { v.Reasons = v.Reasons[:0] },
		"reason 1": func(v *rules.Verdict) {
			v.Reasons = slices.Clone(v.Reasons)
			v.Reasons[0].Statistic *= 2
		},
		"digests": func(v *rules.Verdict) { v.Digests = map[string]string{} },
		"scores":  func(v *rules.Verdict) { v.Scores = nil },
	} {
		t.Run(name, func(t *testing.T) {
			bad := v
			change(&bad)
			if got := strings.Join(Verify(bad, c), "\n"); !strings.Contains(got, name) {
				t.Errorf("Verify does not name %q: %q", name, got)
			}
		})
	}
}

func TestDecodeCaseRefuses(t *testing.T) {
	f := newFlights()
	f.pin(t)
	_, c := judged(t, f.evidence(t, 12, f.window(30, 100, nil)))
	head, blobs, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := DecodeCase([]byte("{}"), fetch(blobs)); !errors.Is(err, ErrCorrupt) {
		t.Errorf("an empty head: %v, want ErrCorrupt", err)
	}
	for name := range blobs {
		without := maps.Clone(blobs)
		delete(without, name)
		if _, err := DecodeCase(head, fetch(without)); err == nil {
			t.Errorf("decoded without blob %s", name)
		}
		without[name] = append(slices.Clone(blobs[name]), 0)
		if _, err := DecodeCase(head, fetch(without)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("another content of blob %s: %v, want ErrCorrupt", name, err)
		}
	}
}

func FuzzDecodeCase(f *testing.F) {
	flights := newFlights()
	c, err := NewBuilder().Case(flights.evidence(f, 3, flights.window(30, 40, nil)))
	if err != nil {
		f.Fatal(err)
	}
	head, blobs, err := c.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(head)
	f.Add([]byte(`{"format":1,"level":0.1,"current":[{}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := DecodeCase(data, fetch(blobs))
		if err != nil {
			return
		}
		first, err := Judge(c)
		if err != nil {
			return
		}
		second, err := Judge(c)
		if err != nil || !reflect.DeepEqual(first, second) {
			t.Fatalf("judging twice differs (%v)", err)
		}
	})
}

func TestJudgeRefusesAnIncompleteCase(t *testing.T) {
	f := newFlights()
	whole := Case{View: *f.view, Layout: f.layout, Current: []drift.WindowProfile{f.window(0, 10, nil)}, Level: 1e-3}
	if _, err := Judge(&whole); err != nil {
		t.Errorf("Judge of a first window: %v", err)
	}
	for name, change := range map[string]func(*Case){
		"no layout":  func(c *Case) { c.Layout = nil },
		"no window":  func(c *Case) { c.Current = nil },
		"no profile": func(c *Case) { c.Current = []drift.WindowProfile{{}} },
		"no level":   func(c *Case) { c.Level = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			c := whole
			change(&c)
			if _, err := Judge(&c); !errors.Is(err, ErrCase) {
				t.Errorf("Judge: %v, want ErrCase", err)
			}
			if _, _, err := c.Encode(); !errors.Is(err, ErrCase) {
				t.Errorf("Encode: %v, want ErrCase", err)
			}
		})
	}
}

// What a Builder made before does not show in a case.
func TestBuilderIsPure(t *testing.T) {
	f := newFlights()
	f.pin(t)
	e := f.evidence(t, 40, f.window(45, 300, nil))
	used := NewBuilder()
	for n := 20; n <= 40; n++ {
		part := e
		part.History = e.History[:n]
		if _, err := used.Case(part); err != nil {
			t.Fatal(err)
		}
	}
	var heads [][]byte
	for _, b := range []*Builder{used, NewBuilder()} {
		c, err := b.Case(e)
		if err != nil {
			t.Fatal(err)
		}
		head, _, err := c.Encode()
		if err != nil {
			t.Fatal(err)
		}
		heads = append(heads, head)
	}
	if !bytes.Equal(heads[0], heads[1]) {
		t.Error("a used Builder makes another case of the same evidence")
	}
}

func TestAcceptedBaselineBorrowsTheSpread(t *testing.T) {
	f := newFlights()
	f.pin(t)
	_, before := judged(t, f.evidence(t, 20, f.window(30, 300, nil)))
	e := f.evidence(t, 1, f.window(31, 300, nil))
	e.Old = before.Reference
	if v, _ := judged(t, e); v.State != rules.Pass || v.Uncalibrated {
		t.Errorf("stable window after an accepted baseline: %s uncalibrated %v %+v", v.State, v.Uncalibrated, v.Reasons)
	}
	e.Current = []drift.WindowProfile{f.window(31, 300, func(v []feature.Value) { v[0] = feature.Float64Value(100 * v[0].Float()) })}
	if v, _ := judged(t, e); v.State != rules.Fail {
		t.Errorf("times 100 after an accepted baseline: %s %+v", v.State, v.Reasons)
	}
}

func TestSummaries(t *testing.T) {
	f := newFlights()
	f.pin(t)
	w := f.window(30, 300, nil)
	v, _ := judged(t, f.evidence(t, 12, w))
	text, err := Summaries(f.view, w.Profile, &v)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]Summary
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	d := got["delay"]
	if len(got) != 4 || d.N != 300 || d.Mean <= 0 || d.SD <= 0 || d.Quantiles["0.5"] <= 0 || d.Method == "" {
		t.Errorf("summaries %s", text)
	}
	t.Logf("%d bytes a feature", len(text)/len(got))
}

func BenchmarkJudge(b *testing.B) {
	f := newFlights()
	f.pin(b)
	e := f.evidence(b, 28, f.window(30, 300, nil))
	b.Run(fmt.Sprintf("features=%d/windows=28", len(f.view.Features)), func(b *testing.B) {
		builder := NewBuilder()
		for b.Loop() {
			c, err := builder.Case(e)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := Judge(c); err != nil {
				b.Fatal(err)
			}
		}
	})
}
