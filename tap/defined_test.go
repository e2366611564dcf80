package tap

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"sluice/feature"
)

// within is the view delays with other bounds of its delay.
func within(least, most float64) feature.View {
	v := delays()
	v.Features[0].Expect = feature.Expect{Min: ptr(least), Max: ptr(most)}
	return v
}

// A record that was refused stays refused when its window is read again, though the
// definition that is in force by then would take it: what its producer sends again under
// its id is the one that counts. And what was taken stays, though it would be refused by
// then.
func TestReplayUnderDefinitionsOfTheTime(t *testing.T) {
	for name, pause := range map[string]func(r *rig, run *running) *running{
		"while the tap runs": func(_ *rig, run *running) *running { return run },
		"over a stop":        func(r *rig, run *running) *running { r.end(run); return nil },
		"over a crash":       func(r *rig, run *running) *running { r.crash(run); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 1, within(0, 100))
			run := r.start()
			again := func(view feature.View) {
				run = pause(r, run)
				r.apply(view)
				if run == nil {
					run = r.start()
				}
			}
			early := withID(write("AA", day.Add(time.Minute), 500, 1), "early")
			r.send("sluice.writes", withID(write("UA", day, 1, 1), "a"), early, write("DL", day, 500, 1))
			if counts := r.drain(); counts.Accepted != 1 || counts.Quarantined != 2 {
				t.Fatalf("counts = %+v, want 1 accepted of 3", counts)
			}
			again(within(0, 1000))
			next := withID(write("AA", day.Add(6*time.Minute), 700, 1), "next")
			r.send("sluice.writes", early, early, next, withID(write("B6", day.Add(6*time.Minute), 1500, 1), "later"))
			r.watermark("delays", day.Add(11*time.Minute))
			r.drain()
			again(within(0, 2000))
			r.send("sluice.writes", next, withID(write("B6", day.Add(12*time.Minute), 1500, 1), "later"), write("UA", day.Add(12*time.Minute), 1600, 1))
			if counts := r.drain(); counts.Accepted != 5 || counts.Duplicate != 2 || counts.Quarantined != 3 {
				t.Fatalf("counts = %+v, want 5 accepted, 2 duplicates and 3 quarantined", counts)
			}
			again(within(0, 10)) // by which hardly any would be taken
			r.watermark("delays", day.Add(20*time.Minute))
			r.drain()
			r.compare(t, "delays", day, 3)
		})
	}
}

// A record of a view that was not defined yet is none of its writes: also where it comes
// again, under its id, once the view is there.
func TestReplayFromBeforeTheView(t *testing.T) {
	other := delays()
	other.Name = "other"
	r := newRig(t, 1, other)
	r.start()
	early := withID(write("AA", day, 5, 1), "early")
	r.send("sluice.writes", early)
	if counts := r.drain(); counts.DeadLettered != 1 {
		t.Fatalf("counts = %+v, want 1 dead-lettered", counts)
	}
	r.apply(other, delays())
	r.send("sluice.writes", withID(write("UA", day, 1, 1), "a"), early)
	r.watermark("delays", day.Add(10*time.Minute))
	if counts := r.drain(); counts.Accepted != 2 {
		t.Fatalf("counts = %+v, want 2 accepted", counts)
	}
	r.compare(t, "delays", day, 1)
}

// What one of two views of a topic has refused, and its producer sends again, counts once in
// each of them.
func TestReplayOfWhatOneViewRefused(t *testing.T) {
	lax, strict := within(0, 2000), within(0, 100)
	strict.Name = "strict"
	for _, v := range []*feature.View{&lax, &strict} {
		v.Source = feature.Source{Topic: "flights", EventTime: "at"}
	}
	r := newRig(t, 1, lax, strict)
	r.start()
	record := Out{Value: fmt.Appendf(nil, `{"carrier":"AA","at":%q,"event_id":"x","delay":500,"flights":1,"origin":"EWR"}`, day.Format(time.RFC3339))}
	r.send("flights", record)
	r.drain()
	mended := within(0, 1000)
	mended.Name, mended.Source = strict.Name, strict.Source
	r.apply(lax, mended)
	r.send("flights", record)
	r.drain()
	r.compare(t, "delays", day, 1)
	r.compare(t, "strict", day, 1)
}

// Whatever the definitions were, and however often they changed while writes were refused,
// sent again and taken, and taps came and went: a window that is read again is what it was.
func TestReplayOfChangingDefinitions(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(seed, 29))
			r := newRig(t, int32(1+rng.IntN(2)), within(0, 100))
			run, at := r.start(), day
			var sent []Out
			for range 25 {
				for range 1 + rng.IntN(6) {
					if len(sent) > 0 && rng.IntN(3) == 0 {
						r.send("sluice.writes", sent[rng.IntN(len(sent))])
						continue
					}
					record := write(string(rune('A'+rng.IntN(20))), at, 400*rng.Float64(), rng.IntN(9))
					if rng.IntN(3) > 0 {
						record = withID(record, fmt.Sprint("e", len(sent)))
					}
					sent = append(sent, record)
					r.send("sluice.writes", record)
					at = at.Add(time.Duration(rng.IntN(40)) * time.Second)
				}
				switch rng.IntN(6) {
				case 0, 1:
					r.drain()
					next := within(0, 50+350*rng.Float64())
					next.Window.Lateness = time.Duration(rng.IntN(90)) * time.Second
					r.apply(next)
				case 2:
					r.end(run)
					run = r.start()
				case 3:
					r.crash(run)
					run = r.start()
				}
			}
			r.watermark("delays", at.Add(20*time.Minute))
			if counts := r.drain(); counts.Quarantined == 0 || counts.Duplicate == 0 || counts.Accepted == 0 {
				t.Fatalf("counts = %+v, want some of each", counts)
			}
			r.compare(t, "delays", day, int(at.Sub(day)/(5*time.Minute))+1)
		})
	}
}

// fixed is a past in which there was nothing else.
type fixed feature.Definitions

func (f fixed) DefinitionsAt(context.Context, uint64) (feature.Definitions, error) {
	return feature.Definitions(f), nil
}

// Definitions that the registry does not have, or has others in place of, as where it was
// restored from an older backup, do not decide: the view that is given does.
func TestReplayUnderLostDefinitions(t *testing.T) {
	r := newRig(t, 1, within(0, 100))
	r.start()
	r.send("sluice.writes", write("UA", day, 1, 1), write("AA", day, 500, 1))
	r.watermark("delays", day.Add(10*time.Minute))
	r.drain()
	r.apply(within(0, 1000))
	view, spans := r.view("delays"), r.spans("delays", day)
	if len(spans) != 1 || len(spans[0].Defined) != 1 {
		t.Fatalf("spans = %+v, want one with the definitions that decided", spans)
	}
	broken := within(0, 100)
	broken.Features[2].Expect.Pattern = "("
	unreadable := feature.Definitions{Views: []feature.View{broken}}
	rows := func(change func(d *feature.Defined), past Past) (n int) {
		span := spans[0]
		span.Defined = slices.Clone(span.Defined)
		change(&span.Defined[0])
		err := NewReader(r.cfg, r.log, testKey, past).Rows(r.ctx, view, 1, view.Window.Of(day), []feature.Span{span}, func(rows []feature.Row) error {
			n += len(rows)
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		return n
	}
	for _, c := range []struct {
		name   string
		change func(d *feature.Defined)
		past   Past
		want   int
	}{
		{"as they were", func(*feature.Defined) {}, r.registry, 1},
		{"others", func(d *feature.Defined) { d.Generation++ }, r.registry, 2},
		{"none", func(d *feature.Defined) { d.Generation += 7 }, r.registry, 2},
		{"no registry", func(*feature.Defined) {}, nil, 2},
		{"unreadable", func(d *feature.Defined) { d.Digest = unreadable.Digest() }, fixed(unreadable), 2},
	} {
		if n := rows(c.change, c.past); n != c.want {
			t.Errorf("%s: %d rows, want %d", c.name, n, c.want)
		}
	}
	ctx, cancel := context.WithCancel(r.ctx)
	cancel()
	err := NewReader(r.cfg, r.log, testKey, r.registry).Rows(ctx, view, 1, view.Window.Of(day), spans, func([]feature.Row) error { return nil })
	if err == nil {
		t.Error("definitions that cannot be read now: want an error")
	}
}

// A partition and a window keep no more changes of definitions than they may.
func TestDefinedIsBounded(t *testing.T) {
	r := newRig(t, 1, within(0, 100))
	r.start()
	for i := range maxDefined + 10 {
		r.send("sluice.writes", write("UA", day, 1, 1))
		r.drain()
		r.apply(within(0, 101+float64(i)))
	}
	r.send("sluice.writes", write("UA", day, 1, 1))
	r.drain()
	span := r.spans("delays", day)[0]
	if n := len(span.Defined); n != maxDefined || span.Defined[n-1].Generation != r.gen {
		t.Errorf("%d changes are kept, the last %+v; want %d, the last of generation %d", n, span.Defined[n-1], maxDefined, r.gen)
	}
	if !slices.IsSortedFunc(span.Defined, func(a, b feature.Defined) int { return int(a.Offset - b.Offset) }) {
		t.Errorf("not by offset: %+v", span.Defined)
	}
}

// A window that was closed stays closed when the lateness grows: what comes for it then is
// late, and what it has is not lost. One that is past a lateness that shrinks closes at once.
func TestLatenessThatChanges(t *testing.T) {
	for name, restart := range map[string]bool{"while the tap runs": false, "over a stop": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tight, loose := delays(), delays()
			tight.Window.Lateness, loose.Window.Lateness = 0, 4*time.Minute
			r := newRig(t, 1, tight)
			run := r.start()
			to := func(view feature.View) {
				if restart {
					r.end(run)
				}
				r.apply(view)
				if restart {
					run = r.start()
				}
			}
			minute := func(n int) time.Time { return day.Add(time.Duration(n) * time.Minute) }
			r.send("sluice.writes", write("UA", minute(1), 1, 1), write("AA", minute(2), 1, 1), write("UA", minute(6), 1, 1))
			r.drain()
			to(loose)
			r.send("sluice.writes", write("DL", minute(3), 1, 1), write("UA", minute(11), 1, 1), write("DL", minute(7), 1, 1))
			if counts := r.drain(); counts.Accepted != 6 || counts.Late != 1 {
				t.Errorf("counts = %+v, want 6 accepted, 1 of them late", counts)
			}
			to(tight)
			r.send("sluice.writes", write("B6", minute(8), 1, 1), write("UA", minute(15), 1, 1))
			if counts := r.drain(); counts.Accepted != 8 || counts.Late != 2 {
				t.Errorf("counts = %+v, want 8 accepted, 2 of them late", counts)
			}
			for n, want := range []uint64{2, 3, 2, 1} {
				if _, rows := r.merged("delays", minute(5*n)); rows != want {
					t.Errorf("window of minute %d has %d rows, want %d", 5*n, rows, want)
				}
			}
			r.compare(t, "delays", day, 4)
		})
	}
}

// A window that was written before a view's features changed has the rows that it had, as
// far as the view has their features still: one that is gone, or of another type now, does
// not make a row unreadable, and one that is new is absent.
func TestReplayOfFormerFeatures(t *testing.T) {
	r := newRig(t, 1, delays())
	r.start()
	r.send("sluice.writes", write("UA", day, 1, 1), write("AA", day.Add(time.Minute), 2, 2))
	r.watermark("delays", day.Add(10*time.Minute))
	r.drain()
	next := delays()
	next.Features = []feature.Feature{{Name: "airline", Type: feature.String}, {Name: "flights", Type: feature.String}, {Name: "delay", Type: feature.Float64}}
	r.apply(next)
	view := r.view("delays")
	var want, got []string
	for i, carrier := range []string{"UA", "AA"} {
		row := feature.AppendRow(nil, view, []feature.Value{{}, {}, feature.Float64Value(float64(i + 1))})
		key, err := feature.NewKey(view, []feature.Value{feature.StringValue(carrier)})
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, fmt.Sprintf("%s %x", key, row))
	}
	err := NewReader(r.cfg, r.log, testKey, r.registry).Rows(r.ctx, view, 1, view.Window.Of(day), r.spans("delays", day), func(rows []feature.Row) error {
		for _, row := range rows {
			got = append(got, fmt.Sprintf("%s %x", row.Key, row.Record.Row))
		}
		return nil
	})
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("rows = %q, %v, want %q", got, err, want)
	}
	other := *view
	other.Entities = []feature.Entity{{Name: "carrier", Type: feature.Int64}}
	err = NewReader(r.cfg, r.log, testKey, r.registry).Rows(r.ctx, &other, 1, view.Window.Of(day), r.spans("delays", day), func(rows []feature.Row) error {
		t.Errorf("%d rows of a view with other join keys", len(rows))
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
