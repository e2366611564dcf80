package probe

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// readKeys is how many rows one read asks for.
const readKeys = 20

// read reads all the time, until ctx ends.
func (p *Probe) read(ctx context.Context) {
	tick := time.NewTicker(p.cfg.ReadEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		asked := rand.Perm(keys)[:readKeys]
		names := make([]string, readKeys)
		for i, k := range asked {
			names[i] = keyOf(k)
		}
		began := time.Now()
		rows, err := p.server.Read(ctx, names)
		if ctx.Err() != nil {
			return
		}
		p.count(began, names, rows, err)
	}
}

// count judges what a read that began at a time gave.
func (p *Probe) count(began time.Time, asked []string, rows []Row, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.report.Reads += uint64(len(asked))
		p.report.FailedReads += uint64(len(asked))
		p.metrics.reads.WithLabelValues(readFailed).Add(float64(len(asked)))
		p.log.Warn("read failed", "err", err)
		return
	}
	found := map[string]bool{}
	for _, r := range rows {
		found[r.Key] = true
		p.saw(right(r), func() string { return describe(r) })
	}
	if p.since.IsZero() || began.Before(p.since) {
		return // nothing has to be there yet
	}
	for _, key := range asked {
		if !found[key] {
			p.saw(false, func() string { return key + " is not found" })
		}
	}
}

// saw counts one row that was read.
func (p *Probe) saw(good bool, what func() string) {
	p.report.Reads++
	if good {
		p.metrics.reads.WithLabelValues(readGood).Inc()
		return
	}
	p.report.BadReads++
	p.metrics.reads.WithLabelValues(readBad).Inc()
	if p.report.FirstBad == "" {
		p.report.FirstBad = what()
		p.log.Error("a reader got a value that is not a known good one", "read", p.report.FirstBad)
	}
}

func describe(r Row) string {
	value := "null"
	if r.Value != nil {
		value = fmt.Sprint(*r.Value)
	}
	want, shade := good(r.Key, r.At)
	return fmt.Sprintf("%s at %s: %s %q, want %g %q", r.Key, r.At.UTC().Format(time.RFC3339Nano), value, r.Shade, want, shade)
}
