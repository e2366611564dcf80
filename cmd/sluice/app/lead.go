package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"sluice/feature"
)

// owner is what the gate of an installation is fenced as.
const owner = "gate"

// leaseTime is how long a gate that says nothing more keeps the others out. It
// bounds how long windows wait after a gate has died.
const leaseTime = 3 * time.Second

// leases says which process of several is the gate; the registry provides it. The
// epoch alone is what keeps decisions apart: a lease that two believe to hold
// costs work and nothing else.
type leases interface {
	// Lead takes the ownership, or renews it, for ttl from now. The epoch is 0 while
	// another holder has it.
	Lead(ctx context.Context, owner, holder string, ttl time.Duration) (epoch uint64, err error)
	// Resign gives it back, if it is the holder's.
	Resign(ctx context.Context, owner, holder string) error
}

// decider is a gate: Run decides under the epoch that Lead was given last.
type decider interface {
	Lead(epoch uint64)
	Run(ctx context.Context) error
}

// election runs the gate while this process leads, and waits while another does.
type election struct {
	leases leases
	gate   decider
	beside func(context.Context) // runs as long as the gate leads; it ends with its context
	holder string
	log    *slog.Logger
}

func newElection(l leases, gate decider, beside func(context.Context), log *slog.Logger) *election {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return &election{leases: l, gate: gate, beside: beside, holder: fmt.Sprintf("%s/%d/%s", host, os.Getpid(), rand.Text()[:6]), log: log}
}

// Run stands by, leads, and stands by again until ctx ends.
func (e *election) Run(ctx context.Context) error {
	tick := time.NewTicker(leaseTime / 3)
	defer tick.Stop()
	for {
		epoch, err := e.leases.Lead(ctx, owner, e.holder, leaseTime)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			e.log.Warn("gate: registry not asked who leads, standing by", "err", err)
		case epoch > 0:
			if err := e.reign(ctx, epoch, tick.C); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// reign runs the gate until ctx ends, its lease ends, or another has taken over.
func (e *election) reign(ctx context.Context, epoch uint64, tick <-chan time.Time) error {
	e.log.Info("gate: leading", "epoch", epoch, "holder", e.holder)
	var beside sync.WaitGroup
	defer beside.Wait()
	leading, stop := context.WithCancel(ctx)
	defer stop()
	beside.Go(func() { e.beside(leading) })
	e.gate.Lead(epoch)
	ended := make(chan error, 1)
	go func() { ended <- e.gate.Run(leading) }()
	until := time.Now().Add(leaseTime)
	for {
		select {
		case err := <-ended:
			return e.over(ctx, err)
		case <-ctx.Done():
			return e.over(ctx, <-ended)
		case <-tick:
		}
		asked := time.Now()
		got, err := e.leases.Lead(ctx, owner, e.holder, leaseTime)
		switch {
		case err == nil && got == epoch:
			until = asked.Add(leaseTime)
		case err == nil || time.Now().After(until):
			e.log.Warn("gate: lease lost, standing by", "epoch", epoch, "err", err)
			stop()
			return e.over(ctx, <-ended)
		}
	}
}

// over gives the lease back after the gate's end.
func (e *election) over(ctx context.Context, err error) error {
	if errors.Is(err, feature.ErrFenced) {
		e.log.Warn("gate: another has taken over, standing by", "err", err)
		err = nil
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseTime)
	defer cancel()
	if resigned := e.leases.Resign(ending, owner, e.holder); resigned != nil {
		e.log.Warn("gate: lease not given back; it ends by itself", "err", resigned)
	}
	return err
}
