package tap

import (
	"fmt"
	"testing"
	"time"

	"sluice/feature"
)

// What was refused, and accepted when it was sent again under a mended definition, is in
// its window when that is read again under the mended one: also where the event id is
// that of the refused record, which the mended definition would take, before the window.
func TestReplayOfWhatWasSentAgain(t *testing.T) {
	r := newRig(t, 1, delays())
	run := r.start()
	for i := range 3 {
		r.send("sluice.writes", withID(bad(i), fmt.Sprint("e", i)))
	}
	r.send("sluice.writes", write("AA", day, 1, 1))
	r.watermark("delays", day.Add(10*time.Minute)) // the window of the refused ones has closed
	if counts := r.drain(); counts.DeadLettered != 3 {
		t.Fatalf("counts = %+v, want 3 dead-lettered", counts)
	}
	mended := delays()
	mended.Features = append(mended.Features, feature.Feature{Name: "airline", Type: feature.String})
	r.end(run)
	r.apply(mended)
	r.start()
	r.send("sluice.writes", write("AA", day.Add(11*time.Minute), 1, 1))
	r.resend(Resend{})
	r.resend(Resend{Again: true}) // duplicates of those sent again
	r.watermark("delays", day.Add(20*time.Minute))
	if counts := r.drain(); counts.Accepted != 5 || counts.Duplicate != 3 {
		t.Fatalf("counts = %+v, want 5 accepted and 3 duplicates", counts)
	}
	r.compare(t, "delays", day.Add(10*time.Minute), 1)
}

// Which record brought an id is forgotten with it.
func TestBringersAreBounded(t *testing.T) {
	b := newBringers(8)
	for i := range int64(1000) {
		b.add(hashEvent("v", fmt.Sprint(i)), i, false)
	}
	if n := len(b.offset); n > 17 {
		t.Errorf("%d ids are held for a window of 8", n)
	}
}
