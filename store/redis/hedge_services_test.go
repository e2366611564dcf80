//go:build services

package redis_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sluice/feature"
	"sluice/store/redis"
	"sluice/test/processor"
)

// hedging is a store under Sentinel that may ask a quarter of its reads twice, and has
// made enough of them for that.
type hedging struct {
	*redis.Store
	at   *watched
	reg  *prometheus.Registry
	keys []feature.Key // that have one row, of version 1, and one that has none
	want [][]feature.Record
}

func startHedging(t *testing.T) *hedging {
	t.Helper()
	h := &hedging{at: startWatched(t), reg: prometheus.NewRegistry()}
	c := h.at.config
	c.HedgeBudget, c.ReadTimeout, c.ReadDeadline = .25, 400*time.Millisecond, time.Second
	var err error
	if h.Store, err = redis.Open(t.Context(), redis.Options{Config: c, Metrics: redis.NewMetrics(h.reg)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	rows := batch(0, 20, 1)
	if _, err := h.Stage(t.Context(), 1, 1, rows); err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		h.keys = append(h.keys, r.Key)
	}
	h.keys = append(h.keys, "nobody")
	eventually(t, func() error { return sameOffset(t, h.at) })
	for range 400 {
		if h.want, err = h.Read(t.Context(), 1, h.keys, nil); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// surveyed waits until the store has looked at the primary after now.
func (h *hedging) surveyed(t *testing.T) {
	t.Helper()
	looks := func() string { return infoOf(t, h.at.primary.Client, "commandstats", "cmdstat_exists") }
	begun, seen := looks(), 0
	eventually(t, func() error {
		if now := looks(); now != begun {
			begun, seen = now, seen+1
		}
		if seen < 2 { // the first may have begun before
			return errors.New("the store does not look at its primary")
		}
		return nil
	})
}

func (h *hedging) count(t *testing.T, label string) (n float64) {
	t.Helper()
	families, err := h.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			name := strings.TrimPrefix(family.GetName(), "sluice_rows_")
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			if name == label {
				return m.GetCounter().GetValue()
			}
		}
	}
	t.Fatalf("no metric %s", label)
	return 0
}

// TestHedged freezes a primary. A replica that is shown to have all that the caller may
// see answers in its place, long before the primary's time is up, and what it says of an
// entity without rows is an answer as well.
func TestHedged(t *testing.T) {
	h := startHedging(t)
	whole := time.Now()
	h.surveyed(t)
	freeze(t, h.at.primary.cmd.Process.Pid)
	begun := time.Now()
	got, err := h.ReadWhole(t.Context(), 1, h.keys, whole, nil)
	took := time.Since(begun)
	if err != nil || !reflect.DeepEqual(got, h.want) {
		t.Errorf("ReadWhole while the primary is frozen = %d chains, %v, want those of before", len(got), err)
	}
	if took > 300*time.Millisecond {
		t.Errorf("ReadWhole took %v, want less than the primary's time of 400ms", took)
	}
	if won := h.count(t, "hedges_total won default"); won != 1 {
		t.Errorf("%g hedges were won, want 1", won)
	}
	if exact := h.count(t, "replica_total exact default"); exact != float64(len(h.keys)) {
		t.Errorf("%g rows are exact, want %d", exact, len(h.keys))
	}
}

// TestHedgedLater freezes a primary and asks for what was written later than it was last
// looked at: nobody knows whether the replica has that.
func TestHedgedLater(t *testing.T) {
	h := startHedging(t)
	h.surveyed(t)
	freeze(t, h.at.primary.cmd.Process.Pid)
	for name, whole := range map[string]time.Time{"written since": time.Now().Add(time.Hour), "not known": {}} {
		t.Run(name, func(t *testing.T) { h.wantBehind(t, whole) })
	}
}

// TestHedgedLagging freezes a replica while rows are written, and then the primary: the
// replica has not all that the primary was seen to have, and must not pass for it.
func TestHedgedLagging(t *testing.T) {
	h := startHedging(t)
	freeze(t, h.at.replica.cmd.Process.Pid)
	for from := 0; from < 4000; from += step {
		if _, err := h.Stage(t.Context(), 2, 1, logged(from, from+step)); err != nil {
			t.Fatal(err)
		}
	}
	whole := time.Now()
	h.surveyed(t)
	freeze(t, h.at.primary.cmd.Process.Pid)
	if err := syscall.Kill(h.at.replica.cmd.Process.Pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	h.wantBehind(t, whole)
}

// wantBehind reads what a replica may not have, which is to say so.
func (h *hedging) wantBehind(t *testing.T, whole time.Time) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	got, err := h.ReadWhole(ctx, 1, h.keys, whole, nil)
	var partial *redis.PartialError
	if !errors.As(err, &partial) {
		t.Fatalf("ReadWhole = %v, want a PartialError", err)
	}
	if n := len(h.keys) - 1; len(partial.Behind) != n || !reflect.DeepEqual(partial.Failed, []int{n}) {
		t.Errorf("rows that a replica gave: %v, that failed: %v; want the %d that have any, and the last", partial.Behind, partial.Failed, n)
	}
	if !reflect.DeepEqual(got[:len(h.keys)-1], h.want[:len(h.keys)-1]) {
		t.Errorf("the replica's rows are %.80s", fmt.Sprint(got))
	}
}

// BenchmarkHedging is what hedging costs reads that are in time: 64 callers at once read
// a record each, with and without. cpu-ns is of the client process alone.
func BenchmarkHedging(b *testing.B) {
	c := aCluster(b).prefix(b)
	rows := batch(0, 1000, 1)
	if _, err := open(b, c).Stage(context.Background(), 1, 1, rows); err != nil {
		b.Fatal(err)
	}
	for _, share := range []float64{0, .02} {
		c.HedgeBudget, c.HedgeAfter = share, 100*time.Millisecond // so that all are in time
		s := open(b, c)
		b.Run(fmt.Sprintf("budget=%g", share), func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(32)
			begun := processor.Time()
			b.RunParallel(func(pb *testing.PB) {
				var dst [][]feature.Record
				for i := 0; pb.Next(); i++ {
					var err error
					if dst, err = s.Read(context.Background(), 1, []feature.Key{rows[i%len(rows)].Key}, dst); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(processor.Time()-begun)/float64(b.N), "cpu-ns/op")
		})
	}
}
