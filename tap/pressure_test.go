package tap

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"sluice/feature"
)

// lockedRows is an online store that takes no rows until it is opened.
type lockedRows struct {
	Rows
	open chan struct{}
	once sync.Once
}

func (l *lockedRows) Stage(ctx context.Context, view feature.ViewID, version feature.Version, rows []feature.Row) (uint64, error) {
	select {
	case <-l.open:
		return l.Rows.Stage(ctx, view, version, rows)
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func (l *lockedRows) unlock() { l.once.Do(func() { close(l.open) }) }

// A tap whose store takes no rows stands still within bounded memory and says how far
// it is behind; once the store is back it goes on and counts exactly.
func TestBackPressure(t *testing.T) {
	const (
		writes  = 4000
		size    = 32 << 10 // bytes of a write; 125 MiB in all
		most    = 48 << 20 // bytes that the tap may take
		holding = 2 << 20
	)
	text := delays()
	text.Features = append(text.Features, feature.Feature{Name: "note", Type: feature.String})
	r := newRig(t, 1, text)
	r.cfg.StageBytes, r.cfg.FetchBytes = holding, 4<<20
	rng, noise := rand.NewChaCha8([32]byte{1}), make([]byte, size/4*3)
	note := func() string { // nothing that the producer could compress
		_, _ = rng.Read(noise) // it always fills all
		return base64.StdEncoding.EncodeToString(noise)
	}
	for i := 0; i < writes; i += 100 {
		var some []Out
		for j := i; j < i+100; j++ {
			some = append(some, Out{Value: fmt.Appendf(nil, `{"view":"delays","key":{"carrier":"c%d"},"event_time":%q,"values":{"note":"%s"}}`, j, day.Format(time.RFC3339), note())})
		}
		r.send("sluice.writes", some...)
	}
	before := heap()
	rows := &lockedRows{Rows: r.rows, open: make(chan struct{})}
	defer rows.unlock()
	deps := r.deps()
	deps.Rows = rows
	metrics := deps.Registerer.(*prometheus.Registry)
	run := r.startWith(deps)
	eventually(r, func() error {
		if n := gauge(metrics, "sluice_tap_lag_records"); n < writes/2 || n > writes {
			return fmt.Errorf("the tap says it is %v records behind, want most of %d", n, writes)
		}
		if gauge(metrics, "sluice_tap_lag_seconds") <= 0 {
			return errors.New("no lag in seconds")
		}
		return nil
	})
	if grown := int64(heap()) - int64(before); grown > most {
		t.Errorf("the tap holds %d MiB while its store takes nothing, want at most %d", grown>>20, most>>20)
	}
	rows.unlock()
	if counts := r.drain(); counts.Accepted != writes || counts.Received != writes {
		t.Errorf("counts = %+v, want %d accepted", counts, writes)
	}
	eventually(r, func() error {
		if n := gauge(metrics, "sluice_tap_lag_records"); n != 0 {
			return fmt.Errorf("all is read, and the tap says it is %v records behind", n)
		}
		return nil
	})
	if n := testutil.ToFloat64(run.tap.metrics.waiting.WithLabelValues("sluice.writes")); n <= 0 {
		t.Errorf("%v seconds of back-pressure, want some", n)
	}
}

// heap is what is in use after a collection, in bytes.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// gauge is the sum over a gauge's series.
func gauge(reg *prometheus.Registry, name string) (sum float64) {
	families, err := reg.Gather()
	if err != nil {
		return -1
	}
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				sum += m.GetGauge().GetValue()
			}
		}
	}
	return sum
}

// eventually waits until check returns nil.
func eventually(r *rig, check func() error) {
	r.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(deadline)
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-timeout:
			r.Fatal(err)
		}
	}
}
