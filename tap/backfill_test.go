package tap

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// Writes of declared backfills are counted by view beside all that are accepted, and not
// those that are refused or come twice.
func TestBackfilledCounted(t *testing.T) {
	r := newRig(t, 1, delays())
	run := r.start()
	declared := func(out Out, value string) Out {
		out.Headers = append(out.Headers, Header{HeaderBackfill, []byte(value)}, Header{HeaderEventID, append([]byte("e"), out.Key...)})
		return out
	}
	r.send("sluice.writes", write("AA", day, 1, 1), declared(write("B6", day, 1, 1), "true"), declared(write("B6", day, 1, 1), "true"),
		declared(write("DL", day, 9999, 1), "true"), declared(write("UA", day, 1, 1), "1"), declared(write("WN", day, 1, 1), "false"))
	r.drain()
	r.end(run)
	m := run.tap.metrics
	if got := testutil.ToFloat64(m.backfilled.WithLabelValues("delays", "sluice.writes")); got != 2 {
		t.Errorf("sluice_rows_backfilled_total = %g, want 2", got)
	}
	if got := testutil.ToFloat64(m.rows.WithLabelValues("delays", "sluice.writes")); got != 4 {
		t.Errorf("sluice_rows_observed_total = %g, want 4", got)
	}
	for _, p := range r.progress() {
		if p.Counts.Backfilled != 2 {
			t.Errorf("the accounting has %+v, want 2 backfilled", p.Counts)
		}
	}
	m.forget("delays")
	if n := testutil.CollectAndCount(m.backfilled); n != 0 {
		t.Errorf("%d series of a view that is gone", n)
	}
}
