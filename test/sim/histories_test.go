package sim

import (
	"context"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sluice/store/embedded"
	"sluice/store/memory"
)

var (
	histories = flag.Int("sim.histories", 20_000, "histories of TestHistories")
	firstSeed = flag.Uint64("sim.seed", 1, "seed of the first history; the next have the next")
	showLog   = flag.Bool("sim.log", false, "show the lines that the platform logs")
)

// onDisk is how many histories there are for one that runs on the embedded store.
const onDisk = 200

// TestHistories runs seeded histories of the platform. Whatever happens in one, each
// read is what one who kept every row would answer for one generation of the vector;
// no row shows that was not published, or longer than a lease after it was taken out;
// and in the end, with everything healed, every record was staged and counted once,
// every window has one verdict, and no version holds the others up.
func TestHistories(t *testing.T) {
	var next, missed, returns, expired, longest atomic.Int64
	var all tally
	began := time.Now()
	t.Run("workers", func(t *testing.T) {
		for i := range runtime.GOMAXPROCS(0) {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				for n := next.Add(1) - 1; n < int64(*histories) && !t.Failed(); n = next.Add(1) - 1 {
					seed := *firstSeed + uint64(n)
					w := history(t, seed, plan(seed))
					all.add(w)
					missed.Add(int64(w.missed))
					returns.Add(int64(w.returns))
					expired.Add(int64(w.expired))
					longest.Store(max(longest.Load(), int64(w.longest)))
					if w.failure() != "" {
						report(t, "TestHistories", "sim.histories", seed, w.failure(), func(ops []op) string { return history(t, seed, ops).failure() })
					}
				}
			})
		}
	})
	all.hold(t)
	t.Logf("%d histories of %d operations, %d reads of every key, in %s; longest chain %d; %d answers past the lease, flagged, lacked a row; %d rows showed behind a folded deletion; %d answers lacked a row that had expired",
		all.total("histories"), all.total("operations"), all.total("reads of every key"), time.Since(began).Round(time.Second), longest.Load(), missed.Load(), returns.Load(), expired.Load())
}

// history runs one, in time of its own. The store on disk has no groups: there, views of
// one are read each by itself.
func history(t *testing.T, seed uint64, ops []op) *world {
	return historyOn(t, seed, ops, func(t *testing.T) store {
		switch {
		case seed%onDisk == 0:
			disk, err := embedded.Open(embedded.Options{Path: filepath.Join(t.TempDir(), "rows")})
			if err != nil {
				t.Fatal(err)
			}
			return disk
		case withGroup(seed):
			return &memory.Grouped{}
		}
		return &memory.Store{}
	})
}

// historyOn runs one on a row store, which is opened in its time, and closed if it can be.
func historyOn(t *testing.T, seed uint64, ops []op, open func(*testing.T) store) (w *world) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(context.Background())
		defer stop()
		rows := open(t)
		if c, ok := rows.(io.Closer); ok {
			defer c.Close()
		}
		w = newWorld(ctx, seed, rows)
		defer w.stop()
		defer func() { w.loaded = w.load(len(ops)) }()
		for _, o := range ops {
			if w.step(o); w.failure() != "" {
				return
			}
		}
		w.finish()
	})
	return w
}

// report shows a failed history, as short as it can be made.
func report(t *testing.T, test, count string, seed uint64, failure string, run func([]op) string) {
	short := shrunk(plan(seed), func(ops []op) bool { return run(ops) != "" })
	t.Errorf("history of seed %d: %s\nrun it again: go test ./test/sim -run '^%s$' -%s 1 -sim.seed %d\nit fails as well with %d operations: %s\nso: %s",
		seed, failure, test, count, seed, len(short), show(short), run(short))
}
