package tap

import (
	"fmt"
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
