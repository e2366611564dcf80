package app

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"sluice/feature"
)

const (
	originEvery  = time.Second      // looks for verdicts that are new
	originPage   = 1000             // of them at once, and how far back the first look goes
	originTries  = 3                // at a verdict whose log could not be read in time
	originOwner  = "origins"        // the lease of the process that looks
	originTenure = 30 * time.Second // of that lease
)

// originator finds where the reasons of verdicts that failed or warned begin, and has that
// stored, soon after each decision: the log is not kept as long as verdicts are. It works
// where the gate may run, one verdict after another, in one process of all.
type originator struct {
	*tracer
	holder string
	after  int64 // the last verdict that was dealt with; negative before the first look
}

func newOriginator(t *tracer) *originator {
	return &originator{tracer: t, holder: rand.Text(), after: -1}
}

// Run looks at new verdicts until ctx ends.
func (o *originator) Run(ctx context.Context) error {
	tick := time.NewTicker(originEvery)
	defer tick.Stop()
	for {
		if err := o.sweep(ctx); err != nil && ctx.Err() == nil {
			o.app.opts.Log.Warn("where the reasons of verdicts begin was not looked for; it is tried again", "err", err)
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
	decided, err := o.app.parts.registry.Decided(ctx, o.after, originPage)
	if err != nil {
		return err
	}
	for _, d := range decided {
		if traced(d.Kind, d.State) {
			if mine, err := o.settle(ctx, d.ID); err != nil || !mine {
				return err
			}
		}
		o.after = d.Seq
	}
	if o.after < 0 {
		o.after = 0 // nothing was ever decided
	}
	return nil
}

// settle has the origins of a verdict stored, if they are not; false if another process is
// to do it.
func (o *originator) settle(ctx context.Context, id string) (mine bool, err error) {
	if _, err := o.app.parts.registry.Origins(ctx, id); err == nil || !errors.Is(err, feature.ErrNotFound) {
		return true, err
	}
	if epoch, err := o.app.parts.registry.Lead(ctx, originOwner, o.holder, originTenure); err != nil || epoch == 0 {
		return false, err
	}
	row, err := o.app.parts.registry.Verdict(ctx, id)
	if err != nil {
		return false, err
	}
	for range originTries {
		origins, lasting, err := o.origins(ctx, row)
		switch {
		case ctx.Err() != nil:
			return false, ctx.Err()
		case err != nil: // the same for everybody who asks: not worth another try
			o.app.opts.Log.Warn("where a verdict's reasons begin cannot be found", "verdict", id, "err", err)
			return true, nil
		case lasting:
			return true, o.save(ctx, id, &origins)
		}
	}
	return true, nil // whoever asks has it looked for again
}
