package tap

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/feature"
)

// seconds are Unix nanoseconds of so many seconds.
func seconds(n int64) int64 { return n * int64(time.Second) }

func TestClocksKeepLeastDelays(t *testing.T) {
	var c clocks
	for _, n := range []struct{ received, event int64 }{
		{60, 50}, {61, 58}, {62, 40}, // half minute 2
		{95, 94}, {96, 98}, // half minute 3, and an event ahead
		{89, 88}, // of the half minute before
		{10, 9},  // of one that is over
	} {
		c.note("a", seconds(n.received), seconds(n.event))
	}
	want := []feature.ProducerClock{{Name: "a", Halves: []feature.Delays{{From: 90, N: 2, Least: -2 * time.Second}, {From: 60, N: 4, Least: time.Second}}}}
	if got := c.shown(); !reflect.DeepEqual(got, want) {
		t.Errorf("shown %+v, want %+v", got, want)
	}
}

// More producers than there are places share one, until one of those that have a place has
// been silent for a minute.
func TestClocksAreBounded(t *testing.T) {
	var c clocks
	for i := range maxProducers + 5 {
		c.note(fmt.Sprint("p", i), seconds(30), seconds(20))
	}
	all := c.shown()
	if last := all[len(all)-1]; len(all) != maxProducers+1 || !last.Other || last.Name != "" || last.Halves[0].N != 5 {
		t.Fatalf("shown %+v, want %d producers and the 5 others together", all, maxProducers)
	}
	for i := range maxProducers - 1 {
		c.note(fmt.Sprint("p", i), seconds(130), seconds(120))
	}
	c.note("fresh", seconds(130), seconds(100))
	names := map[string]bool{}
	for _, p := range c.shown() {
		names[p.Name] = true
	}
	if !names["fresh"] || names[fmt.Sprint("p", maxProducers-1)] || !names["p0"] {
		t.Errorf("shown %v, want fresh in the place of the silent one", names)
	}
}

// What a record says of its producer's clock: by the broker's time, by the time it was sent
// if that is not later than now, and by a clock set by hand only whether it is ahead.
func TestReceiptOfARecord(t *testing.T) {
	now := day.Add(time.Hour)
	for name, tc := range map[string]struct {
		sent, event time.Time
		appended    bool
		byHand      bool
		unset       bool
		backfill    bool
		want        time.Duration
		none        bool
	}{
		"sent":                  {sent: now.Add(-time.Minute), event: now.Add(-2 * time.Minute), want: time.Minute},
		"sent, ahead":           {sent: now.Add(-time.Minute), event: now.Add(time.Minute), want: -2 * time.Minute},
		"sender's clock ahead":  {sent: now.Add(time.Hour), event: now.Add(time.Hour), want: -time.Hour},
		"appended":              {sent: now.Add(time.Second), event: now, appended: true, want: time.Second},
		"by hand":               {sent: now.Add(9999 * time.Hour), event: now.Add(-time.Hour), byHand: true, want: 0},
		"by hand, ahead":        {sent: now.Add(9999 * time.Hour), event: now.Add(time.Hour), byHand: true, want: -time.Hour},
		"clock not set":         {sent: now, event: now, unset: true, none: true},
		"declared to be old":    {sent: now, event: now.Add(-time.Hour), backfill: true, none: true},
		"a broker without time": {sent: time.UnixMilli(-1), event: now, none: true},
	} {
		t.Run(name, func(t *testing.T) {
			p := &partition{tap: &Tap{deps: Deps{ClockByHand: tc.byHand}}, now: now, clockSet: !tc.unset}
			r, v := &kgo.Record{Timestamp: tc.sent}, &viewState{}
			if tc.appended {
				r.Attrs = kgo.NewRecordAttrs(kgo.RecordAttrsOpts{TimestampType: logAppendTime})
			}
			p.clock(v, r, &feature.Write{EventTime: tc.event, Producer: "a", Backfill: tc.backfill})
			got := v.clocks.shown()
			switch {
			case tc.none && len(got) != 0:
				t.Errorf("noted %+v, want nothing", got)
			case !tc.none && (len(got) != 1 || got[0].Halves[0].Least != tc.want):
				t.Errorf("noted %+v, want a delay of %s", got, tc.want)
			}
		})
	}
}

// Progress tells of the producers of a view, those whose records are refused for being
// ahead among them, and a dead letter says when its record was received.
func TestProgressTellsOfClocks(t *testing.T) {
	r := newRig(t, 1, delays())
	r.clock.set(day.Add(10 * time.Minute))
	r.start()
	named := func(o Out, name string) Out {
		o.Headers = append(o.Headers, Header{HeaderProducer, []byte(name)})
		return o
	}
	r.send("sluice.writes",
		named(write("UA", day.Add(9*time.Minute), 1, 1), "right"),
		named(write("AA", day.Add(17*time.Minute), 1, 1), "ahead"),
		write("DL", day, 1, 1),
	)
	if counts, want := r.drain(), (feature.Counts{Received: 3, Accepted: 2, Late: 1, Quarantined: 1}); counts != want {
		t.Fatalf("counts = %+v, want %+v", counts, want)
	}
	least := map[string]time.Duration{}
	for _, c := range r.progress()[source{"sluice.writes", 0}].Views["delays"].Clocks {
		least[c.Name] = c.Halves[0].Least
	}
	if want := map[string]time.Duration{"right": time.Minute, "ahead": -7 * time.Minute, "": 10 * time.Minute}; !reflect.DeepEqual(least, want) {
		t.Errorf("least delays %v, want %v", least, want)
	}
	letters := r.letters()
	if len(letters) != 1 || time.Since(letters[0].Received).Abs() > deadline || !letters[0].At.Equal(day.Add(10*time.Minute)) {
		t.Errorf("letters %+v, want one received just now by the wall, and refused by the clock", letters)
	}
}

// BenchmarkClock notes records of three producers in turn, and counts nothing else.
func BenchmarkClock(b *testing.B) {
	p := &partition{tap: &Tap{}, now: day.Add(time.Hour), clockSet: true}
	v, names := &viewState{}, [...]string{"one", "two", "three"}
	records, writes := make([]*kgo.Record, 1024), make([]*feature.Write, 1024)
	for i := range records {
		at := day.Add(time.Duration(i) * time.Millisecond)
		records[i], writes[i] = &kgo.Record{Timestamp: at}, &feature.Write{EventTime: at.Add(-time.Second), Producer: names[i%3]}
	}
	for i := 0; b.Loop(); i++ {
		p.clock(v, records[i&1023], writes[i&1023])
	}
}
