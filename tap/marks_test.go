package tap

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"sluice/feature"
)

// forgetful is an online store that acknowledges the rows of one call and does not
// have them, and says so when it is asked.
type forgetful struct {
	Rows
	mu      sync.Mutex
	owned   map[string]int64
	offsets []int64 // of the marks
	calls   int
	forgets int // which call
	lost    bool
}

func (f *forgetful) Own(source string, offset int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.owned[source] = offset
}

func (f *forgetful) Disown(source string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.owned, source)
}

func (f *forgetful) StageMarked(ctx context.Context, view feature.ViewID, version feature.Version, rows []feature.Row, source string, offset int64) (uint64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.owned[source]; !ok {
		return 0, fmt.Errorf("nobody owns %s", source)
	}
	f.offsets = append(f.offsets, offset)
	if f.calls++; f.calls == f.forgets {
		f.lost = true
		return 1, nil
	}
	return f.Stage(ctx, view, version, rows)
}

func (f *forgetful) Lost(_ context.Context, _ string, acknowledged int64) (int64, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	lost := f.lost
	f.lost = false
	return acknowledged, lost, nil
}

// Rows that a store acknowledged and lost are staged again before a checkpoint covers
// them, and nothing is counted twice.
func TestLostRowsAreStagedAgain(t *testing.T) {
	r := newRig(t, 1, delays())
	r.cfg.StageRows = 10
	store := &forgetful{Rows: r.rows, owned: map[string]int64{}, forgets: 3}
	deps := r.deps()
	deps.Rows = store
	run := r.startWith(deps)
	const writes = 100
	for i := range writes {
		r.send("sluice.writes", write(fmt.Sprint("c", i), day, float64(i), 1))
	}
	if counts := r.drain(); counts.Accepted != writes || counts.Received != writes {
		t.Errorf("counts = %+v, want %d accepted", counts, writes)
	}
	if n := testutil.ToFloat64(run.tap.metrics.errors.WithLabelValues("store")); n != 1 {
		t.Errorf("the partition was read again %v times because of the store, want once", n)
	}
	view := r.view("delays")
	info, err := r.registry.VersionOf(r.ctx, view.ID, day)
	if err != nil {
		t.Fatal(err)
	}
	if rows, _, err := r.rows.Stat(r.ctx, view.ID, info.Version); err != nil || rows != writes {
		t.Errorf("%d rows are there (%v), want %d", rows, err, writes)
	}
	r.end(run)
	store.mu.Lock()
	defer store.mu.Unlock()
	for i, offset := range store.offsets {
		if offset < 0 || offset >= writes {
			t.Errorf("mark %d says offset %d of %d", i, offset, writes)
		}
	}
	if len(store.owned) != 0 {
		t.Errorf("still owned: %v", store.owned)
	}
}
