package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"time"

	"sluice/feature"
	"sluice/internal/reconciliation"
	"sluice/quality/sketch"
	"sluice/store/embedded"
	"sluice/store/redis"
	"sluice/tap"
)

// heldRows is how many rows' digests a reconciliation has in memory at once, about: with
// keys of 30 bytes some 150 bytes each.
const heldRows = 4 << 20

// ReconcileOptions say what to hold against the log.
type ReconcileOptions struct {
	Views  []string // empty: all
	Repair bool
	Listed int // differences of a view that its result names at most
	By     string
	Reason string
	Log    *slog.Logger
	Tell   func(view string, p reconciliation.Progress)
}

// ErrNoView reports a view that no definition has.
var ErrNoView = errors.New("no such view")

// Reconcile holds what readers get of views against the log, entity by entity, and with
// Repair mends what differs. The platform may run, unless its rows are embedded. The
// results are those of the views up to the one that the error is about.
func Reconcile(ctx context.Context, cfg Config, opts ReconcileOptions) (results []reconciliation.Result, err error) {
	opts.Log = discard(opts.Log)
	p, err := openLedger(ctx, cfg, opts.Log, true)
	defer func() { err = errors.Join(err, p.Close()) }()
	if err != nil {
		return nil, err
	}
	if err := p.finished(ctx); err != nil {
		return nil, err
	}
	if p.key, err = p.installation(ctx, nil); err != nil {
		return nil, err
	}
	p.ready = make(chan struct{})
	close(p.ready)
	if err := p.openRows(ctx, cfg, Options{Log: opts.Log}); err != nil {
		return nil, err
	}
	return p.reconcile(ctx, p.key, time.Now(), opts)
}

// reconcile does so on parts that are open, at a time.
func (p *parts) reconcile(ctx context.Context, key sketch.HashKey, now time.Time, opts ReconcileOptions) (results []reconciliation.Result, err error) {
	defs, _, err := p.registry.Definitions(ctx)
	if err != nil {
		return nil, err
	}
	p.inForce(&defs)
	for _, name := range opts.Views {
		if defs.View(name) == nil {
			return nil, fmt.Errorf("%.64q: %w", name, ErrNoView)
		}
	}
	deps := reconciliation.Deps{
		Log: tap.NewReader(tap.DefaultConfig(), p.log, key, p.registry), Rows: p.rows, Registry: p.registry,
		Bucket: redis.BucketOf, Buckets: redis.Buckets, Damaged: damagedRows,
	}
	for i := range defs.Views {
		view := &defs.Views[i]
		if len(opts.Views) > 0 && !slices.Contains(opts.Views, view.Name) {
			continue
		}
		result, err := reconciliation.Run(ctx, deps, view, reconciliation.Options{
			Repair: opts.Repair, Before: p.noteRepair(view, opts), Now: now, Listed: opts.Listed, Held: heldRows, Parallel: 2 * runtime.GOMAXPROCS(0),
			Tell: func(at reconciliation.Progress) {
				if opts.Tell != nil {
					opts.Tell(view.Name, at)
				}
			},
		})
		results = append(results, result)
		if err != nil {
			return results, err
		}
	}
	return results, nil
}

func damagedRows(err error) bool {
	return errors.Is(err, redis.ErrCorrupt) || errors.Is(err, embedded.ErrCorrupt) || errors.Is(err, feature.ErrCorrupt)
}

// noteRepair notes who mends rows of a view, before the first is written.
func (p *parts) noteRepair(view *feature.View, opts ReconcileOptions) func(context.Context, int) error {
	return func(ctx context.Context, differ int) error {
		after, err := json.Marshal(map[string]any{"rows": differ})
		if err != nil {
			return fmt.Errorf("encode audit row: %w", err)
		}
		return p.registry.WriteAudit(ctx, feature.Audit{At: time.Now().UTC(), By: opts.By, Action: "repair rows", View: view.Name, Reason: opts.Reason, After: after})
	}
}
