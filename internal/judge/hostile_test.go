package judge

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"sluice/drift"
	"sluice/feature"
	"sluice/quality/sketch"
	"sluice/rules"
)

// zoo is a view with a feature of every kind, and windows of it.
type zoo struct {
	view   *feature.View
	layout *sketch.Layout
	rng    *rand.Rand
	offset int64
}

func newZoo() *zoo {
	view := &feature.View{ID: 1, Project: "p", Name: "zoo", Window: feature.WindowSpec{Size: time.Hour}}
	for i, t := range []feature.Type{feature.Float64, feature.Int64, feature.String, feature.Bytes, feature.Bool, feature.Timestamp,
		feature.ListOf(feature.Float64), feature.ListOf(feature.String), feature.JSON} {
		view.Features = append(view.Features, feature.Feature{ID: uint32(i + 1), Name: strings.Map(func(r rune) rune {
			if r == '<' || r == '>' {
				return '_'
			}
			return r
		}, t.String()), Type: t})
	}
	return &zoo{view: view, layout: sketch.Unbinned(view), rng: rand.New(rand.NewPCG(71, 72))}
}

// row is an ordinary row of the window that starts at start.
func (z *zoo) row(start time.Time) []feature.Value {
	texts := []string{"a", "b", "c"}
	word := func() feature.Value { return feature.StringValue(texts[z.rng.IntN(3)]) }
	return []feature.Value{
		feature.Float64Value(10 + z.rng.NormFloat64()), feature.Int64Value(z.rng.Int64N(100)), word(), feature.BytesValue([]byte{byte(z.rng.IntN(4))}),
		feature.BoolValue(z.rng.IntN(2) == 0), feature.TimestampValue(start.Add(-time.Duration(z.rng.ExpFloat64() * float64(1000*time.Hour)))),
		feature.ListValue(feature.Float64, []feature.Value{feature.Float64Value(z.rng.NormFloat64()), feature.Float64Value(z.rng.NormFloat64())}),
		feature.ListValue(feature.String, []feature.Value{word(), word()}), feature.JSONValue(fmt.Sprintf(`{"a":%d,"b":{"c":"x"}}`, z.rng.IntN(9))),
	}
}

func (z *zoo) window(index, rows int, change func(z *zoo, v []feature.Value)) drift.WindowProfile {
	w := z.view.Window.Starting(epoch.Add(time.Duration(index) * time.Hour))
	p := sketch.NewProfile(z.view, z.layout, sketch.HashKey{1})
	for range rows {
		v := z.row(w.Start)
		if change != nil {
			change(z, v)
		}
		z.offset++
		p.Add(&feature.Write{View: z.view, EventTime: w.Start, Values: v, Topic: "t", Offset: z.offset})
	}
	return drift.WindowProfile{Window: w, Profile: p}
}

// each turns a change of one number, text and json text into one of every value that
// holds such.
func each(number func(*zoo, float64) float64, text func(*zoo, string) string, doc func(*zoo) string) func(*zoo, []feature.Value) {
	return func(z *zoo, v []feature.Value) {
		if number != nil {
			v[0] = feature.Float64Value(number(z, v[0].Float()))
			v[6] = feature.ListValue(feature.Float64, []feature.Value{v[0], feature.Float64Value(number(z, 1))})
		}
		if text != nil {
			v[2], v[3] = feature.StringValue(text(z, v[2].Text())), feature.BytesValue([]byte(text(z, v[3].Text())))
			v[7] = feature.ListValue(feature.String, []feature.Value{v[2], feature.StringValue(text(z, "a"))})
		}
		if doc != nil {
			v[8] = feature.JSONValue(doc(z))
		}
	}
}

func constant(x float64) func(*zoo, float64) float64 {
	return func(*zoo, float64) float64 { return x }
}

var hostile = map[string]func(*zoo, []feature.Value){
	"all null": func(_ *zoo, v []feature.Value) { clear(v) },
	"constant": func(_ *zoo, v []feature.Value) {
		v[0], v[1], v[2], v[4] = feature.Float64Value(10), feature.Int64Value(5), feature.StringValue("a"), feature.BoolValue(true)
	},
	"+Inf":            each(constant(math.Inf(1)), nil, nil),
	"-Inf":            each(constant(math.Inf(-1)), nil, nil),
	"both infinities": each(func(z *zoo, _ float64) float64 { return math.Inf(z.rng.IntN(2)*2 - 1) }, nil, nil),
	"not a number":    each(constant(math.NaN()), nil, nil),
	"subnormal":       each(func(z *zoo, _ float64) float64 { return float64(z.rng.IntN(9)-4) * 5e-324 }, nil, nil),
	"1e308":           each(func(z *zoo, _ float64) float64 { return float64(z.rng.IntN(2)*2-1) * 1e308 }, nil, nil),
	"extreme integers": func(z *zoo, v []feature.Value) {
		v[1] = feature.Int64Value([]int64{math.MinInt64, math.MaxInt64}[z.rng.IntN(2)])
	},
	"extreme timestamps": func(z *zoo, v []feature.Value) {
		v[5] = feature.UnixSecondsValue([]int64{math.MinInt64, math.MaxInt64}[z.rng.IntN(2)])
	},
	"2,000 categories": each(nil, func(z *zoo, _ string) string { return fmt.Sprintf("value %d", z.rng.IntN(2000)) }, nil),
	"invalid UTF-8": each(nil, func(*zoo, string) string { return "\xff\xfe\x00\x1b[31m\xc3" }, func(*zoo) string {
		return "{\"\xff\x1b[31m\":{\"\\u202e\":1}}"
	}),
	"1 MiB texts": each(nil, func(z *zoo, _ string) string { return mebibyte + string(rune('a'+z.rng.IntN(3))) }, func(*zoo) string {
		return `{"` + mebibyte + `":1}`
	}),
	"no JSON":   each(nil, nil, func(*zoo) string { return `{"a":` }),
	"deep JSON": each(nil, nil, func(*zoo) string { return strings.Repeat(`[`, 10_000) + strings.Repeat(`]`, 10_000) }),
	"wide JSON": each(nil, nil, func(z *zoo) string { return wideJSON(z.rng) }),
	"empty lists": func(_ *zoo, v []feature.Value) {
		v[6], v[7] = feature.ListValue(feature.Float64, nil), feature.ListValue(feature.String, nil)
	},
	"short writes": func(_ *zoo, v []feature.Value) { clear(v[1:]) },
}

var mebibyte = strings.Repeat("x", 1<<20)

func wideJSON(rng *rand.Rand) string {
	var b strings.Builder
	for i := range 600 {
		fmt.Fprintf(&b, `,"k%d":%d`, rng.IntN(1e6), i)
	}
	return "{" + b.String()[1:] + "}"
}

// Windows, histories and whole views of values that nobody expects get a verdict, which
// says something about each feature or why it cannot, is JSON, and is recomputed to the
// same bytes.
func TestHostileWindows(t *testing.T) {
	for name, change := range hostile {
		rows, big := 120, strings.HasPrefix(name, "1 MiB") || name == "wide JSON"
		if big {
			rows = 40
		}
		for _, side := range []string{"window", "history", "both", "cold", "first"} {
			t.Run(name+", "+side, func(t *testing.T) {
				if big && (side == "both" || side == "history") && testing.Short() {
					t.Log("the large ones are judged as windows only")
					return
				}
				before, after := (func(*zoo, []feature.Value))(nil), change
				switch side {
				case "history":
					before, after = change, nil
				case "both":
					before = change
				}
				windows := map[string]int{"cold": 3, "first": 0}
				n, known := windows[side]
				if !known {
					n = 9
				}
				v := hostileVerdict(t, rows, n, before, after)
				switch {
				case side == "window" && name != "short writes" && v.State != rules.Fail && v.State != rules.Warn:
					t.Errorf("verdict %s on ordinary history: %+v", v.State, v.Scores)
				case side == "both" && v.State == rules.Fail:
					t.Errorf("verdict %s on a history of the same: %+v", v.State, v.Reasons)
				}
				if side == "window" && len(v.Reasons) > 0 {
					t.Log(v.Reasons[0].Text)
				}
			})
		}
	}
}

// hostileVerdict judges a window after n windows of history, and checks the verdict.
func hostileVerdict(t *testing.T, rows, n int, before, after func(*zoo, []feature.Value)) rules.Verdict {
	t.Helper()
	z := newZoo()
	pin := []*sketch.Profile{z.window(-9, 210, before).Profile}
	layout, err := sketch.BuildLayout(z.view, pin...)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := layout.MarshalBinary()
	if z.layout, err = sketch.UnmarshalLayout(body); err != nil || z.layout.Digest() != layout.Digest() {
		t.Fatalf("the layout does not survive: %v", err)
	}
	var history []drift.WindowProfile
	for i := range n {
		history = append(history, z.window(i, rows, before))
	}
	return z.judged(t, history, z.window(n+5, rows, after))
}

// judged judges a window, and checks what every verdict must be.
func (z *zoo) judged(t *testing.T, history []drift.WindowProfile, current drift.WindowProfile) rules.Verdict {
	t.Helper()
	e := Evidence{Kind: KindWindow, View: z.view, Window: current.Window, Versions: []feature.Version{7}, Layout: z.layout,
		Current: []drift.WindowProfile{current}, Rules: rules.Default(), Level: 1e-3, History: history}
	if len(history) > 0 {
		e.Baseline = sketch.NewProfile(z.view, z.layout, sketch.HashKey{})
		for _, w := range history {
			if err := e.Baseline.Merge(w.Profile); err != nil {
				t.Fatal(err)
			}
		}
	}
	v, c := judged(t, e)
	if v.State == rules.Error {
		t.Errorf("verdict %s: %+v", v.State, v.Reasons)
	}
	head, blobs, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	again, err := DecodeCase(head, fetch(blobs))
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatalf("the verdict is no JSON: %v", err)
	}
	var stored rules.Verdict
	if err := json.Unmarshal(text, &stored); err != nil {
		t.Fatal(err)
	}
	if differences := Verify(stored, again); len(differences) > 0 {
		t.Errorf("Verify: %v", differences)
	}
	for _, r := range v.Reasons {
		if r.Text == "" || len(r.Text) > 1000 || !utf8.ValidString(r.Text) || strings.ContainsAny(r.Text, "\x00\x1b\u202e") || strings.Contains(r.Text, "NaN") {
			t.Errorf("a reason says %.200q", r.Text)
		}
	}
	if _, err := Summaries(z.view, current.Profile, &v); err != nil {
		t.Errorf("Summaries: %v", err)
	}
	return v
}

// Windows of few rows or none say that they are too few, and not that all is well.
func TestWindowsOfFewRows(t *testing.T) {
	for name, tc := range map[string]struct {
		rows, history int
		state         rules.State
		tooFew        bool
	}{
		"no rows":                 {0, 12, rules.Inconclusive, true},
		"one row":                 {1, 12, rules.Inconclusive, true},
		"no rows, cold":           {0, 3, rules.Inconclusive, true},
		"one row, cold":           {1, 3, rules.Inconclusive, true},
		"one row, first":          {1, 0, rules.Pass, false},
		"no rows, first":          {0, 0, rules.Pass, false},
		"no rows, history of one": {0, 1, rules.Inconclusive, true},
	} {
		t.Run(name, func(t *testing.T) {
			z := newZoo()
			var err error
			if z.layout, err = sketch.BuildLayout(z.view, z.window(-9, 210, nil).Profile); err != nil {
				t.Fatal(err)
			}
			var history []drift.WindowProfile
			for i := range tc.history {
				history = append(history, z.window(i, 200, nil))
			}
			v := z.judged(t, history, z.window(20, tc.rows, nil))
			if v.State != tc.state || v.TooFew != tc.tooFew || tc.history == 0 && !v.Uncalibrated {
				t.Errorf("verdict %s, too few %v, uncalibrated %v, want %s, %v: %+v", v.State, v.TooFew, v.Uncalibrated, tc.state, tc.tooFew, v.Reasons)
			}
		})
	}
	z := newZoo()
	if _, err := sketch.BuildLayout(z.view, z.window(0, 0, nil).Profile); !errors.Is(err, sketch.ErrSample) {
		t.Errorf("a layout of nothing: %v, want ErrSample", err)
	}
}

// A history of windows without rows, or of one row each, is no history of values.
func TestHistoryOfFewRows(t *testing.T) {
	for _, rows := range []int{0, 1} {
		z := newZoo()
		var err error
		if z.layout, err = sketch.BuildLayout(z.view, z.window(-9, 210, nil).Profile); err != nil {
			t.Fatal(err)
		}
		var history []drift.WindowProfile
		for i := range 12 {
			history = append(history, z.window(i, rows, nil))
		}
		if v := z.judged(t, history, z.window(20, 200, nil)); rows == 0 && !v.Uncalibrated {
			t.Errorf("windows of %d rows calibrate: %s %+v", rows, v.State, v.Reasons)
		}
	}
}

// A baseline whose feature has another type is refused by name where profiles meet, and
// a feature that the layout knows under another type is judged by its nulls.
func TestBaselineOfAnotherType(t *testing.T) {
	for i, f := range newZoo().view.Features {
		t.Run(f.Name, func(t *testing.T) {
			old, now := newZoo(), newZoo()
			to := feature.Float64
			if f.Type == feature.Float64 {
				to = feature.String
			}
			old.view.Features[i].Type = to
			turn := func(_ *zoo, v []feature.Value) {
				if v[i] = feature.Float64Value(1); to == feature.String {
					v[i] = feature.StringValue("x")
				}
			}
			var err error
			if old.layout, err = sketch.BuildLayout(old.view, old.window(-9, 210, turn).Profile); err != nil {
				t.Fatal(err)
			}
			now.layout = old.layout
			before, after := old.window(0, 200, turn), now.window(20, 200, nil)
			if err := after.Profile.Merge(before.Profile); !errors.Is(err, sketch.ErrLayout) {
				t.Fatalf("merging %s into %s: %v, want ErrLayout", to, f.Type, err)
			}
			e := Evidence{Kind: KindWindow, View: now.view, Window: after.Window, Versions: []feature.Version{7}, Layout: now.layout,
				Current: []drift.WindowProfile{after}, Rules: rules.Default(), Level: 1e-3, Baseline: before.Profile}
			for k := range 12 {
				e.History = append(e.History, old.window(k, 200, turn))
			}
			c, err := NewBuilder().Case(e)
			if err != nil {
				t.Fatal(err)
			}
			v, err := Judge(c)
			if err != nil || v.State == rules.Error {
				t.Fatalf("Judge = %s, %v", v.State, err)
			}
		})
	}
}
