package tap

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Records that others write to the profiles topic change nothing, are counted
// each once by all that read them, and are told in the log.
func TestForeignRecords(t *testing.T) {
	r := newRig(t, 1, delays())
	zero := int32(0)
	r.send("sluice.profiles", Out{Value: []byte("no key"), Partition: &zero}, Out{Key: []byte("\xffx"), Value: []byte("other key"), Partition: &zero})
	var lines bytes.Buffer
	deps := r.deps()
	deps.Logger = slog.New(slog.NewTextHandler(&lines, nil))
	run := r.startWith(deps)
	r.send("sluice.writes", write("UA", day, 1, 1))
	if got := r.drain(); got.Accepted != 1 {
		t.Errorf("accounting = %+v, want 1 accepted", got)
	}
	r.send("sluice.profiles", Out{Key: []byte("late"), Value: []byte("x"), Partition: &zero})
	r.send("sluice.writes", write("AA", day, 1, 1)) // its checkpoint lies behind that record
	r.drain()
	r.end(run)
	if got := testutil.ToFloat64(run.tap.metrics.foreign); got != 3 {
		t.Errorf("sluice_tap_foreign_records_total = %g, want 3", got)
	}
	if got := lines.String(); strings.Count(got, "no tap wrote") != 1 || !strings.Contains(got, "topic=sluice.profiles partition=0 offset=0") {
		t.Errorf("log = %s, want one line about the first of them", got)
	}
}

// A flood of foreign records fills no log, and what another reader has noted
// already counts no second time.
func TestForeignFlood(t *testing.T) {
	var lines bytes.Buffer
	m, f := newMetrics(nil), foreign{}
	f.note(&kgo.Record{}, ErrCorrupt) // nobody is told yet
	f.report(m.foreign, slog.New(slog.NewTextHandler(&lines, nil)))
	for range 2 { // two readers
		for offset := range int64(2 * foreignEvery) {
			f.note(&kgo.Record{Topic: "t", Offset: offset}, fmt.Errorf("key: %w", ErrCorrupt))
		}
	}
	if got, n := testutil.ToFloat64(m.foreign), strings.Count(lines.String(), "\n"); got != 2*foreignEvery || n != 2 {
		t.Errorf("%g counted, %d lines, want %d and 2", got, n, 2*foreignEvery)
	}
}
