package materialize

import (
	"bytes"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"sluice/feature"
)

// clock is a producer whose least delays of the last half minute and the one before are
// those, of n records each; 0 records leave one out.
func clock(name string, n uint64, newer, older time.Duration) feature.ProducerClock {
	from := day0.Unix() - 30
	return feature.ProducerClock{Name: name, Halves: []feature.Delays{{From: from, N: n, Least: newer}, {From: from - 30, N: n, Least: older}}}
}

// told gives the clocks of each partition to a board.
func (w *world) told(parts ...[]feature.ProducerClock) {
	for p, clocks := range parts {
		w.progress(int32(p), feature.ViewProgress{Watermark: day0, Clocks: clocks})
	}
}

func TestProducers(t *testing.T) {
	const s, m = time.Second, time.Minute
	type skew struct{ Delay, Ahead, Behind float64 }
	for name, tc := range map[string]struct {
		parts [][]feature.ProducerClock
		after time.Duration
		want  map[string]skew
	}{
		"right": {[][]feature.ProducerClock{{clock("a", 9, s, 2*s)}, {clock("b", 9, s, s)}}, 0, map[string]skew{"a": {1, 0, 0}, "b": {1, 0, 0}}},
		"ahead, in one of two partitions": {[][]feature.ProducerClock{{clock("a", 1, s, s)}, {clock("a", 1, 5*s, -90*s)}}, 0,
			map[string]skew{"a": {-90, 90, 0}}},
		"behind":                            {[][]feature.ProducerClock{{clock("a", 9, 10*m, 10*m+3*s), clock("b", 9, s, 2*s)}}, 0, map[string]skew{"a": {600, 0, 599}, "b": {1, 0, 0}}},
		"behind, one of many":               {[][]feature.ProducerClock{{clock("a", 9, 10*m, 10*m), clock("b", 9, 20*s, 20*s), clock("c", 9, 2*s, 2*s)}}, 0, map[string]skew{"a": {600, 0, 598}, "b": {20, 0, 18}, "c": {2, 0, 0}}},
		"alone":                             {[][]feature.ProducerClock{{clock("a", 9, 10*m, 10*m)}}, 0, map[string]skew{"a": {600, 0, 0}}},
		"one that is ahead is no measure":   {[][]feature.ProducerClock{{clock("a", 9, s/2, s/2), clock("b", 9, -5*m, -5*m)}}, 0, map[string]skew{"a": {0.5, 0, 0}, "b": {-300, 300, 0}}},
		"a replay gets younger":             {[][]feature.ProducerClock{{clock("a", 9, 10*m, 40*m), clock("b", 9, s, s)}}, 0, map[string]skew{"a": {600, 0, 0}, "b": {1, 0, 0}}},
		"a batch gets older":                {[][]feature.ProducerClock{{clock("a", 9, 10*m+30*s, 10*m), clock("b", 9, s, s)}}, 0, map[string]skew{"a": {600, 0, 0}, "b": {1, 0, 0}}},
		"few records":                       {[][]feature.ProducerClock{{clock("a", 4, 10*m, 10*m), clock("b", 9, s, s)}}, 0, map[string]skew{"a": {600, 0, 0}, "b": {1, 0, 0}}},
		"few records, in each partition":    {[][]feature.ProducerClock{{clock("a", 4, 10*m, 10*m), clock("b", 9, s, s)}, {clock("a", 4, 10*m, 11*m)}}, 0, map[string]skew{"a": {600, 0, 599}, "b": {1, 0, 0}}},
		"the others are not told apart":     {[][]feature.ProducerClock{{{Other: true, Halves: clock("", 9, 10*m, 10*m).Halves}, clock("b", 9, s, s)}}, 0, map[string]skew{"": {600, 0, 0}, "b": {1, 0, 0}}},
		"a tap that is behind says nothing": {[][]feature.ProducerClock{{clock("a", 9, -10*m, -10*m)}}, 5 * m, map[string]skew{}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, paymentsView())
			w.told(tc.parts...)
			got := map[string]skew{}
			for _, p := range w.board.Producers(w.view, day0.Add(tc.after)) {
				got[p.Producer] = skew{p.Delay, p.Ahead, p.Behind}
			}
			if !reflect.DeepEqual(got, tc.want) {
				t.Errorf("producers %+v, want %+v", got, tc.want)
			}
		})
	}
}

// A clock that is off is logged once, shown by direction, and logged again when it is right.
func TestSkewIsTold(t *testing.T) {
	w := newWorld(t, paymentsView())
	var log bytes.Buffer
	deps, reg := w.deps(), prometheus.NewRegistry()
	deps.Registerer, deps.Logger = reg, slog.New(slog.NewTextHandler(&log, nil))
	g := New(DefaultConfig(), deps)
	shows := func(ahead, behind string) {
		t.Helper()
		if err := testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP sluice_clock_skew_seconds How far the clock of a producer is off, the worst of those of a view that wrote within two minutes, by view and direction (ahead, behind); 0 if none is seen to be.
# TYPE sluice_clock_skew_seconds gauge
sluice_clock_skew_seconds{direction="ahead",view="payments"} `+ahead+`
sluice_clock_skew_seconds{direction="behind",view="payments"} `+behind+`
`), "sluice_clock_skew_seconds"); err != nil {
			t.Error(err)
		}
	}
	w.told([]feature.ProducerClock{clock("edge", 9, -2*time.Minute, time.Second), clock("old", 9, time.Hour, time.Hour), clock("b", 9, time.Second, time.Second)})
	g.clocks(w.view, day0)
	g.clocks(w.view, day0)
	shows("120", "3599")
	if n := strings.Count(log.String(), "clock is off"); n != 2 || !strings.Contains(log.String(), "view=payments producer=edge ahead_seconds=120 behind_seconds=0") {
		t.Errorf("logged %d times:\n%s", n, log.String())
	}
	w.told([]feature.ProducerClock{clock("edge", 9, time.Second, time.Second), clock("old", 9, time.Second, time.Second)})
	g.clocks(w.view, day0)
	shows("0", "0")
	if n := strings.Count(log.String(), "no longer seen to be off"); n != 2 {
		t.Errorf("logged the end %d times:\n%s", n, log.String())
	}
}
