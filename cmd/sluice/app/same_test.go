package app

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sluice/feature"
	"sluice/internal/judge"
	"sluice/quality/sketch"
	"sluice/rules"
	"sluice/tap"
)

// delivery is how rows come to a platform.
type delivery struct {
	partitions int
	taps       int
	ordered    bool // as they were drawn, a window in one append
	seed       uint64
	restart    int // before that window; 0: never
}

// TestVerdictsAreOfTheRows plays the same rows to platforms of one hash key, over other
// numbers of partitions, in other orders, cut otherwise into batches, through one tap and
// two, and through a restart: every verdict, and all that it was computed from, has the
// same bytes.
func TestVerdictsAreOfTheRows(t *testing.T) {
	want := deliver(t, delivery{partitions: 1, taps: 1, ordered: true})
	states := map[rules.State]int{}
	forests, repeats := 0, false
	for _, v := range want {
		states[v.State]++
		if v.Digests["forest"] != "" {
			forests++
		}
		repeats = repeats || v.repeats
	}
	if states[rules.Pass] == 0 || states[rules.Fail] == 0 || forests < 4 || !repeats {
		t.Errorf("states %v, %d verdicts with a forest, repeated rows in samples: %t; want some that pass and fail, of all", states, forests, repeats)
	}
	for _, how := range []delivery{
		{partitions: 1, taps: 1, seed: 1},
		{partitions: 4, taps: 2, seed: 2},
		{partitions: 3, taps: 1, seed: 3, restart: 13},
	} {
		t.Run(fmt.Sprintf("partitions=%d,taps=%d,restart=%d", how.partitions, how.taps, how.restart), func(t *testing.T) {
			got := deliver(t, how)
			if len(got) != len(want) {
				t.Fatalf("%d verdicts, want %d", len(got), len(want))
			}
			for i := range want {
				if string(got[i].bytes) != string(want[i].bytes) {
					t.Fatalf("verdict %d\n%s\nwant\n%s", i, got[i].bytes, want[i].bytes)
				}
			}
		})
	}
}

const (
	sameWindows = 24
	sameRows    = 700 // more than are sampled
)

// sameRow is one row, and the event id that its record says; empty without.
type sameRow struct{ body, id string }

// sameWindow draws the rows of a window. A third have event ids; of the others, many say
// the same as another.
func sameWindow(window int) (rows []sameRow) {
	rng := rand.New(rand.NewPCG(uint64(window), 71))
	start := drillDay.Add(time.Duration(window) * time.Minute)
	for n := range sameRows {
		x := rng.NormFloat64()
		a, b := math.Round(10*math.Exp(x)), math.Round(500+100*x+20*rng.NormFloat64())
		switch window {
		case 18:
			a *= 100
		case 20: // what goes together elsewhere
			b = math.Round(500 + 100*rng.NormFloat64())
		}
		row := sameRow{body: fmt.Sprintf(`{"view":"drill","key":{"id":"e%d"},"event_time":"%s","values":{"a":%v,"b":%v,"c":"c%d"}}`,
			rng.IntN(40), start.Add(time.Duration(rng.IntN(60))*time.Second).Format(time.RFC3339), a, b, rng.IntN(7))}
		if n%3 == 0 {
			row.id = fmt.Sprintf("w%d-%d", window, n)
		}
		rows = append(rows, row)
		for row.id == "" && rng.IntN(4) == 0 {
			rows = append(rows, row)
		}
	}
	return rows
}

// sameVerdict is a verdict with the bytes that must not hang on the delivery.
type sameVerdict struct {
	rules.Verdict
	bytes   []byte
	repeats bool // a sampled row is there several times
}

// deliver plays all windows to a new platform and returns its verdicts.
func deliver(t *testing.T, how delivery) []sameVerdict {
	cfg := DefaultConfig()
	cfg.Data = filepath.Join(t.TempDir(), "data")
	cfg.Kafka.Partitions = how.partitions
	cfg.Listen.HTTP, cfg.Listen.GRPC, cfg.Listen.Kafka = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	key := sketch.HashKey{7}
	d := &drill{t: t, cfg: cfg, key: &key}
	d.start()
	defs := feature.Definitions{Project: "p", Views: []feature.View{{
		Project: "p", Name: "drill", Entities: []feature.Entity{{Name: "id", Type: feature.String}},
		Features: []feature.Feature{{Name: "a", Type: feature.Float64}, {Name: "b", Type: feature.Float64}, {Name: "c", Type: feature.String}},
		Window:   feature.WindowSpec{Size: time.Minute, Lateness: time.Second, Idle: time.Hour}, Source: feature.Source{Format: "json", EventTime: "event_time"},
		Publish:  feature.Publish{Mode: feature.Gated, ProbationWindows: 3, ProbationFail: 2, Hold: 3, MaxRollbacksPerHour: 3, OnStaleRollback: "serve"},
		Baseline: feature.Baseline{From: "trailing", Windows: 100},
	}}}
	d.define(defs)
	var second *secondTap
	if how.taps > 1 {
		second = d.secondTap()
	}
	rng := rand.New(rand.NewPCG(how.seed, 72))
	for window := range sameWindows {
		if window > 0 && window == how.restart {
			d.stop()
			d.start()
		}
		d.send(window, how, rng)
	}
	if second != nil {
		second.stop()
	}
	defer d.stop()
	return d.verdicts()
}

// define puts definitions in force.
func (d *drill) define(defs feature.Definitions) {
	d.t.Helper()
	defs, _, err := d.a.parts.registry.SaveDefinitions(d.t.Context(), 0, defs, feature.Audit{By: "drill", Action: "apply"})
	if err == nil {
		err = d.a.applied(d.t.Context(), &defs)
	}
	if err != nil {
		d.t.Fatal(err)
	}
	d.view = &defs.Views[0]
}

// send delivers a window, closes it and waits until it is judged.
func (d *drill) send(window int, how delivery, rng *rand.Rand) {
	d.t.Helper()
	rows := sameWindow(window)
	if !how.ordered {
		rng.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	}
	for len(rows) > 0 {
		n := len(rows)
		if !how.ordered {
			n = 1 + rng.IntN(n)
		}
		var out []tap.Out
		for _, row := range rows[:n] {
			partition := int32(rng.IntN(how.partitions))
			o := tap.Out{Value: []byte(row.body), Partition: &partition}
			if row.id != "" {
				o.Headers = []tap.Header{{Key: tap.HeaderEventID, Value: []byte(row.id)}}
			}
			out = append(out, o)
		}
		if _, err := d.a.parts.log.Append(d.t.Context(), d.cfg.Kafka.Writes, out); err != nil {
			d.t.Fatal(err)
		}
		rows = rows[n:]
	}
	start := drillDay.Add(time.Duration(window) * time.Minute)
	if err := d.a.parts.log.WriteWatermark(d.t.Context(), d.cfg.Kafka.Writes, "drill", start.Add(2*time.Minute)); err != nil {
		d.t.Fatal(err)
	}
	d.until(fmt.Sprintf("window %d is judged", window), func() bool {
		info, err := d.a.parts.registry.VersionOf(d.t.Context(), d.view.ID, start)
		return err == nil && info.Step == feature.StepDecided
	})
}

// secondTap is a tap beside the platform's own, as another process would run it.
type secondTap struct {
	t       *testing.T
	cancel  context.CancelFunc
	ended   chan error
	metrics *prometheus.Registry
}

func (d *drill) secondTap() *secondTap {
	d.t.Helper()
	a, s := d.a, &secondTap{t: d.t, ended: make(chan error, 1), metrics: prometheus.NewRegistry()}
	c := a.parts.catalog
	other, err := tap.New(a.tapConfig(), a.parts.log, tap.Deps{
		Definitions: c.InForce,
		Past:        a.parts.registry, Refresh: c.Refresh, Versions: a.parts.registry, Begun: a.parts.registry, Owners: a.parts.registry, Rows: a.parts.rows, Layouts: c.Layout, HashKey: a.parts.key,
		Clock: a.parts.clock, Registerer: s.metrics, Logger: a.opts.Log,
	})
	if err != nil {
		d.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(d.t.Context()))
	s.cancel = cancel
	go func() { s.ended <- other.Run(ctx) }()
	d.until("the second tap has partitions of its own", func() bool { return s.partitions() > 0 && other.Ready() == nil })
	return s
}

// partitions is how many the tap reads.
func (s *secondTap) partitions() (n float64) {
	families, err := s.metrics.Gather()
	if err != nil {
		s.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "sluice_tap_partitions" {
			for _, m := range f.GetMetric() {
				n += m.GetGauge().GetValue()
			}
		}
	}
	return n
}

func (s *secondTap) stop() {
	s.t.Helper()
	if s.partitions() == 0 {
		s.t.Error("the second tap has no partition at the end")
	}
	s.cancel()
	if err := <-s.ended; err != nil {
		s.t.Errorf("second tap: %v", err)
	}
}

// verdicts returns those of the view in their order, without what names them and when.
func (d *drill) verdicts() (all []sameVerdict) {
	d.t.Helper()
	r := d.a.parts.registry
	rows, _, err := r.Verdicts(d.t.Context(), d.view.ID, "", 500)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, row := range rows {
		full, err := r.Verdict(d.t.Context(), row.ID)
		if err != nil {
			d.t.Fatal(err)
		}
		var v sameVerdict
		if err := json.Unmarshal(full.Body, &v.Verdict); err != nil {
			d.t.Fatal(err)
		}
		v.ID, v.DecidedAt = "", time.Time{} // ids hang on the generation of the view, which rises when partitions idle
		if v.bytes, err = json.Marshal(v.Verdict); err != nil {
			d.t.Fatal(err)
		}
		v.bytes = append(append(v.bytes, '\n'), full.Case...)
		v.repeats = d.repeats(full.Case)
		all = append(all, v)
	}
	// In the order of their commits: a window's, and then that of the windows on probation.
	slices.SortStableFunc(all, func(a, b sameVerdict) int { return a.Window.End.Compare(b.Window.End) })
	return all
}

// repeats reports whether a current window of a stored case samples a row several times.
func (d *drill) repeats(text []byte) bool {
	d.t.Helper()
	c, err := judge.DecodeCase(text, func(digest string) ([]byte, error) { return d.a.parts.registry.Blob(d.t.Context(), digest) })
	if err != nil {
		d.t.Fatal(err)
	}
	return slices.ContainsFunc(c.Current[0].Profile.Sample, func(r sketch.SampleRow) bool { return r.Times > 1 })
}
