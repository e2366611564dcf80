package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sluice/feature"
	"sluice/internal/judge"
)

// decisions is a registry of verdicts whose origins are wanted.
type decisions struct {
	rows   []feature.Decided
	stored map[string]bool
	leads  bool
	err    error
}

func (d *decisions) Decided(_ context.Context, after int64, limit int) (all []feature.Decided, err error) {
	for _, row := range d.rows {
		if row.Seq > after && len(all) < limit {
			all = append(all, row)
		}
	}
	return all, d.err
}

func (d *decisions) Origins(_ context.Context, verdict string) ([]byte, error) {
	if d.stored[verdict] {
		return []byte("{}"), nil
	}
	return nil, feature.ErrNotFound
}

func (d *decisions) Lead(context.Context, string, string, time.Duration) (uint64, error) {
	if d.leads {
		return 1, nil
	}
	return 0, nil
}

func (d *decisions) Verdict(_ context.Context, id string) (feature.VerdictRow, error) {
	return feature.VerdictRow{ID: id, Body: fmt.Appendf(nil, `{"id":%q,"view":"pay"}`, id)}, nil
}

// originRig is an originator over decisions, and what it exports and logs.
type originRig struct {
	*originator
	*decisions
	t     *testing.T
	reg   *prometheus.Registry
	text  bytes.Buffer
	found func(id string) (lasting bool, err error)
}

func newOriginRig(t *testing.T) *originRig {
	r := &originRig{t: t, reg: prometheus.NewRegistry(), decisions: &decisions{stored: map[string]bool{}, leads: true}}
	r.originator = &originator{
		store: r.decisions, metrics: newOriginMetrics(r.reg), log: slog.New(slog.NewTextHandler(&r.text, nil)), holder: "h", after: -1,
		find: func(_ context.Context, row feature.VerdictRow) (o judge.Origins, lasting bool, err error) {
			lasting, err = r.found(row.ID)
			return o, lasting, err
		},
		save: func(_ context.Context, id string, _ *judge.Origins) error { r.stored[id] = true; return nil },
	}
	return r
}

// decide adds a verdict on a window.
func (r *originRig) decide(id, state string) {
	r.rows = append(r.rows, feature.Decided{Seq: int64(len(r.rows) + 1), ID: id, Kind: judge.KindWindow, State: state})
}

// want holds what is exported against the results, in the order of originResultNames, and
// the seconds behind.
func (r *originRig) want(behind float64, results ...float64) {
	r.t.Helper()
	families, err := r.reg.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "sluice_origins_behind_seconds" {
				got["behind"] = m.GetGauge().GetValue()
				continue
			}
			got[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
		}
	}
	for i, name := range originResultNames {
		if got[name] != results[i] {
			r.t.Errorf("%s is %v, want %v", name, got[name], results[i])
		}
	}
	if got["behind"] != behind {
		r.t.Errorf("%v seconds behind, want %v", got["behind"], behind)
	}
}

// TestOrigins: every verdict that fails or warns is counted once by what became of it, and
// what went wrong is logged with its view and verdict.
func TestOrigins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, tries := newOriginRig(t), 0
		r.decide("fine", "pass")
		r.decide("found", "fail")
		r.decide("broken", "warn")
		r.decide("slow", "fail")
		r.decide("known", "fail")
		r.stored["known"] = true
		r.found = func(id string) (bool, error) {
			switch id {
			case "broken":
				return false, errors.New("no case")
			case "slow":
				tries++
				return false, nil
			}
			return true, nil
		}
		r.want(0, 0, 0, 0, 0)
		for range 2 {
			if err := r.sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		r.want(0, 1, 1, 1, 0)
		if tries != originTries || !r.stored["found"] || r.stored["fine"] || r.stored["slow"] {
			t.Errorf("%d tries, stored %v", tries, r.stored)
		}
		for _, line := range []string{`cannot be found" view=pay verdict=broken err="no case"`, `when somebody asks" view=pay verdict=slow tries=3`} {
			if strings.Count(r.text.String(), line) != 1 {
				t.Errorf("the log lacks %q, or has it twice: %s", line, r.text.String())
			}
		}
	})
}

// TestOriginsBehind: while verdicts wait for somebody who looks, that is a growing number;
// not where another process looks.
func TestOriginsBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newOriginRig(t)
		r.found = func(string) (bool, error) { return true, nil }
		r.err = errors.New("no registry")
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- r.Run(ctx) }()
		time.Sleep(10*originEvery + originEvery/2)
		synctest.Wait()
		r.want(10.5, 0, 0, 0, 11)
		r.err = nil
		r.decide("found", "fail")
		r.leads = false
		time.Sleep(originEvery)
		synctest.Wait()
		r.want(0, 0, 0, 0, 11)
		r.leads = true
		time.Sleep(originEvery)
		synctest.Wait()
		r.want(0, 1, 0, 0, 11)
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
	})
}
