package drift

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"sluice/feature"
	"sluice/quality/sketch"
)

var attributionSeeds = flag.Int("attribution.seeds", 4, "seeds of TestAttribution, for each fault")

// producers are windows of a view whose rows come from producers that differ: in how many
// rows each sends, and in their values.
type producers struct {
	view   *feature.View
	layout *sketch.Layout
	rng    *rand.Rand
	share  []float64
	offset int64
}

func newProducers(seed uint64, n int) *producers {
	view := &feature.View{ID: 1, Name: "v", Window: feature.WindowSpec{Size: time.Hour}, Slices: []string{"region"}, Features: []feature.Feature{
		{ID: 1, Name: "amount", Type: feature.Float64}, {ID: 2, Name: "city", Type: feature.String}, {ID: 3, Name: "region", Type: feature.String},
	}}
	s := &producers{view: view, layout: sketch.Unbinned(view), rng: rand.New(rand.NewPCG(seed, 7)), share: make([]float64, n)}
	sum := 0.0
	for i := range s.share {
		s.share[i] = 0.4 + s.rng.Float64()
		sum += s.share[i]
	}
	for i := range s.share {
		s.share[i] /= sum
	}
	return s
}

// row is what a fault may change.
type row struct {
	producer, region, schema, city string
	amount                         float64
	null, gone                     bool
	index                          int // of the producer
}

func (s *producers) window(at, rows int, fault func(*row)) WindowProfile {
	w := s.view.Window.Starting(time.Unix(int64(at)*3600, 0).UTC())
	p := sketch.NewProfile(s.view, s.layout, sketch.HashKey{3})
	level := s.rng.NormFloat64() * 0.05
	for range rows {
		u, index := s.rng.Float64(), 0
		for index < len(s.share)-1 && u >= s.share[index] {
			u -= s.share[index]
			index++
		}
		r := row{index: index, producer: fmt.Sprintf("producer-%d", index), region: fmt.Sprintf("region-%d", s.rng.IntN(6)),
			schema: fmt.Sprintf("v%d", s.rng.IntN(2)), city: fmt.Sprintf("city-%d", int(math.Abs(s.rng.NormFloat64()*3)))}
		r.amount = math.Exp(s.rng.NormFloat64()*0.5 + 0.3*float64(index%3) + level)
		if fault != nil {
			fault(&r)
		}
		if r.gone {
			continue
		}
		s.offset++
		values := []feature.Value{feature.Float64Value(r.amount), feature.StringValue(r.city), feature.StringValue(r.region)}
		if r.null {
			values[0] = feature.Null
		}
		p.Add(&feature.Write{View: s.view, EventTime: w.Start, Values: values, Topic: "t", Offset: s.offset, EventID: fmt.Sprint(s.offset), Producer: r.producer, Schema: r.schema})
	}
	return WindowProfile{Window: w, Profile: p}
}

// judged returns what alarms in a window with that fault, after 28 windows without.
func (s *producers) judged(t *testing.T, rows int, fault func(*row)) ([]feature.Score, *Attribution) {
	t.Helper()
	layout, err := sketch.BuildLayout(s.view, s.window(0, 600, nil).Profile)
	if err != nil {
		t.Fatal(err)
	}
	s.layout = layout
	var history []WindowProfile
	for i := range 28 {
		history = append(history, s.window(i, rows, nil))
	}
	baseline, err := merge(s.view, layout, history)
	if err != nil {
		t.Fatal(err)
	}
	reference, err := BuildReference(s.view, layout, history)
	if err != nil {
		t.Fatal(err)
	}
	now := s.window(28, rows, fault)
	scores, err := reference.Score(s.view, layout, []WindowProfile{now}, baseline, 1e-3)
	if err != nil {
		t.Fatal(err)
	}
	return scores, NewAttribution(s.view, layout, now.Profile, baseline, 1, len(history))
}

// A fault of one producer, slice or schema is laid to it, and one of all rows alike to
// nothing. The faulty value holds between a thirtieth and half of the rows, rows of
// other producers have other values, and 1,000 rows make a window.
func TestAttribution(t *testing.T) {
	for name, tc := range map[string]struct {
		producers int
		fault     func(*row)
		want      string // the first share that is named; empty if none may be
		least     float64
	}{
		"unit of a producer":  {6, func(r *row) { r.amount *= when(r.index == 2, 60) }, "producer=producer-2", .95},
		"unit of one of 20":   {20, func(r *row) { r.amount *= when(r.index == 2, 60) }, "producer=producer-2", .95},
		"nulls of a producer": {6, func(r *row) { r.null = r.index == 4 }, "producer=producer-4", .95},
		"a producer stops":    {4, func(r *row) { r.gone = r.index == 1 }, "producer=producer-1", .95},
		"a new producer": {6, func(r *row) {
			if r.index == 3 {
				r.producer, r.amount = "intruder", r.amount*20
			}
		}, "producer=intruder", .95},
		"unit of a slice":    {6, func(r *row) { r.amount *= when(r.region == "region-1", 60) }, "region=region-1", .95},
		"values of a schema": {6, func(r *row) { r.amount *= when(r.schema == "v1", 2) }, "schema=v1", .95},
		"city of a producer": {6, func(r *row) {
			if r.index == 2 {
				r.city = "nowhere"
			}
		}, "producer=producer-2", .95},
		"unit of all":          {6, func(r *row) { r.amount *= 60 }, "", .95},
		"a little of all":      {6, func(r *row) { r.amount *= 1.4 }, "", .95},
		"nulls of all":         {6, func(r *row) { r.null = r.amount*1000-math.Floor(r.amount*1000) < .2 }, "", .95},
		"half of all rows":     {6, func(r *row) { r.gone = r.amount*1000-math.Floor(r.amount*1000) < .6 }, "", .95},
		"unit of all, one big": {2, func(r *row) { r.amount *= 60 }, "", .95},
	} {
		t.Run(name, func(t *testing.T) {
			right, alarmed := 0, 0
			for seed := range uint64(*attributionSeeds) {
				scores, a := newProducers(seed, tc.producers).judged(t, 1000, tc.fault)
				worst := feature.Score{}
				for _, s := range scores {
					if s.Text != "" && s.Severity > worst.Severity {
						worst = s
					}
				}
				if worst.Text == "" {
					continue
				}
				alarmed++
				shares := a.Of(Shift{worst.Feature, worst.Method, worst.Summary})
				got := ""
				if len(shares) > 0 && Named(&shares[0]) {
					got = shares[0].Name()
				}
				if got == tc.want {
					right++
				} else {
					t.Logf("seed %d, %s of %s: %q named first, want %q: %+v", seed, worst.Summary, worst.Feature, got, tc.want, shares)
				}
			}
			t.Logf("%d of %d alarms of %d seeds are laid to %q", right, alarmed, *attributionSeeds, tc.want)
			if alarmed < *attributionSeeds*9/10 || float64(right) < tc.least*float64(alarmed) {
				t.Errorf("%d of %d alarms laid to %q, want %.0f %% of at least %d", right, alarmed, tc.want, 100*tc.least, *attributionSeeds*9/10)
			}
		})
	}
}

func when(is bool, factor float64) float64 {
	if is {
		return factor
	}
	return 1
}
