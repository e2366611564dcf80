package redis

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestPace checks that one answer in a hundred is late, about, whatever the shard's
// times are, also after they have changed.
func TestPace(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	p := newPace(time.Microsecond, time.Second, newBudget(0, time.Time{}))
	for _, typical := range []time.Duration{time.Millisecond, 20 * time.Millisecond, 300 * time.Microsecond} {
		draw := func() time.Duration { return time.Duration(rng.ExpFloat64() * float64(typical)) }
		for range 50_000 {
			p.answered(int64(draw()))
		}
		late, n := 0, 100_000
		for range n {
			took := draw()
			if took > p.late(time.Hour) {
				late++
			}
			p.answered(int64(took))
		}
		if share := float64(late) / float64(n); share < .005 || share > .02 {
			t.Errorf("answers of %v on average: a share of %.4f is late, want about .01", typical, share)
		}
	}
}

// TestPaceBounds checks that nothing is late before the least time, and everything after
// the most or the limit of a read.
func TestPaceBounds(t *testing.T) {
	reads := newBudget(0, time.Time{})
	p := newPace(3*time.Millisecond, 50*time.Millisecond, reads)
	for _, tc := range []struct {
		took, want time.Duration
	}{{time.Microsecond, 3 * time.Millisecond}, {time.Minute, 50 * time.Millisecond}} {
		for range 20_000 {
			p.answered(int64(tc.took))
		}
		if got := p.late(time.Second); got != tc.want {
			t.Errorf("late after answers of %v = %v, want %v", tc.took, got, tc.want)
		}
	}
	if got := p.late(10 * time.Millisecond); got != 10*time.Millisecond {
		t.Errorf("late with a limit of 10ms = %v", got)
	}
	if got := reads.reads.Load(); got != 40_000 {
		t.Errorf("the budget was told of %d reads, want 40000", got)
	}
	var none *pace
	none.answered(1)
	if got := none.late(time.Second); got != time.Second {
		t.Errorf("late of no pace with a limit of 1s = %v", got)
	}
}

// TestBudget checks that no more than its share of reads is asked twice, whether all of
// them are late or a burst comes after a quiet time.
func TestBudget(t *testing.T) {
	const rate, share = 1000, .02
	start := time.Unix(1000, 0)
	for name, tc := range map[string]struct {
		quiet       time.Duration // reads of it are in time
		slow        time.Duration // and then all are late
		least, most int           // asked twice, given a budgetTime of 30 s
	}{
		"all late from the start": {0, time.Minute, .018 * 60 * rate, 60*share*rate + 1},
		"after a quiet time":      {time.Hour, time.Second, 500, 31 * share * rate},
		"nothing was read":        {0, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			b, now, asked := newBudget(share, start), start, 0
			for range int(tc.quiet.Seconds() * rate) {
				b.read()
			}
			now = now.Add(tc.quiet)
			for range int(tc.slow.Seconds() * rate) {
				now = now.Add(time.Second / rate)
				b.read()
				if b.take(now) {
					asked++
				}
			}
			if asked < tc.least || asked > tc.most {
				t.Errorf("%d reads were asked twice, want %d to %d", asked, tc.least, tc.most)
			}
		})
	}
	if b := newBudget(share, start); b.take(start.Add(time.Hour)) {
		t.Error("a read was asked twice though none was made")
	}
}

// TestCoveredBy checks what an INFO replication proves.
func TestCoveredBy(t *testing.T) {
	const ours, other = "0123456789012345678901234567890123456789", "9876543210987654321098765432109876543210"
	info := func(role, id, offset, id2, second string) string {
		return "role:" + role + "\r\nslave_repl_offset:" + offset + "\r\nmaster_replid:" + id + "\r\nmaster_replid2:" + id2 + "\r\nsecond_repl_offset:" + second + "\r\n"
	}
	e := &extent{history: ours, offset: 100}
	for name, tc := range map[string]struct {
		of   *extent
		info string
		want bool
	}{
		"a replica as far":               {e, info("slave", ours, "100", other, "-1"), true},
		"a replica behind":               {e, info("slave", ours, "99", other, "-1"), false},
		"a replica of another history":   {e, info("slave", other, "1000", ours, "50"), false},
		"made a primary when it was":     {e, info("master", other, "0", ours, "101"), true},
		"made a primary before it was":   {e, info("master", other, "0", ours, "100"), false},
		"a primary that never was":       {e, info("master", other, "0", other, "-1"), false},
		"no answer":                      {e, "", false},
		"no offset":                      {e, info("slave", ours, "x", other, "-1"), false},
		"a primary that was not seen":    {nil, info("slave", ours, "100", other, "-1"), false},
		"a primary that gave no history": {&extent{}, info("slave", "", "100", "", "-1"), false},
	} {
		if got := tc.of.coveredBy(tc.info); got != tc.want {
			t.Errorf("%s: coveredBy = %t, want %t", name, got, tc.want)
		}
	}
}

// BenchmarkPace is what hedging costs an answer that is in time.
func BenchmarkPace(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	took := make([]int64, 1024)
	for i := range took {
		took[i] = int64(rng.ExpFloat64() * 3e5)
	}
	p, i := newPace(3*time.Millisecond, 50*time.Millisecond, newBudget(.02, time.Now())), 0
	b.ReportAllocs()
	for b.Loop() {
		p.answered(took[i%len(took)])
		i++
	}
}

// TestExtentShows wants an extent to vouch for what was written before it alone, and for the
// buckets that its primary had then.
func TestExtentShows(t *testing.T) {
	at := time.Now()
	e := &extent{at: at, of: &bucketSet{7: true}}
	for name, tc := range map[string]struct {
		e      *extent
		bucket uint8
		whole  time.Time
		want   bool
	}{
		"written before":            {e, 7, at.Add(-time.Second), true},
		"at that moment":            {e, 7, at, true},
		"written after":             {e, 7, at.Add(1), false},
		"not known when":            {e, 7, time.Time{}, false},
		"moved to it since":         {e, 8, at.Add(-time.Second), false},
		"a primary never looked at": {nil, 7, at, false},
	} {
		if got := tc.e.shows(tc.bucket, tc.whole); got != tc.want {
			t.Errorf("%s: shows = %t, want %t", name, got, tc.want)
		}
	}
}
