package sketch

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"sluice/feature"
)

// A profile is a function of the rows: wherever in the log they stand, however they are
// split, ordered and cut into batches, it has the same bytes, and so has a layout of it.
func TestProfileIsOfTheRows(t *testing.T) {
	view := testView(testTypes...)
	rng := rand.New(rand.NewPCG(21, 22))
	writes := randomWrites(rng, view, 1800)
	for i, w := range writes {
		if i%3 == 0 {
			w.EventID = fmt.Sprint("id ", i)
		}
		if i%2 == 0 {
			w.Producer = fmt.Sprint("producer ", i%7)
		}
	}
	for range 700 { // that say what others say
		if w := writes[rng.IntN(1800)]; w.EventID == "" {
			writes = append(writes, w)
		}
	}
	for name, layout := range map[string]*Layout{"binned": layoutOf(t, view, writes[:800]), "unbinned": Unbinned(view)} {
		t.Run(name, func(t *testing.T) {
			whole := profileOf(view, layout, writes)
			want, bins := encode(t, whole), layoutBytes(t, view, whole)
			if len(whole.Sample) != SampleRows || !whole.repeats() {
				t.Fatalf("%d rows sampled, some of them repeated: %t; want all of a sample, and some", len(whole.Sample), whole.repeats())
			}
			for trial := range 12 {
				parts := elsewhere(t, rng, view, layout, writes)
				got := mergeTree(t, rng, parts)
				if !bytes.Equal(encode(t, got), want) {
					t.Fatalf("trial %d: %d parts merge to other bytes", trial, len(parts))
				}
				if !bytes.Equal(layoutBytes(t, view, got), bins) {
					t.Fatalf("trial %d: another layout", trial)
				}
			}
		})
	}
}

func layoutBytes(t *testing.T, view *feature.View, profiles ...*Profile) []byte {
	t.Helper()
	l, err := BuildLayout(view, profiles...)
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// elsewhere profiles writes that stand in other places of other partitions, in parts that
// take them in batches of any size, or one by one, and are stored in between.
func elsewhere(t *testing.T, rng *rand.Rand, view *feature.View, layout *Layout, writes []*feature.Write) []*Profile {
	t.Helper()
	shares := make([][]*feature.Write, 1+rng.IntN(5))
	for at, i := range rng.Perm(len(writes)) {
		w := *writes[i]
		part := rng.IntN(len(shares))
		w.Topic, w.Partition, w.Offset = fmt.Sprint("topic ", rng.IntN(2)), int32(part), int64(at)*rng.Int64N(1000)
		shares[part] = append(shares[part], &w)
	}
	parts := make([]*Profile, len(shares))
	for i, share := range shares {
		parts[i] = NewProfile(view, layout, testKey)
		for len(share) > 0 {
			n := 1 + rng.IntN(len(share))
			if rng.IntN(2) == 0 {
				parts[i].AddBatch(share[:n])
			} else {
				for _, w := range share[:n] {
					parts[i].Add(w)
				}
			}
			share = share[n:]
			stored, err := UnmarshalProfile(encode(t, parts[i]), layout)
			if err == nil {
				err = stored.Resume(testKey)
			}
			if err != nil {
				t.Fatal(err)
			}
			parts[i] = stored
		}
	}
	return parts
}

// Rows that say the same count in the sample as often as they are there, although it holds
// them once.
func TestRepeatedRows(t *testing.T) {
	view := testView(feature.Bool, feature.Float64)
	var writes []*feature.Write
	for i := range 9000 {
		writes = append(writes, &feature.Write{View: view, Offset: int64(i), EventTime: time.Unix(1_000_200, 0),
			Values: []feature.Value{feature.BoolValue(i%30 == 0), feature.Float64Value(float64(i % 3))}})
	}
	p := profileOf(view, Unbinned(view), writes)
	if len(p.Sample) != 4 { // 0, 1 and 2, and true with 0
		t.Fatalf("%d different rows, want 4", len(p.Sample))
	}
	counts := map[string]float64{}
	for _, r := range p.SampledRows() {
		counts[fmt.Sprintf("%t%v", r.Values[0].Bool(), r.Values[1].Float())]++
	}
	want := map[string]float64{"false0": 2700, "true0": 300, "false1": 3000, "false2": 3000}
	for name, n := range want {
		if got := counts[name]; math.Abs(got-n*SampleRows/9000) > 1 {
			t.Errorf("%s stands for %v of %d rows, want %v", name, got, SampleRows, n*SampleRows/9000)
		}
	}
	if len(counts) != len(want) {
		t.Errorf("rows %v, want %v", counts, want)
	}
	l, err := BuildLayout(view, p)
	if err != nil {
		t.Fatal(err)
	}
	if n := l.Feature(2).Sample; n != mostRows {
		t.Errorf("the layout stands on %d values, want %d", n, mostRows)
	}
	few := profileOf(view, Unbinned(view), writes[:90])
	if n := len(few.SampledRows()); n != 90 {
		t.Errorf("%d of 90 rows that repeat each other are sampled", n)
	}
	again, err := UnmarshalProfile(encode(t, p), Unbinned(view))
	if err != nil || !slices.EqualFunc(again.Sample, p.Sample, func(a, b SampleRow) bool { return a.Hash == b.Hash && a.Times == b.Times }) {
		t.Errorf("UnmarshalProfile = %v: the number of repeated rows is lost", err)
	}
}

// What a row is: each part of it makes another row, and only those do.
func TestRowHash(t *testing.T) {
	view := testView(testTypes...)
	other := *view
	other.Features = slices.Clone(view.Features)
	slices.Reverse(other.Features)
	h := newHasher(testKey)
	base := func() *feature.Write {
		w := &feature.Write{View: view, Key: "k", EventTime: time.Unix(1_000_200, 7), Topic: "t", Partition: 1, Offset: 9, Producer: "p", Schema: "s"}
		rng := rand.New(rand.NewPCG(5, 6))
		for _, f := range view.Features {
			w.Values = append(w.Values, randomValue(rng, f.Type))
		}
		w.Values[10] = feature.ListValue(feature.String, []feature.Value{feature.StringValue("a"), feature.StringValue("b")})
		return w
	}
	want := h.row(base())
	for name, change := range map[string]func(w *feature.Write){
		"another place": func(w *feature.Write) { w.Topic, w.Partition, w.Offset = "u", 2, 10 },
		"another zone":  func(w *feature.Write) { w.EventTime = w.EventTime.In(time.FixedZone("x", 3600)) },
		"another order": func(w *feature.Write) { w.View = &other; slices.Reverse(w.Values) },
		"a null feature": func(w *feature.Write) {
			w.View = testView(append(slices.Clone(testTypes), feature.Bool)...)
			w.Values = append(w.Values, feature.Null)
		},
	} {
		w := base()
		if change(w); h.row(w) != want {
			t.Errorf("%s makes another row", name)
		}
	}
	seen := map[uint64]string{want: "base"}
	differs := func(name string, change func(w *feature.Write)) {
		w := base()
		change(w)
		if known, ok := seen[h.row(w)]; ok {
			t.Errorf("%s is the same row as %s", name, known)
		}
		seen[h.row(w)] = name
	}
	differs("another key", func(w *feature.Write) { w.Key = "l" })
	differs("another time", func(w *feature.Write) { w.EventTime = w.EventTime.Add(1) })
	differs("an event id", func(w *feature.Write) { w.EventID = "e" })
	differs("another event id", func(w *feature.Write) { w.EventID = "f" })
	differs("another producer", func(w *feature.Write) { w.Producer = "q" })
	differs("another schema", func(w *feature.Write) { w.Schema = "q" })
	differs("a list in another order", func(w *feature.Write) {
		w.Values[10] = feature.ListValue(feature.String, []feature.Value{feature.StringValue("b"), feature.StringValue("a")})
	})
	rng := rand.New(rand.NewPCG(7, 8))
	for i, f := range view.Features {
		for {
			if v := randomValue(rng, f.Type); !v.Equal(base().Values[i]) {
				differs("another "+f.Name, func(w *feature.Write) { w.Values[i] = v })
				break
			}
		}
	}
}
