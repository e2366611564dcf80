package app

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"sluice/feature"
	"sluice/internal/judge"
)

const (
	originEvery  = time.Second      // looks for verdicts that are new
	originPage   = 1000             // of them at once, and how far back the first look goes
	originTries  = 3                // at a verdict whose log could not be read in time
	originOwner  = "origins"        // the lease of the process that looks
	originTenure = 30 * time.Second // of that lease
)

// originStore is what an originator needs of the registry.
type originStore interface {
	Decided(ctx context.Context, after int64, limit int) ([]feature.Decided, error)
	Origins(ctx context.Context, verdict string) ([]byte, error) // feature.ErrNotFound if nothing is stored
	Lead(ctx context.Context, owner, holder string, ttl time.Duration) (uint64, error)
	Verdict(ctx context.Context, id string) (feature.VerdictRow, error)
}

// originator finds where the reasons of verdicts that failed or warned begin, and has that
// stored, soon after each decision: the log is not kept as long as verdicts are. It works
// where the gate may run, one verdict after another, in one process of all.
type originator struct {
	store originStore
	// find reads the log; what it says is not lasting if that could not be read in time.
	find    func(ctx context.Context, row feature.VerdictRow) (o judge.Origins, lasting bool, err error)
	save    func(ctx context.Context, id string, o *judge.Origins) error
	metrics *originMetrics
	log     *slog.Logger

	holder string
	after  int64 // the last verdict that was dealt with; negative before the first look
}

func newOriginator(a *App) *originator {
	return &originator{
		store: a.parts.registry, find: a.tracer.origins, save: a.tracer.save, metrics: newOriginMetrics(a.metrics), log: a.opts.Log,
		holder: rand.Text(), after: -1,
	}
}

// Run looks at new verdicts until ctx ends.
func (o *originator) Run(ctx context.Context) error {
	tick := time.NewTicker(originEvery)
	defer tick.Stop()
	for {
		if err := o.sweep(ctx); err != nil && ctx.Err() == nil {
			o.metrics.count(originError)
			o.log.Warn("where the reasons of verdicts begin was not looked for; it is tried again", "after", o.after, "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// sweep deals with the verdicts since the last one. It stops without an error while another
// process does so.
func (o *originator) sweep(ctx context.Context) error {
	decided, err := o.store.Decided(ctx, o.after, originPage)
	if err != nil {
		o.metrics.behind()
		return err
	}
	for _, d := range decided {
		if traced(d.Kind, d.State) {
			o.metrics.behind()
			mine, err := o.settle(ctx, d.ID)
			if !mine && err == nil {
				o.metrics.caughtUp() // as far as this process is to
			}
			if err != nil || !mine {
				return err
			}
		}
		o.after = d.Seq
	}
	if o.after < 0 {
		o.after = 0 // nothing was ever decided
	}
	if len(decided) < originPage {
		o.metrics.caughtUp()
	}
	return nil
}

// settle has the origins of a verdict stored, if they are not; false if another process is
// to do it.
func (o *originator) settle(ctx context.Context, id string) (mine bool, err error) {
	if _, err := o.store.Origins(ctx, id); err == nil || !errors.Is(err, feature.ErrNotFound) {
		return true, err
	}
	if epoch, err := o.store.Lead(ctx, originOwner, o.holder, originTenure); err != nil || epoch == 0 {
		return false, err
	}
	row, err := o.store.Verdict(ctx, id)
	if err != nil {
		return false, err
	}
	for range originTries {
		origins, lasting, err := o.find(ctx, row)
		switch {
		case ctx.Err() != nil:
			return false, ctx.Err()
		case err != nil: // the same for everybody who asks: not worth another try
			o.metrics.count(originFailed)
			o.log.Warn("where a verdict's reasons begin cannot be found", "view", viewOf(row), "verdict", id, "err", err)
			return true, nil
		case lasting:
			if err := o.save(ctx, id, &origins); err != nil {
				return false, fmt.Errorf("verdict %s: %w", id, err)
			}
			o.metrics.count(originStored)
			return true, nil
		}
	}
	// Whoever asks has it looked for again.
	o.metrics.count(originLate)
	o.log.Warn("where a verdict's reasons begin was not found in time; it is looked for again when somebody asks", "view", viewOf(row), "verdict", id, "tries", originTries)
	return true, nil
}

// viewOf names the view that a verdict is on; empty if its body does not say.
func viewOf(row feature.VerdictRow) string {
	var body struct {
		View string `json:"view"`
	}
	if json.Unmarshal(row.Body, &body) != nil {
		return ""
	}
	return body.View
}
