package serving

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"sluice/feature"
)

const (
	reportEvery  = time.Second
	reportLast   = 2 * time.Second // for what is left when Run ends
	sampleBuffer = 1024            // rows that wait for Deps.Served
	sampleBatch  = 256             // rows of one call
)

// reporter watches what reads return, and hands it on: how often each version was
// shown, who reads what, and a sample of the rows.
type reporter struct {
	limit   int // rows sampled of a view in a second
	exposed ExposedFunc
	served  ServedFunc
	now     func() time.Time // the platform's clock
	metrics *metrics
	log     *slog.Logger

	readership *readership // nil: reads are not counted by feature
	readers    readers

	mu      sync.Mutex
	watches map[feature.ViewID]*watch

	samples chan feature.ServedRow

	from    time.Time // of the goroutine that reports exposure: when it last did
	owed    []feature.Exposure
	failing bool
}

// watch is what one view's reads are counted and chosen by. A nil part is off.
type watch struct {
	exposure *exposure
	sampler  *sampler
}

func newReporter(config Config, deps Deps, m *metrics) *reporter {
	r := &reporter{
		limit: config.SampleRate, exposed: deps.Exposed, served: deps.Served, now: deps.Now, metrics: m, log: deps.Log,
		watches: map[feature.ViewID]*watch{}, samples: make(chan feature.ServedRow, sampleBuffer), from: deps.Now(),
	}
	if deps.Readers != nil {
		r.readership = &readership{counters: map[string]*listReads{}}
		r.readers = readers{counted: r.readership, tell: deps.Readers, now: deps.Now, metrics: m, log: deps.Log, from: deps.Now()}
	}
	return r
}

// watch returns that of a view, which outlives changes of its definition.
func (r *reporter) watch(view feature.ViewID) *watch {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := r.watches[view]
	if w == nil {
		w = &watch{}
		if r.exposed != nil {
			w.exposure = &exposure{}
		}
		if r.served != nil && r.limit > 0 {
			w.sampler = &sampler{}
			w.sampler.tick(r.limit, reportEvery)
		}
		r.watches[view] = w
	}
	return w
}

// run reports until ctx ends, and then what is left.
func (r *reporter) run(ctx context.Context) {
	var group sync.WaitGroup
	if r.exposed != nil {
		group.Go(func() { repeat(ctx, reportEvery, r.reportExposure) })
	}
	if r.readership != nil {
		group.Go(func() { r.readers.run(ctx) })
	}
	if r.served != nil && r.limit > 0 {
		group.Go(func() { r.runSamples(ctx) })
	}
	group.Wait()
}

// repeat calls report every so often until ctx ends, and then once more for what is left.
func repeat(ctx context.Context, every time.Duration, report func(context.Context)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), reportLast)
			defer cancel()
			report(ctx)
			return
		case <-tick.C:
			report(ctx)
		}
	}
}

// reportExposure hands on what was counted. What cannot be handed on is kept and
// added to the next report.
func (r *reporter) reportExposure(ctx context.Context) {
	now := r.now()
	r.mu.Lock()
	for view, w := range r.watches {
		r.owed = w.exposure.take(view, r.from, now, r.owed)
	}
	r.mu.Unlock()
	r.from = now
	if len(r.owed) == 0 {
		return
	}
	r.owed = merged(r.owed)
	err := r.exposed(ctx, r.owed)
	if err == nil {
		r.owed = nil
	} else {
		r.metrics.reports[reportExposureFailed].Inc()
	}
	switch {
	case err != nil && !r.failing:
		r.log.Warn("how often versions were read cannot be recorded; it is kept until it can", "err", err)
	case err == nil && r.failing:
		r.log.Info("how often versions were read is recorded again")
	}
	r.failing = err != nil
}

// merged returns list with one entry a view and version, in the order of their
// first ones.
func merged(list []feature.Exposure) []feature.Exposure {
	at := make(map[versionKey]int, len(list))
	out := list[:0]
	for _, e := range list {
		key := versionKey{e.View, e.Version}
		i, known := at[key]
		if !known {
			at[key] = len(out)
			out = append(out, e)
			continue
		}
		out[i].Reads += e.Reads
		out[i].Last = e.Last
	}
	return out
}

func (r *reporter) runSamples(ctx context.Context) {
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	var batch []feature.ServedRow
	ticked := time.Now()
	for {
		select {
		case <-ctx.Done():
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), reportLast)
			defer cancel()
			r.deliver(ctx, r.waiting(batch))
			return
		case row := <-r.samples:
			if batch = append(batch, row); len(batch) < sampleBatch {
				continue
			}
		case now := <-tick.C:
			r.tick(now.Sub(ticked))
			ticked = now
		}
		r.deliver(ctx, batch)
		batch = nil
	}
}

// waiting appends the rows that are in the channel.
func (r *reporter) waiting(batch []feature.ServedRow) []feature.ServedRow {
	for {
		select {
		case row := <-r.samples:
			batch = append(batch, row)
		default:
			return batch
		}
	}
}

// tick gives every view its rows for the next second.
func (r *reporter) tick(since time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range r.watches {
		w.sampler.tick(r.limit, since)
	}
}

// deliver hands rows on. They are a sample: those that are not taken are gone.
func (r *reporter) deliver(ctx context.Context, rows []feature.ServedRow) {
	if len(rows) == 0 {
		return
	}
	if err := r.served(ctx, rows); err != nil {
		r.metrics.reports[reportSampleFailed].Add(float64(len(rows)))
		r.log.Warn("sampled rows were not taken", "rows", len(rows), "err", err)
		return
	}
	r.metrics.reports[reportSampled].Add(float64(len(rows)))
}
