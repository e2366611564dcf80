package app

import (
	"crypto/rand"
	"fmt"
	"os"

	"sluice/feature"
	"sluice/materialize"
	"sluice/quality/sketch"
)

// buildSampler makes what profiles the rows that this process serves.
func (a *App) buildSampler() *materialize.Sampler {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	p := a.parts
	s := materialize.NewSampler(materialize.SamplerDeps{
		Store: p.registry, Definitions: p.catalog.Definitions, Layout: p.catalog.newest, HashKey: p.key, Clock: p.clock,
		Process: fmt.Sprintf("%s/%d/%s", host, os.Getpid(), rand.Text()[:6]), Logger: a.opts.Log, Registerer: a.metrics,
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
