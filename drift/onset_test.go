package drift

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"sluice/feature"
	"sluice/quality/sketch"
)

// The onset of a fault that begins in the middle of a window is found near the first bad
// record of each partition, and none is found where nothing changed.
func TestOnset(t *testing.T) {
	for name, tc := range map[string]struct {
		bad  func(rng *rand.Rand, v []feature.Value)
		most int // median error, in rows of the producer
	}{
		"times 60":       {func(_ *rand.Rand, v []feature.Value) { v[0] = feature.Float64Value(60 * v[0].Float()) }, 0},
		"null":           {func(_ *rand.Rand, v []feature.Value) { v[0] = feature.Null }, 0},
		"times 2":        {func(_ *rand.Rand, v []feature.Value) { v[0] = feature.Float64Value(2 * v[0].Float()) }, 6},
		"one in 5 nulls": {func(rng *rand.Rand, v []feature.Value) { v[0] = nullAt(rng, .2, v[0]) }, 8},
	} {
		t.Run(name, func(t *testing.T) {
			var errs []int
			for seed := range uint64(max(10, *attributionSeeds)) {
				errs = append(errs, onsetErrors(t, seed, tc.bad)...)
			}
			slices.Sort(errs)
			t.Logf("%d onsets: error in rows, median %d, 90 %% within %d, largest %d", len(errs), errs[len(errs)/2], errs[len(errs)*9/10], errs[len(errs)-1])
			if errs[len(errs)/2] > tc.most {
				t.Errorf("median error %d rows, want at most %d", errs[len(errs)/2], tc.most)
			}
		})
	}
}

func nullAt(rng *rand.Rand, share float64, v feature.Value) feature.Value {
	if rng.Float64() < share {
		return feature.Null
	}
	return v
}

// onsetErrors plants a fault of one of three producers in the middle of a window of two
// partitions, and returns how many of its rows the onsets are away from the first bad one.
func onsetErrors(t *testing.T, seed uint64, bad func(*rand.Rand, []feature.Value)) (errs []int) {
	t.Helper()
	s := newProducers(seed, 3)
	layout, err := sketch.BuildLayout(s.view, s.window(0, 600, nil).Profile)
	if err != nil {
		t.Fatal(err)
	}
	s.layout = layout
	baseline := sketch.NewProfile(s.view, layout, sketch.HashKey{})
	for i := range 10 {
		if err := baseline.Merge(s.window(i, 1200, nil).Profile); err != nil {
			t.Fatal(err)
		}
	}
	now := sketch.NewProfile(s.view, layout, sketch.HashKey{3})
	var writes []*feature.Write
	for i := range 1200 {
		w := &feature.Write{View: s.view, Topic: "t", Partition: int32(i % 2), Offset: int64(i), Producer: fmt.Sprintf("producer-%d", s.rng.IntN(3)),
			Values: []feature.Value{feature.Float64Value(math.Exp(s.rng.NormFloat64() * .5)), feature.StringValue("city-1"), feature.StringValue(fmt.Sprintf("region-%d", s.rng.IntN(6)))}}
		if w.Producer == "producer-1" {
			w.Values[0] = feature.Float64Value(w.Values[0].Float() * math.Exp(.3))
		}
		if w.Producer == "producer-2" {
			w.Values[0] = feature.Float64Value(w.Values[0].Float() * math.Exp(.6))
		}
		if i >= 700 && w.Producer == "producer-1" {
			bad(s.rng, w.Values)
		}
		now.Add(w)
		writes = append(writes, w)
	}
	a := NewAttribution(s.view, layout, now, baseline, 1, 10)
	shift := Shift{"amount", MethodCalibrated, Location.String()}
	if now.Column(1).Nulls > 0 {
		shift.Summary = Nulls.String()
	}
	shares := a.Of(shift)
	if len(shares) == 0 || shares[0].Name() != "producer=producer-1" {
		t.Fatalf("seed %d: shares %+v, want producer-1 first", seed, shares)
	}
	o, ok := a.Onset(shift, &shares[0], sketch.HashKey{3})
	if !ok {
		t.Fatal("no onset of a shift in values")
	}
	for _, w := range writes {
		o.Add(w, -2)
	}
	first := o.First()
	for partition := range int32(2) {
		at, found := first[fmt.Sprintf("t/%d", partition)]
		if !found {
			t.Fatalf("seed %d: onsets %v, want one of each partition", seed, first)
		}
		away := 0
		for _, w := range writes {
			if w.Partition == partition && w.Producer == "producer-1" && (w.Offset >= 700 && w.Offset < at || w.Offset < 700 && w.Offset >= at) {
				away++
			}
		}
		errs = append(errs, away)
	}
	quiet, _ := a.Onset(shift, &feature.Share{Dimension: "producer", Header: true, Value: "producer-2"}, sketch.HashKey{3})
	for _, w := range writes {
		quiet.Add(w, -2)
	}
	if got := quiet.First(); len(got) > 0 {
		t.Logf("seed %d: onsets %v of a producer without a fault", seed, got)
		errs = append(errs, 1000)
	}
	return errs
}
