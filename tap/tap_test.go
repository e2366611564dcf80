package tap

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"sluice/feature"
)

func TestTapCounts(t *testing.T) {
	r := newRig(t, 2, delays())
	run := r.start()
	for i := range 100 {
		r.send("sluice.writes", write(fmt.Sprint("c", i%7), day.Add(time.Duration(i)*time.Second), float64(i), i))
	}
	counts := r.drain()
	if counts.Received != 100 || counts.Accepted != 100 {
		t.Fatalf("counts = %+v, want 100 received and accepted", counts)
	}
	p, rows := r.merged("delays", day)
	if rows != 100 || p.Rows != 100 || p.Columns[0].N != 100 {
		t.Errorf("window holds %d rows, profile %d, want 100", rows, p.Rows)
	}
	if err := run.tap.Ready(); err != nil {
		t.Errorf("Ready() = %v, want nil", err)
	}
	r.end(run)
	key, err := feature.NewKey(r.view("delays"), []feature.Value{feature.StringValue("c1")})
	if err != nil {
		t.Fatal(err)
	}
	chains, err := r.rows.Read(r.ctx, r.view("delays").ID, []feature.Key{key}, nil)
	if err != nil || len(chains[0]) != 1 || chains[0][0].EventTime != day.Add(99*time.Second).UnixNano() {
		t.Errorf("staged rows of c1 = %+v, %v, want one of second 99", chains, err)
	}
}

// The law: however writes are split over partitions and restarts, and whether the
// tap was stopped or died, the merged profile of a window has the same bytes.
func TestTapMergeLaw(t *testing.T) {
	const writes = 600
	for _, tc := range []struct {
		name       string
		partitions int32
		seed       uint64
		stops      int
		crashes    int
	}{
		{"one partition, one run", 1, 1, 0, 0},
		{"three partitions, one run", 3, 2, 0, 0},
		{"three partitions, stopped twice", 3, 3, 2, 0},
		{"two partitions, died three times", 2, 4, 0, 3},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, tc.partitions, delays())
			rng := rand.New(rand.NewPCG(tc.seed, 9))
			run := r.start()
			ends := tc.stops + tc.crashes
			for i, at := range rng.Perm(writes) {
				o := write(fmt.Sprint("c", at%31), day.Add(time.Duration(at)*time.Millisecond), float64(at), at)
				o = on(rng.Int32N(tc.partitions), withID(o, fmt.Sprint("e", at)))
				r.send("sluice.writes", o)
				if rng.IntN(10) == 0 {
					r.send("sluice.writes", o) // a duplicate
				}
				if ends > 0 && i%(writes/(ends+1)) == writes/(ends+1)-1 {
					if tc.crashes > 0 {
						r.crash(run)
					} else {
						r.end(run)
					}
					run = r.start()
				}
			}
			counts := r.drain()
			if counts.Accepted != writes || counts.Received != writes+counts.Duplicate {
				t.Fatalf("counts = %+v, want %d accepted, the rest duplicates", counts, writes)
			}
			p, rows := r.merged("delays", day)
			p.Sample = nil // chosen by topic, partition and offset
			b, err := p.MarshalBinary()
			if err != nil || rows != writes {
				t.Fatalf("window holds %d rows, %v, want %d", rows, err, writes)
			}
			mergeLaw.Lock()
			defer mergeLaw.Unlock()
			if mergeLaw.want == "" {
				mergeLaw.want = string(b)
			}
			if mergeLaw.want != string(b) {
				t.Errorf("merged profile has other bytes than that of another split")
			}
		})
	}
}
