package probe

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// model is an installation in memory: it judges a window when it is sealed, by its nulls
// and its mean, and can be broken in ways that a probe must see.
type model struct {
	judging sync.WaitGroup
	mu      sync.Mutex
	size    time.Duration
	open    map[time.Time][]Row
	judged  map[time.Time]Decision
	visible map[string]Row
	delay   time.Duration // from seal to verdict

	blind   bool // publishes everything
	leaky   bool // readers see rows that are not judged
	silent  bool // faults get no verdict
	losing  bool // readers do not find a key
	refuses func() error
}

func newModel(size time.Duration) *model {
	return &model{size: size, open: map[time.Time][]Row{}, judged: map[time.Time]Decision{}, visible: map[string]Row{}, delay: 100 * time.Millisecond}
}

func (m *model) fails() error {
	if m.refuses == nil {
		return nil
	}
	return m.refuses()
}

func (m *model) Write(_ context.Context, rows []Row) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.fails(); err != nil {
		return err
	}
	for _, r := range rows {
		start := windowOf(r.At, m.size)
		m.open[start] = append(m.open[start], r)
		if m.leaky {
			m.visible[r.Key] = r
		}
	}
	return nil
}

func (m *model) Seal(_ context.Context, t time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.fails(); err != nil {
		return err
	}
	for start, rows := range m.open {
		if !start.Add(m.size + Lateness).After(t) {
			delete(m.open, start)
			m.judging.Go(func() { m.judge(start, rows) })
		}
	}
	return nil
}

func (m *model) judge(start time.Time, rows []Row) {
	_ = until(context.Background(), time.Now().Add(m.delay)) // never ends early
	m.mu.Lock()
	defer m.mu.Unlock()
	nulls, sum := 0, 0.0
	for _, r := range rows {
		if r.Value == nil {
			nulls++
			continue
		}
		sum += *r.Value
	}
	bad := nulls*5 > len(rows) || sum/float64(len(rows)-nulls) > 120
	if bad && m.silent {
		return
	}
	if bad && !m.blind {
		m.judged[start] = Decision{"fail", "reject", "vd"}
		return
	}
	m.judged[start] = Decision{"pass", "publish", "vd"}
	for _, r := range rows {
		m.visible[r.Key] = r
	}
}

func (m *model) Decision(ctx context.Context, start time.Time, wait time.Duration) (Decision, error) {
	for end := time.Now().Add(wait); ; {
		m.mu.Lock()
		d, ok := m.judged[start]
		m.mu.Unlock()
		if ok {
			return d, nil
		}
		if !time.Now().Before(end) {
			return d, ErrNotJudged
		}
		if err := until(ctx, time.Now().Add(10*time.Millisecond)); err != nil {
			return d, err
		}
	}
}

func (m *model) Read(_ context.Context, keys []string) (rows []Row, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, key := range keys {
		if r, ok := m.visible[key]; ok && !(m.losing && key == "k07") {
			rows = append(rows, r)
		}
	}
	return rows, m.fails()
}

func (m *model) Judged(context.Context) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.judged), m.fails()
}

// run probes a model for 40 windows of a minute, of which 10 have a fault.
func run(t *testing.T, m *model) (Report, *Metrics, []Window) {
	t.Helper()
	cfg := DefaultConfig(m.size)
	cfg.Duration, cfg.FaultEvery, cfg.ReadEvery = 40*m.size, 4, 2*time.Second
	metrics := NewMetrics(prometheus.NewRegistry())
	var told []Window
	defer m.judging.Wait()
	report, err := New(cfg, m, metrics, nil, func(w Window) { told = append(told, w) }).Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return report, metrics, told
}

func TestProbe(t *testing.T) {
	for name, tc := range map[string]struct {
		bug  func(*model)
		err  error
		want func(r Report) bool
	}{
		"all is well":           {func(*model) {}, nil, func(r Report) bool { return r.Caught == 10 && r.GoodBlocked == 0 && r.FailedReads == 0 }},
		"a blind gate":          {func(m *model) { m.blind = true }, ErrMissed, func(r Report) bool { return r.Missed == 10 && r.BadReads > 0 }},
		"a gate that is stuck":  {func(m *model) { m.silent = true }, ErrMissed, func(r Report) bool { return r.Missed == 10 && r.BadReads == 0 }},
		"staged rows are seen":  {func(m *model) { m.leaky = true }, ErrBadRead, func(r Report) bool { return r.Missed == 0 && strings.Contains(r.FirstBad, "want") }},
		"a key is lost":         {func(m *model) { m.losing = true }, ErrBadRead, func(r Report) bool { return r.FirstBad == "k07 is not found" && r.Missed == 0 }},
		"a slow gate is not it": {func(m *model) { m.delay = 90 * time.Second }, nil, func(r Report) bool { return r.Caught == 10 && r.VerdictMax >= 90 && r.VerdictMax < 91 }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newModel(time.Minute)
				tc.bug(m)
				report, metrics, told := run(t, m)
				if err := report.Err(); !errors.Is(err, tc.err) || !tc.want(report) || report.Windows != 40 || report.Faults != 10 || len(told) != 40 || report.Reads < 1000 {
					t.Errorf("report %+v, %v, want %v", report, err, tc.err)
				}
				caught, bad := testutil.ToFloat64(metrics.windows.WithLabelValues(kindFault, string(Blocked))), testutil.ToFloat64(metrics.reads.WithLabelValues(readBad))
				if int(caught) != report.Caught || uint64(bad) != report.BadReads {
					t.Errorf("metrics say %v caught and %v bad reads, the report %d and %d", caught, bad, report.Caught, report.BadReads)
				}
			})
		})
	}
}

// A server that is away for some minutes is no missed fault: what could not be written
// is said to be so, and reads that failed are no bad ones.
func TestServerAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newModel(time.Minute)
		began, away := time.Now(), errors.New("connection refused")
		m.refuses = func() error {
			if d := time.Since(began); d > 10*time.Minute && d < 14*time.Minute {
				return away
			}
			return nil
		}
		report, _, told := run(t, m)
		if report.Err() != nil || report.Unwritten < 3 || report.FailedReads == 0 || report.BadReads > 0 || report.Windows < 38 {
			t.Errorf("report %+v, %v, want windows that were not written, and nothing bad", report, report.Err())
		}
		for _, w := range told {
			if w.Outcome == Unwritten && (w.Missed() || !strings.Contains(w.String(), "connection refused")) {
				t.Errorf("%s", w)
			}
		}
	})
}

// A second probe goes on where the first was, and knows its values.
func TestProbeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newModel(time.Minute)
		run(t, m)
		before := len(m.judged)
		report, _, _ := run(t, m)
		if report.Err() != nil || len(m.judged) != before+40 {
			t.Errorf("report %+v, %v, %d windows more, want 40: history is not written again", report, report.Err(), len(m.judged)-before)
		}
	})
}

func TestProbeEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		m := newModel(time.Minute)
		defer m.judging.Wait()
		report, err := New(DefaultConfig(time.Minute), m, NewMetrics(nil), nil, nil).Run(ctx)
		if err != nil || report.Windows < 3 {
			t.Errorf("Run = %+v, %v, want that it ends with its context", report, err)
		}
		away := newModel(time.Minute)
		away.refuses = func() error { return errors.New("away") }
		if _, err := New(DefaultConfig(time.Minute), away, NewMetrics(nil), nil, nil).Run(t.Context()); err == nil {
			t.Error("Run began without a server")
		}
	})
}

func TestValues(t *testing.T) {
	start := time.Date(2024, 5, 6, 12, 0, 0, 0, time.UTC)
	sum, n := 0.0, 0.0
	for round := range rounds {
		for _, r := range roundOf(start, time.Minute, round, NoFault) {
			if !right(r) || r.At.Before(start) || !r.At.Before(start.Add(time.Minute)) || *r.Value < 90 || *r.Value > 110 {
				t.Fatalf("row %+v is not a good one of its window", r)
			}
			sum, n = sum+*r.Value, n+1
		}
		for i, r := range roundOf(start, time.Minute, round, Shift) {
			if right(r) || *r.Value < 150 {
				t.Fatalf("row %d %+v of a shifted window is right", i, r)
			}
		}
	}
	if mean := sum / n; mean < 99 || mean > 101 {
		t.Errorf("mean of good values is %g, want about 100", mean)
	}
	nulls := 0
	for _, r := range roundOf(start, time.Minute, 1, Nulls) {
		if r.Value == nil {
			nulls++
		}
	}
	if nulls != keys/2 {
		t.Errorf("%d of %d values are null, want half", nulls, keys)
	}
	kinds := map[Fault]int{}
	for i := range 48 {
		kinds[faultOf(start.Add(time.Duration(i)*time.Minute), time.Minute, 12)]++
	}
	if fmt.Sprint(kinds) != fmt.Sprint(map[Fault]int{NoFault: 44, Nulls: 2, Shift: 2}) {
		t.Errorf("faults of 48 windows are %v, want 2 of each kind", kinds)
	}
	if faultOf(start, time.Minute, 0) != NoFault {
		t.Error("a fault is planted although none is wanted")
	}
}

func TestReport(t *testing.T) {
	r := Report{}
	if !errors.Is(r.Err(), ErrVoid) {
		t.Errorf("Err of a run without a fault = %v, want %v", r.Err(), ErrVoid)
	}
}
