package readership

import (
	"context"
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

// Reporter watches what reads return, and hands it on: how often each version was
// shown, who reads what, and a sample of the rows.
type Reporter struct {
	config  Config
	results *results

	lists   *lists // nil: reads are not counted by feature
	readers readers

	mu      sync.Mutex
	watches map[feature.ViewID]*Watch

	samples chan feature.ServedRow

	from    time.Time // of the goroutine that reports exposure: when it last did
	owed    []feature.Exposure
	doubt   []feature.Exposure // the report that was not answered
	number  uint64             // of the last report
	failing bool
}

// Watch is what one view's reads are counted and chosen by. A nil part is off.
type Watch struct {
	Exposure *Exposure
	Sampler  *Sampler
}

// New returns a reporter that hands on nothing until Run. The configuration has a clock and
// a log.
func New(config Config) *Reporter {
	r := &Reporter{
		config: config, results: newResults(config.Registerer), watches: map[feature.ViewID]*Watch{},
		samples: make(chan feature.ServedRow, sampleBuffer), from: config.Now(),
	}
	if config.Readers != nil {
		r.lists = newLists()
		r.readers = readers{counted: r.lists, tell: config.Readers, now: config.Now, results: r.results, log: config.Log, from: config.Now()}
	}
	return r
}

// Watch returns that of a view, which outlives changes of its definition.
func (r *Reporter) Watch(view feature.ViewID) *Watch {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := r.watches[view]
	if w == nil {
		w = &Watch{}
		if r.config.Exposed != nil {
			w.Exposure = &Exposure{}
		}
		if r.config.Served != nil && r.config.SampleRate > 0 {
			w.Sampler = &Sampler{}
			w.Sampler.tick(r.config.SampleRate, reportEvery)
		}
		r.watches[view] = w
	}
	return w
}

// Run reports until ctx ends, and then what is left.
func (r *Reporter) Run(ctx context.Context) {
	var group sync.WaitGroup
	if r.config.Exposed != nil {
		group.Go(func() { repeat(ctx, reportEvery, r.reportExposure) })
	}
	if r.lists != nil {
		group.Go(func() { r.readers.run(ctx) })
	}
	if r.config.Served != nil && r.config.SampleRate > 0 {
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

// reportExposure hands on what was counted. A report that may or may not have been taken
// comes again first, as it was; what was counted since is kept until it is.
func (r *Reporter) reportExposure(ctx context.Context) {
	now := r.config.Now()
	r.mu.Lock()
	for view, w := range r.watches {
		r.owed = w.Exposure.take(view, r.from, now, r.owed)
	}
	r.mu.Unlock()
	r.from = now
	r.owed = merged(r.owed)
	tried, err := false, error(nil)
	for err == nil && len(r.doubt)+len(r.owed) > 0 {
		if len(r.doubt) == 0 {
			r.number++
			r.doubt, r.owed = r.owed, nil
		}
		tried = true
		if err = r.config.Exposed(ctx, r.number, r.doubt); err == nil {
			r.doubt = nil
		}
	}
	if err != nil {
		r.results[exposureFailed].Inc()
	}
	switch {
	case err != nil && !r.failing:
		r.config.Log.Warn("how often versions were read cannot be recorded; it is kept until it can", "err", err)
	case err == nil && tried && r.failing:
		r.config.Log.Info("how often versions were read is recorded again")
	}
	r.failing = err != nil
}

// merged returns list with one entry a view and version, in the order of their
// first ones.
func merged(list []feature.Exposure) []feature.Exposure {
	type version struct {
		view    feature.ViewID
		version feature.Version
	}
	at := make(map[version]int, len(list))
	out := list[:0]
	for _, e := range list {
		key := version{e.View, e.Version}
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

func (r *Reporter) runSamples(ctx context.Context) {
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

// Sample hands a row to whoever takes samples; it is dropped if too many wait.
func (r *Reporter) Sample(row feature.ServedRow) {
	select {
	case r.samples <- row:
	default:
		r.results[sampleDropped].Inc()
	}
}

// waiting appends the rows that are in the channel.
func (r *Reporter) waiting(batch []feature.ServedRow) []feature.ServedRow {
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
func (r *Reporter) tick(since time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range r.watches {
		w.Sampler.tick(r.config.SampleRate, since)
	}
}

// deliver hands rows on. They are a sample: those that are not taken are gone.
func (r *Reporter) deliver(ctx context.Context, rows []feature.ServedRow) {
	if len(rows) == 0 {
		return
	}
	if err := r.config.Served(ctx, rows); err != nil {
		r.results[sampleFailed].Add(float64(len(rows)))
		r.config.Log.Warn("sampled rows were not taken", "rows", len(rows), "err", err)
		return
	}
	r.results[sampled].Add(float64(len(rows)))
}
