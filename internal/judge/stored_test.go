package judge

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"sluice/drift"
	"sluice/feature"
	"sluice/quality/sketch"
	"sluice/rules"
)

var writeStored = flag.Bool("stored.write", false, "write the verdicts of the detector's method as it is to testdata: for a method that no release has yet")

// stored are cases with the verdicts that a method of the detector gave on them, and what
// they are made of by the hex SHA-256 of its bytes.
type stored struct {
	Method int               `json:"method"`
	Cases  []storedCase      `json:"cases"`
	Blobs  map[string][]byte `json:"blobs"`
}

type storedCase struct {
	Name    string          `json:"name"`
	Head    json.RawMessage `json:"head"`
	Verdict json.RawMessage `json:"verdict"`
}

// TestStoredVerdicts judges cases again that were stored under every method that the detector
// has had, each by the code of its time (testdata/method1.json.gz to method6.json.gz: of the
// commits before the method after them), and wants the same verdicts, bit for bit, of the same
// bytes.
func TestStoredVerdicts(t *testing.T) {
	if *writeStored {
		made := makeStored(t)
		body, err := json.Marshal(made)
		if err != nil {
			t.Fatal(err)
		}
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		if _, err := z.Write(body); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(fmt.Sprintf("testdata/method%d.json.gz", made.Method), packed.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	files, err := filepath.Glob("testdata/method*.json.gz")
	if err != nil || len(files) < 7 {
		t.Fatalf("verdicts of %d methods, %v, want of 7 or more", len(files), err)
	}
	for _, file := range files {
		s := readStored(t, file)
		states := map[rules.State]int{}
		for _, one := range s.Cases {
			t.Run(fmt.Sprintf("method %d, %s", s.Method, one.Name), func(t *testing.T) { states[s.verify(t, one)]++ })
		}
		if states[rules.Pass] == 0 || states[rules.Fail] == 0 || states[rules.Warn] == 0 {
			t.Errorf("%s: states %v, want some that pass, warn and fail", file, states)
		}
	}
}

func readStored(t testing.TB, file string) *stored {
	t.Helper()
	packed, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	z, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	s := new(stored)
	if err := json.NewDecoder(z).Decode(s); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *stored) verify(t *testing.T, one storedCase) rules.State {
	c, err := DecodeCase(one.Head, func(name string) ([]byte, error) { return s.Blobs[name], nil })
	if err != nil {
		t.Fatal(err)
	}
	if got := max(1, c.Reference.Method); got != s.Method {
		t.Fatalf("the reference is of method %d, want %d", got, s.Method)
	}
	var v rules.Verdict
	if err := json.Unmarshal(one.Verdict, &v); err != nil {
		t.Fatal(err)
	}
	for _, difference := range Verify(v, c) {
		t.Error(difference)
	}
	_, named, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, body := range named {
		if !bytes.Equal(s.Blobs[name], body) {
			t.Errorf("what the case is made of has other bytes: %s of %d", name, len(body))
		}
	}
	return v.State
}

// makeStored judges windows of a view with a feature of every kind: one like history, small
// faults, and one of each kind of feature that is spoiled.
func makeStored(t *testing.T) *stored {
	view := &feature.View{ID: 3, Project: "p", Name: "payments", Window: feature.WindowSpec{Size: time.Hour}, Features: []feature.Feature{
		{ID: 1, Name: "amount", Type: feature.Float64, Unit: "euro"},
		{ID: 2, Name: "merchant", Type: feature.String},
		{ID: 3, Name: "country", Type: feature.String},
		{ID: 4, Name: "opened", Type: feature.Timestamp},
		{ID: 5, Name: "tags", Type: feature.ListOf(feature.String)},
		{ID: 6, Name: "detail", Type: feature.JSON},
	}}
	rng, offset, layout := rand.New(rand.NewPCG(2026, 11)), int64(0), sketch.Unbinned(view)
	word := func(kind string, n float64) feature.Value {
		return feature.StringValue(fmt.Sprint(kind, int(math.Abs(rng.NormFloat64()*n))))
	}
	window := func(index int, change func(v []feature.Value)) drift.WindowProfile {
		w := view.Window.Starting(time.Unix(1_700_006_400, 0).UTC().Add(time.Duration(index) * time.Hour))
		p := sketch.NewProfile(view, layout, sketch.HashKey{5})
		for range 120 {
			v := []feature.Value{feature.Float64Value(math.Exp(rng.NormFloat64())), word("m", 150), word("c", 2),
				feature.UnixSecondsValue(w.Start.Unix() - rng.Int64N(1e7)), feature.ListValue(feature.String, []feature.Value{word("t", 3), word("t", 40)}),
				feature.JSONValue(fmt.Sprintf(`{"device":{"os":"x"},"k%d":1}`, rng.IntN(3)))}
			if rng.IntN(50) == 0 {
				v[0] = feature.Null
			}
			if change != nil {
				change(v)
			}
			offset++
			p.Add(&feature.Write{View: view, EventTime: w.Start, Values: v, Topic: "t", Offset: offset})
		}
		return drift.WindowProfile{Window: w, Profile: p}
	}
	layout, err := sketch.BuildLayout(view, window(-2, nil).Profile, window(-1, nil).Profile)
	if err != nil {
		t.Fatal(err)
	}
	e := Evidence{Kind: KindWindow, View: view, Versions: []feature.Version{9}, Layout: layout, Level: 1e-3, Baseline: sketch.NewProfile(view, layout, sketch.HashKey{})}
	for _, r := range rules.Default() {
		if r.Method != rules.Forest { // whose bytes are many
			e.Rules = append(e.Rules, r)
		}
	}
	for i := range 14 {
		w := window(i, nil)
		if err := e.Baseline.Merge(w.Profile); err != nil {
			t.Fatal(err)
		}
		e.History = append(e.History, w)
	}
	e.Recent = append(e.Recent, window(14, func(v []feature.Value) { v[0] = feature.Float64Value(v[0].Float() * 1.2) }))
	some := func(share float64, at int, to feature.Value) func(v []feature.Value) {
		return func(v []feature.Value) {
			if rng.Float64() < share {
				v[at] = to
			}
		}
	}
	changes := map[string]func(v []feature.Value){
		"like history":       nil,
		"amount times 1.3":   func(v []feature.Value) { v[0] = feature.Float64Value(v[0].Float() * 1.3) },
		"amount times 100":   func(v []feature.Value) { v[0] = feature.Float64Value(v[0].Float() * 100) },
		"amounts missing":    some(.2, 0, feature.Null),
		"amounts far out":    some(.04, 0, feature.Float64Value(14)),
		"a new merchant":     some(.08, 1, feature.StringValue("brand new")),
		"many of a merchant": some(.3, 1, feature.StringValue("brand new")),
		"a new country":      some(.02, 2, feature.StringValue("nowhere")),
		"tags":               some(.1, 4, feature.ListValue(feature.String, []feature.Value{feature.StringValue("new tag")})),
		"details missing":    some(.3, 5, feature.JSONValue("{}")),
		"opened at once":     some(.3, 3, feature.UnixSecondsValue(1_700_000_000)),
	}
	out := &stored{Blobs: map[string][]byte{}}
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		w := window(16, changes[name])
		e.Window, e.Current = w.Window, []drift.WindowProfile{w}
		v, c := judged(t, e)
		head, named, err := c.Encode()
		if err != nil {
			t.Fatal(err)
		}
		body, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out.Method = c.Reference.Method
		out.Cases = append(out.Cases, storedCase{Name: name, Head: head, Verdict: body})
		maps.Copy(out.Blobs, named)
	}
	return out
}
