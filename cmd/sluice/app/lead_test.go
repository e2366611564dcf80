package app

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// lease is one that is given by hand.
type lease struct{ epoch atomic.Uint64 }

func (l *lease) Lead(context.Context, string, string, time.Duration) (uint64, error) {
	return l.epoch.Load(), nil
}
func (l *lease) Resign(context.Context, string, string) error { return nil }

// idle is a gate with nothing to do.
type idle struct{ running atomic.Int32 }

func (g *idle) Lead(uint64) {}
func (g *idle) Run(ctx context.Context) error {
	g.running.Add(1)
	defer g.running.Add(-1)
	<-ctx.Done()
	return nil
}

// TestBesideTheGate wants what goes on beside a gate, such as asking servers for
// elections, to go on in the process that leads alone.
func TestBesideTheGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l lease
		var gate idle
		var beside atomic.Int32
		e := newElection(&l, &gate, func(ctx context.Context) {
			beside.Add(1)
			defer beside.Add(-1)
			<-ctx.Done()
		}, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- e.Run(ctx) }()
		for _, step := range []struct {
			epoch uint64
			want  int32
		}{{0, 0}, {1, 1}, {0, 0}, {3, 1}, {4, 1}} {
			l.epoch.Store(step.epoch)
			<-time.After(2 * leaseTime) // simulated
			synctest.Wait()
			if got, runs := beside.Load(), gate.running.Load(); got != step.want || runs != step.want {
				t.Errorf("with epoch %d: %d beside the gate, %d gates, want %d", step.epoch, got, runs, step.want)
			}
		}
		cancel()
		if err := <-ended; err != nil || beside.Load() != 0 {
			t.Errorf("Run = %v with %d left beside the gate, want nil and none", err, beside.Load())
		}
	})
}
