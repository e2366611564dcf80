package tap

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"sluice/feature"
	"sluice/quality/sketch"
)

// seal closes the window at start as the gate would, counting idle partitions in.
func (r *rig) seal(view string, start time.Time) error {
	r.Helper()
	v := r.view(view)
	info, err := r.registry.VersionOf(r.ctx, v.ID, start)
	if err != nil {
		r.Fatal(err)
	}
	idle := map[string]uint64{}
	for at, p := range r.progress() {
		if s := p.Views[view]; s.Idle {
			idle[at.String()] = s.Left
		}
	}
	vector, err := r.registry.Vector(r.ctx, v.ID)
	if err != nil {
		r.Fatal(err)
	}
	info.Step = feature.StepSealed
	_, err = r.registry.Apply(r.ctx, feature.Commit{
		View: v.ID, IfGeneration: vector.Generation, Seal: &feature.Seal{Idle: idle}, Versions: []feature.VersionInfo{info}, Now: day,
	})
	return err
}

func TestLateRowsRideInTheOldestOpenWindow(t *testing.T) {
	r := newRig(t, 1, delays())
	r.start()
	second := day.Add(5 * time.Minute)
	r.send("sluice.writes",
		write("UA", day, 1, 1),
		write("UA", second.Add(40*time.Second), 2, 1), // closes the first window
		write("AA", day.Add(time.Second), 3, 1),       // late
		write("DL", second, 4, 1),                     // in time
	)
	if counts, want := r.drain(), (feature.Counts{Received: 4, Accepted: 4, Late: 1}); counts != want {
		t.Fatalf("counts = %+v, want %+v", counts, want)
	}
	p, rows := r.merged("delays", second)
	if p.Rows != 2 || p.Late != 1 || rows != 3 {
		t.Errorf("second window: %d rows, %d late, %d in all, want 2, 1, 3", p.Rows, p.Late, rows)
	}
	// With no window open, late rows open the one that holds the watermark.
	r.watermark("delays", day.Add(20*time.Minute))
	r.send("sluice.writes", write("B6", day, 1, 1))
	r.drain()
	if p, _ := r.merged("delays", day.Add(20*time.Minute)); p.Late != 1 || p.Rows != 0 {
		t.Errorf("window of the watermark: %d rows, %d late, want 0, 1", p.Rows, p.Late)
	}
	key, _ := feature.NewKey(r.view("delays"), []feature.Value{feature.StringValue("AA")})
	chains, err := r.rows.Read(r.ctx, r.view("delays").ID, []feature.Key{key}, nil)
	if err != nil || len(chains[0]) != 1 || chains[0][0].Version != 2 || chains[0][0].EventTime != day.Add(time.Second).UnixNano() {
		t.Errorf("late row of AA = %+v, %v, want version 2 under its own event time", chains, err)
	}
}

func TestWatermarkRecords(t *testing.T) {
	a, b := delays(), delays()
	b.Name = "others"
	r := newRig(t, 3, a, b)
	r.start()
	r.watermark("delays", day)
	if counts := r.drain(); counts != (feature.Counts{}) {
		t.Errorf("counts = %+v, want none: watermark records are not counted", counts)
	}
	for at, p := range r.progress() {
		if !p.Views["delays"].Watermark.Equal(day) || !p.Views["others"].Watermark.IsZero() {
			t.Errorf("%s: watermarks = %+v, want delays at %s and others at none", at, p.Views, day)
		}
	}
	r.send("sluice.writes", on(0, Out{Headers: []Header{{HeaderWatermark, []byte("noon")}}}))
	r.send("sluice.writes", on(0, Out{Headers: []Header{{HeaderWatermark, []byte(day.Format(time.RFC3339))}, {HeaderView, []byte("none")}}}))
	if counts, want := r.drain(), (feature.Counts{Received: 2, DeadLettered: 2}); counts != want {
		t.Errorf("counts = %+v, want %+v", counts, want)
	}
}

func TestRefusedWindowIsJudged(t *testing.T) {
	r := newRig(t, 1, delays())
	r.start()
	r.send("sluice.writes", write("UA", day, 5000, 1), write("AA", day, -500, 1))
	if counts, want := r.drain(), (feature.Counts{Received: 2, Quarantined: 2}); counts != want {
		t.Fatalf("counts = %+v, want %+v", counts, want)
	}
	p, rows := r.merged("delays", day)
	if p.Columns[0].Refused != 2 || rows != 0 || p.Rows != 0 {
		t.Errorf("window: %d refused, %d rows, want 2, 0", p.Columns[0].Refused, rows)
	}
	if at := r.progress()[source{"sluice.writes", 0}].Views["delays"].Watermark; !at.IsZero() {
		t.Errorf("watermark = %s, want none: refused writes do not move it", at)
	}
}

// A partition without records becomes idle by the clock; a window sealed on that
// takes no more of its rows, and a seal that overlooks its return fails.
func TestIdle(t *testing.T) {
	r := newRig(t, 2, delays())
	run := r.start()
	r.clock.set(day)
	r.send("sluice.writes", on(0, write("UA", day, 1, 1)), on(1, write("AA", day.Add(time.Second), 1, 1)))
	r.drain()
	idle := func() bool {
		return len(r.seen) == 2 && r.seen[source{"sluice.writes", 0}].Views["delays"].Idle && r.seen[source{"sluice.writes", 1}].Views["delays"].Idle
	}
	r.clock.set(day.Add(59 * time.Second))
	r.send("sluice.writes", on(0, write("UA", day.Add(50*time.Second), 1, 1)))
	r.drain()
	r.mu.Lock()
	early := r.seen[source{"sluice.writes", 0}].Views["delays"].Idle
	r.mu.Unlock()
	if early {
		t.Error("partition 0 is idle before its time")
	}
	r.clock.set(day.Add(3 * time.Minute))
	r.wait("both partitions are idle", idle)
	stale := r.progress()

	// A restart keeps idleness, and windows that are open.
	r.end(run)
	r.start()
	r.wait("the new owner has taken over", func() bool {
		return idle() && r.seen[source{"sluice.writes", 0}].Epoch > stale[source{"sluice.writes", 0}].Epoch && r.seen[source{"sluice.writes", 1}].Epoch > stale[source{"sluice.writes", 1}].Epoch
	})
	if err := r.seal("delays", day); err != nil {
		t.Fatalf("seal while idle: %v", err)
	}
	r.send("sluice.writes", on(1, write("DL", day.Add(2*time.Second), 1, 1)))
	if counts, want := r.drain(), (feature.Counts{Received: 4, Accepted: 4, Late: 1}); counts != want {
		t.Errorf("counts = %+v, want %+v: the window is sealed", counts, want)
	}
	if _, rows := r.merged("delays", day); rows != 3 {
		t.Errorf("sealed window holds %d rows, want the 3 it had", rows)
	}
	if p, _ := r.merged("delays", day.Add(5*time.Minute)); p.Late != 1 {
		t.Errorf("next window holds %d late rows, want 1", p.Late)
	}
	// Partition 1 has left idleness: a seal that counts it idle fails.
	r.mu.Lock()
	for at := range r.seen {
		r.seen[at] = stale[at]
	}
	r.mu.Unlock()
	if err := r.seal("delays", day.Add(5*time.Minute)); err == nil {
		t.Error("seal with old idleness succeeded, want a conflict")
	}
}

// A replay of every window gives the bytes of the live profile: duplicates, late
// and refused writes, deletes, watermark records, writes ahead of the clock and a
// sealed window among the records.
func TestReplayEqualsLive(t *testing.T) {
	for seed := range uint64(8) {
		binned := seed%2 == 1
		t.Run(fmt.Sprintf("seed=%d,binned=%t", seed, binned), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 2, delays())
			if binned {
				layout := delaysLayout(t, r.view("delays"))
				r.layouts = func(*feature.View, time.Time) *sketch.Layout { return layout }
			}
			rng := rand.New(rand.NewPCG(seed/2, 3))
			r.clock.set(day.Add(30 * time.Minute))
			run := r.start()
			at := day
			var last Out
			for i := range 800 {
				at = at.Add(time.Duration(rng.IntN(4000)) * time.Millisecond)
				o := withID(write(fmt.Sprint("c", rng.IntN(20)), at, rng.Float64()*100, i), fmt.Sprint("e", i))
				switch rng.IntN(20) {
				case 0:
					o = write("late", at.Add(-time.Duration(rng.IntN(900))*time.Second), 1, i)
				case 1:
					o = write("refused", at, 1e6, i)
				case 2:
					o.Value = fmt.Appendf(nil, `{"view":"delays","key":{"carrier":"c1"},"event_time":%q,"op":"delete"}`, at.Format(time.RFC3339Nano))
				case 3:
					o = last
				case 4:
					o = write("future", day.Add(40*time.Minute), 1, i)
				case 5:
					o = Out{Headers: []Header{{HeaderWatermark, []byte(at.Format(time.RFC3339Nano))}}}
				}
				o.Partition = nil
				r.send("sluice.writes", on(rng.Int32N(2), o))
				if last = o; i == 400 {
					r.crash(run)
					run = r.start()
				}
			}
			counts := r.drain()
			if counts.Late == 0 || counts.Quarantined == 0 || counts.Duplicate == 0 {
				t.Fatalf("counts = %+v, want some of each", counts)
			}
			r.compare(t, "delays", day, 8)
		})
	}
}

// delaysLayout builds bins for rows like those of TestReplayEqualsLive.
func delaysLayout(t *testing.T, view *feature.View) *sketch.Layout {
	t.Helper()
	rng := rand.New(rand.NewPCG(5, 3))
	p := sketch.NewProfile(view, sketch.Unbinned(view), testKey)
	for i := range 300 {
		p.Add(&feature.Write{View: view, EventTime: day, Topic: "history", Offset: int64(i), Values: []feature.Value{
			feature.Float64Value(rng.Float64() * 90), feature.Int64Value(rng.Int64N(500)), feature.StringValue("EWR"),
		}})
	}
	layout, err := sketch.BuildLayout(view, p)
	if err != nil {
		t.Fatal(err)
	}
	return layout
}

// The same of a view with every kind of feature, over bins, many writes late and
// owners that lose their state on the way.
func TestReplayEqualsLiveOfEveryKind(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(seed, 11))
			r := newRig(t, int32(1+rng.IntN(6)), lawView())
			view := r.view("law")
			layout := lawLayout(t, view)
			r.layouts = func(*feature.View, time.Time) *sketch.Layout { return layout }
			r.clock.set(lawNow)
			plan := make(lawPlan, r.log.cfg.Topics.Partitions)
			for _, record := range lawSet(rng, view) {
				p := rng.IntN(len(plan))
				plan[p] = append(plan[p], record)
			}
			l := newLawRun(r, rng)
			l.feed(plan.late(rng), []lawEnd{reread, died, diedCommitting})
			if counts := r.drain(); counts.Late == 0 || counts.Quarantined == 0 || counts.Duplicate == 0 {
				t.Fatalf("counts = %+v, want some of each", counts)
			}
			r.compare(t, "law", day, len(lawWindows)+1)
		})
	}
}

// compare replays n windows of a view from start and compares them with the live ones.
func (r *rig) compare(t *testing.T, name string, start time.Time, n int) {
	t.Helper()
	reader := NewReader(r.cfg, r.log, testKey, r.registry)
	view, total := r.view(name), uint64(0)
	for i := range n {
		w := view.Window.Starting(start.Add(time.Duration(i) * view.Window.Size))
		live, rows := r.merged(name, w.Start)
		again, err := reader.Profile(r.ctx, view, r.layout(view, w.Start), w, r.spans(name, w.Start))
		if err != nil {
			t.Fatal(err)
		}
		a, _ := live.MarshalBinary()
		b, _ := again.MarshalBinary()
		if !bytes.Equal(a, b) {
			t.Errorf("window %s: replay has %d rows, %d late, %d refused; live has %d, %d, %d", w.Start.Format(time.TimeOnly),
				again.Rows, again.Late, again.Refused(), live.Rows, live.Late, live.Refused())
		}
		var staged uint64
		err = reader.Rows(r.ctx, view, 99, w, r.spans(name, w.Start), func(rows []feature.Row) error {
			staged += uint64(len(rows))
			return nil
		})
		if err != nil || staged != rows {
			t.Errorf("window %s: Rows gave %d rows, %v, want %d", w.Start.Format(time.TimeOnly), staged, err, rows)
		}
		total += rows
	}
	if total == 0 {
		t.Error("no rows in any window")
	}
}

// Replay sorts as the live tap did where a window was sealed while a partition
// was idle.
func TestReplayOfSealedWindows(t *testing.T) {
	r := newRig(t, 1, delays())
	r.start()
	r.clock.set(day)
	r.send("sluice.writes", write("UA", day, 1, 1))
	r.drain()
	r.clock.set(day.Add(2 * time.Minute))
	r.wait("idle", func() bool { return r.seen[source{"sluice.writes", 0}].Views["delays"].Idle })
	if err := r.seal("delays", day); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		r.send("sluice.writes", write("UA", day.Add(time.Duration(i)*time.Minute), float64(i), 1))
		r.send("sluice.writes", write("AA", day.Add(5*time.Minute+time.Duration(i)*time.Second), float64(i), 1))
	}
	if counts := r.drain(); counts.Late != 5 || counts.Accepted != 11 {
		t.Errorf("counts = %+v, want 5 late of 11", counts)
	}
	r.compare(t, "delays", day, 2)
}
