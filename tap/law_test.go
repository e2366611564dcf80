package tap

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"sluice/feature"
	"sluice/quality/sketch"
)

var lawCases = flag.Int("law.cases", 10, "cases of TestTapMergeLaw; each runs taps over one set of writes six times")

// The law: through log and tap, the merged profile of every window has the bytes
// of one profile that met the writes one by one, whatever the split over
// partitions, the order and the points at which taps were stopped, died or lost
// their state.
//
// A case is one set of writes. It goes twice through a split and an order of its
// own in which all come in time, and once through one in which many are late; and
// each of those through two series of restarts.
//
//   - Over all splits in time, profiles with their row samples are the same, but for
//     what is remembered of the order of writes, which is that of their partition.
//   - Over the restarts of one split and order, nothing is left out: profiles with
//     samples, spans and accounting are the same, and are what a plain account of
//     the records says.
func TestTapMergeLaw(t *testing.T) {
	hits := &lawHits{}
	t.Cleanup(func() {
		for end := range lawEnds {
			if t.Logf("%s: %d times", end, hits[end].Load()); hits[end].Load() == 0 && *lawCases >= 6 {
				t.Errorf("no tap %s", end)
			}
		}
	})
	for seed := range uint64(*lawCases) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(seed, 9))
			view := lawView()
			for i := range view.Features {
				view.Features[i].ID = uint32(i + 1) // as the registry does
			}
			layout := lawLayout(t, &view)
			set := lawSet(rng, &view)
			split := view // without what depends on partitions
			split.Features, split.Expect = slices.Clone(view.Features), view.Expect[:2]
			split.Features[lawSeen].Expect.Monotonic = false
			whole := lawPlan{set}.inTime(rng, view.Window).predict(&split, layout)
			lawVaried(t, whole.profiles)
			for range 2 {
				plan := lawSplit(rng, set).inTime(rng, view.Window)
				want := plan.predict(&view, layout)
				sameProfiles(t, plan.predict(&split, layout), whole)
				lawTwice(t, rng, plan, want, hits)
			}
			plan := lawSplit(rng, set).late(rng)
			want := plan.predict(&view, layout)
			if want.counts.Late == 0 {
				t.Error("no write of the disorderly plan is late")
			}
			lawTwice(t, rng, plan, want, hits)
		})
	}
}

func (plan lawPlan) inTime(rng *rand.Rand, spec feature.WindowSpec) lawPlan {
	next := make(lawPlan, len(plan))
	for i := range plan {
		next[i] = inTime(rng, spec, plan[i])
	}
	return next
}

func (plan lawPlan) late(rng *rand.Rand) lawPlan {
	delay := []time.Duration{2 * time.Minute, 8 * time.Minute, time.Hour}[rng.IntN(3)]
	next := make(lawPlan, len(plan))
	for i := range plan {
		next[i] = anyOrder(rng, delay, plan[i])
	}
	return next
}

// sameProfiles compares what two splits in time must give.
func sameProfiles(t *testing.T, got, want prediction) {
	t.Helper()
	if got.counts != want.counts || want.counts.Late > 0 {
		t.Errorf("counts = %+v, those of another split %+v, none late", got.counts, want.counts)
	}
	for start, p := range want.profiles {
		a, _ := got.profiles[start].MarshalBinary()
		b, _ := p.MarshalBinary()
		if !bytes.Equal(a, b) {
			t.Errorf("window %s: another split has other bytes: %s; want %s", unixNano(start).Format(time.TimeOnly), tally(got.profiles[start]), tally(p))
		}
	}
}

// lawTwice runs a plan through two series of restarts.
func lawTwice(t *testing.T, rng *rand.Rand, plan lawPlan, want prediction, hits *lawHits) {
	t.Helper()
	var before map[int64][]feature.Span
	for range 2 {
		ends := make([]lawEnd, rng.IntN(5))
		for i := range ends {
			ends[i] = lawEnd(rng.IntN(int(lawEnds)))
		}
		spans := lawOnce(t, rng, plan, ends, want, hits)
		if before != nil && !reflect.DeepEqual(spans, before) {
			t.Errorf("%d partitions, ends %v: spans = %+v, want %+v as with other ends", len(plan), ends, spans, before)
		}
		before = spans
	}
}

// lawOnce runs taps over a plan, ends them as said and compares what they leave.
func lawOnce(t *testing.T, rng *rand.Rand, plan lawPlan, ends []lawEnd, want prediction, hits *lawHits) map[int64][]feature.Span {
	t.Helper()
	r := newRig(t, int32(len(plan)), lawView())
	layout := lawLayout(t, r.view("law"))
	r.layouts = func(*feature.View, time.Time) *sketch.Layout { return layout }
	r.clock.set(lawNow)
	l := newLawRun(r, rng)
	l.hits = hits
	l.feed(plan, ends)
	if counts := r.drain(); counts != want.counts {
		t.Errorf("%d partitions, ends %v: counts = %+v, want %+v", len(plan), ends, counts, want.counts)
	}
	r.end(l.run)
	letters, _, err := r.log.DeadLetters(r.ctx, "", 10_000)
	if err != nil || uint64(len(letters)) != want.counts.Quarantined+want.counts.DeadLettered {
		t.Errorf("%d partitions, ends %v: %d dead letters, %v, want one for each of %+v", len(plan), ends, len(letters), err, want.counts)
	}
	spans := map[int64][]feature.Span{}
	for k := range r.parts {
		spans[k.Start] = r.spans("law", unixNano(k.Start))
		for i := range spans[k.Start] {
			spans[k.Start][i].TopicID = "" // each end has a broker of its own
		}
		if want.profiles[k.Start] == nil {
			t.Errorf("%d partitions, ends %v: there is a window at %s, want none", len(plan), ends, unixNano(k.Start))
		}
	}
	for start, p := range want.profiles {
		got, rows := r.merged("law", unixNano(start))
		a, _ := got.MarshalBinary()
		b, _ := p.MarshalBinary()
		if !bytes.Equal(a, b) || rows != p.Total() {
			t.Errorf("%d partitions, ends %v, window %s: %s; %d rows; want %s", len(plan), ends, unixNano(start).Format(time.TimeOnly), tally(got), rows, tally(p))
		}
	}
	return spans
}

// tally is what an error shows of a profile.
func tally(p *sketch.Profile) string {
	return fmt.Sprintf("%d in time, %d deletes, %d late, %d refused, %d sampled, mean %v, digest %.8s",
		p.Rows, p.Deletes, p.Late, p.Refused(), len(p.Sample), p.Columns[0].Mean(), p.Digest())
}
