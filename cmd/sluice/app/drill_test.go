package app

import (
	"context"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"sluice/feature"
	"sluice/quality/sketch"
	"sluice/tap"
)

// drillEntities is how many entities the drill restores: SLUICE_DRILL_ENTITIES, or
// 100,000, or 10,000 in a short run.
func drillEntities(t *testing.T) int {
	t.Helper()
	if text := os.Getenv("SLUICE_DRILL_ENTITIES"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1000 {
			t.Fatalf("SLUICE_DRILL_ENTITIES is %q, want a number from 1000", text)
		}
		return n
	}
	if testing.Short() {
		return 10_000
	}
	return 100_000
}

// mostRTO is how long a restore may take, of 10,000,000 entities and of fewer.
const mostRTO = 5 * time.Minute

// drill is an installation that is lost and restored.
type drill struct {
	t    *testing.T
	cfg  Config
	key  *sketch.HashKey // nil: one of its own
	a    *App
	stop func()
	view *feature.View
}

func (d *drill) start() {
	d.t.Helper()
	a, err := New(context.WithoutCancel(d.t.Context()), d.cfg, Options{Target: "all", Clock: "manual", NoSync: true, HashKey: d.key})
	if err != nil {
		d.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(d.t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	d.a = a
	d.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			d.t.Errorf("platform: %v", err)
		}
	}
}

// until waits until ok.
func (d *drill) until(what string, ok func() bool) {
	d.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(10 * time.Minute)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			d.t.Fatalf("waited in vain until %s", what)
		}
	}
}

var drillDay = time.Date(2024, 5, 6, 0, 0, 0, 0, time.UTC)

// write writes a window of rows of the entities in [from, to), seals it, and waits for
// its verdict.
func (d *drill) write(window, from, to int) {
	d.t.Helper()
	ctx, start := d.t.Context(), drillDay.Add(time.Duration(window)*time.Minute)
	for ; from < to; from += 5000 {
		var out []tap.Out
		for n := from; n < min(to, from+5000); n++ {
			key := fmt.Appendf(nil, "e%09d", n)
			out = append(out, tap.Out{Key: key, Value: fmt.Appendf(nil, `{"view":"drill","key":{"id":"%s"},"event_time":"%s","values":{"a":%d.5,"b":%d,"c":"c%d"}}`,
				key, start.Add(time.Duration(n%60)*time.Second).Format(time.RFC3339), n%97, window, n%7)})
		}
		if _, err := d.a.parts.log.Append(ctx, d.cfg.Kafka.Writes, out); err != nil {
			d.t.Fatal(err)
		}
	}
	if err := d.a.parts.log.WriteWatermark(ctx, d.cfg.Kafka.Writes, "drill", start.Add(2*time.Minute)); err != nil {
		d.t.Fatal(err)
	}
	d.until(fmt.Sprintf("window %d is visible", window), func() bool { return d.visible(start) })
}

func (d *drill) visible(start time.Time) bool {
	info, err := d.a.parts.registry.VersionOf(d.t.Context(), d.view.ID, start)
	return err == nil && info.State == feature.StateVisible
}

// values returns how many of n entities have values, and a digest of all of those.
func (d *drill) values(n int) (found int, digest uint64) {
	d.t.Helper()
	ctx := d.t.Context()
	vector, err := d.a.parts.registry.Vector(ctx, d.view.ID)
	if err != nil {
		d.t.Fatal(err)
	}
	h := fnv.New64a()
	var chains [][]feature.Record
	for from := 0; from < n; from += 500 {
		var keys []feature.Key
		for i := from; i < min(n, from+500); i++ {
			key, err := feature.NewKey(d.view, []feature.Value{feature.StringValue(fmt.Sprintf("e%09d", i))})
			if err != nil {
				d.t.Fatal(err)
			}
			keys = append(keys, key)
		}
		if chains, err = d.a.parts.rows.Read(ctx, d.view.ID, keys, chains); err != nil {
			d.t.Fatal(err)
		}
		for i, chain := range chains[:len(keys)] {
			if r, ok := vector.Resolve(chain); ok {
				found++
				fmt.Fprintf(h, "%x %d %x\n", keys[i], r.EventTime, r.Row)
			}
		}
	}
	return found, h.Sum64()
}

// drillDefinitions is a gated view of which every window passes.
func drillDefinitions() feature.Definitions {
	return feature.Definitions{Project: "p", Views: []feature.View{{
		Project: "p", Name: "drill", Entities: []feature.Entity{{Name: "id", Type: feature.String}},
		Features: []feature.Feature{{Name: "a", Type: feature.Float64}, {Name: "b", Type: feature.Int64}, {Name: "c", Type: feature.String}},
		Window:   feature.WindowSpec{Size: time.Minute, Lateness: time.Second, Idle: time.Hour}, Source: feature.Source{Format: "json", EventTime: "event_time"},
		Publish: feature.Publish{Mode: feature.Gated, ProbationWindows: 1, ProbationFail: 1, Hold: 2, MaxRollbacksPerHour: 3, OnStaleRollback: "serve"},
	}}, Rules: "rules:\n  - {name: none, view: '*', feature: '*', method: expect, mode: observe}\n"}
}

// TestRestoreDrill loses the registry and the online store after a backup and some more
// writes, restores both, and says how long it took (RTO) and what is missing (RPO):
// nothing may be that the log holds.
func TestRestoreDrill(t *testing.T) {
	n := drillEntities(t)
	cfg := DefaultConfig()
	cfg.Data = filepath.Join(t.TempDir(), "data")
	cfg.Listen.HTTP, cfg.Listen.GRPC, cfg.Listen.Kafka = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	d := &drill{t: t, cfg: cfg}
	d.start()
	d.define(drillDefinitions())
	for window := range 4 { // each entity once, and a tenth again
		d.write(window, window*n/4, (window+1)*n/4)
	}
	d.write(4, 0, n/10)
	running := cfg
	running.Listen.Kafka = d.a.Addrs().Kafka[0]
	file := filepath.Join(t.TempDir(), "drill.bak")
	began := time.Now()
	made, err := Backup(t.Context(), running, BackupOptions{Path: file, Release: "dev"})
	if err != nil {
		t.Fatal(err)
	}
	backedUp := time.Since(began)
	d.write(5, n/2, n/2+n/10) // after the backup
	wantFound, want := d.values(n)
	d.stop()
	for _, name := range []string{"registry.db", "registry.db-wal", "registry.db-shm", "rows"} {
		if err := os.RemoveAll(filepath.Join(cfg.Data, name)); err != nil {
			t.Fatal(err)
		}
	}

	began = time.Now()
	done, err := Restore(t.Context(), cfg, RestoreOptions{Path: file, Rows: true, By: "drill"})
	if err != nil || len(done.Restaged.Lost) > 0 || len(done.Restaged.Differences) > 0 {
		t.Fatalf("Restore = %+v, %v", done, err)
	}
	restored := time.Since(began)
	d.start()
	d.until("the platform is ready", func() bool { return d.a.Ready() == nil })
	rto := time.Since(began)
	d.until("what came after the backup is visible again", func() bool { return d.visible(drillDay.Add(5 * time.Minute)) })
	whole := time.Since(began)
	found, got := d.values(n)
	d.stop()
	if wantFound != n || found != n || got != want {
		t.Errorf("%d of %d entities have values (%d before), digest %x, want %x: nothing that the log holds may be lost", found, n, wantFound, got, want)
	}
	if rto > mostRTO {
		t.Errorf("ready to serve %d entities after %s, want at most %s", n, rto.Round(time.Second), mostRTO)
	}
	t.Logf("drill entities=%d: backup %s (%d bytes), restore %s (%.0f rows/s), ready to serve after %s (RTO), all of the log again after %s, entities lost %d (RPO)",
		n, backedUp.Round(time.Millisecond), made.Bytes, restored.Round(time.Millisecond), float64(done.Restaged.Rows)/done.Restaged.Took.Seconds(),
		rto.Round(time.Millisecond), whole.Round(time.Millisecond), wantFound-found)
}
