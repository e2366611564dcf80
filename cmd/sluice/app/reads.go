package app

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"

	"sluice/feature"
	"sluice/materialize"
	"sluice/quality/sketch"
	"sluice/serving/readership"
)

// processName names this process among all that serve, now and before.
func processName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s/%d/%s", host, os.Getpid(), rand.Text()[:6])
}

// exposed records how often versions were read by this process, which is called process.
func (a *App) exposed(process string) func(context.Context, uint64, []feature.Exposure) error {
	return func(ctx context.Context, number uint64, reads []feature.Exposure) error {
		return a.parts.registry.AddExposure(ctx, feature.ExposureReport{Process: process, Number: number, Reads: reads})
	}
}

// buildReaders makes what records who reads what of this process, which is called process.
func (a *App) buildReaders(process string) readership.ReadersFunc {
	return func(ctx context.Context, list []feature.Readership) error {
		for i := range list {
			list[i].Process = process
		}
		return a.parts.registry.PutReadership(ctx, list)
	}
}

// buildSampler makes what profiles the rows that this process serves, which is called
// process.
func (a *App) buildSampler(process string) *materialize.Sampler {
	p := a.parts
	s := materialize.NewSampler(materialize.SamplerDeps{
		Store: p.registry, Definitions: p.catalog.Definitions, Layout: p.catalog.newest, HashKey: p.key, Clock: p.clock,
		Process: process, Logger: a.opts.Log, Registerer: a.metrics,
	})
	a.add("sampler", s.Run)
	return s
}

// newest returns the newest layout of a view; nil before the first.
func (c *catalog) newest(view *feature.View) *sketch.Layout {
	layouts := c.current.Load().layouts[view.ID]
	if len(layouts) == 0 {
		return nil
	}
	return layouts[len(layouts)-1]
}
