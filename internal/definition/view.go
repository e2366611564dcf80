package definition

import (
	"time"

	"go.yaml.in/yaml/v3"

	"sluice/feature"
)

// Names with a meaning of their own.
const (
	DefaultTopic    = "sluice.writes"   // a view that names it reads the default topic, as one without a source
	profilesTopic   = "sluice.profiles" // never a source
	deadTopic       = "sluice.dead"     // never a source
	formatJSON      = "json"
	defaultLateness = 30 * time.Second
)

// NewView returns a view with every default: JSON from the default topic with
// the event time in event_time, rows that never expire, windows of 5m that close
// 30s after their end, partitions idle after 1m, gated publishing with probation
// {windows 3, fail 2}, hold 3, at most 3 rollbacks an hour, on_stale_rollback
// serve, no freshness levels, and a trailing baseline of 2016 windows.
//
// Where a lateness is not given and 30s would break a bound of the window's size
// (see validateBounds), the largest that keeps it takes its place.
func NewView() feature.View {
	return feature.View{
		Source:   feature.Source{Format: formatJSON, EventTime: "event_time"},
		Window:   feature.WindowSpec{Size: 5 * time.Minute, Lateness: unset, Idle: time.Minute},
		Baseline: feature.Baseline{From: "trailing", Windows: 2016},
		Publish: feature.Publish{
			Mode: feature.Gated, ProbationWindows: 3, ProbationFail: 2, Hold: 3,
			MaxRollbacksPerHour: 3, OnStaleRollback: "serve",
		},
	}
}

// unset marks a lateness that was not given until the view is complete.
const unset = time.Duration(-1)

func (p *parser) view(d *decoder) setter {
	return func(n *yaml.Node, key string) {
		v := NewView()
		d.mapping(n, key, map[string]setter{
			"name": d.text(&v.Name),
			"entities": d.list(func(n *yaml.Node, key string) {
				v.Entities = append(v.Entities, d.joinKey(n, key))
			}),
			"owner":       d.text(&v.Owner),
			"description": d.text(&v.Description),
			"compliance":  d.text(&v.Compliance),
			"tags":        d.textMap(&v.Tags),
			"online":      d.online(&v.Online),
			"group":       d.text(&v.Group),
			"source":      d.source(&v.Source),
			"ttl":         d.duration(&v.TTL),
			"features": d.list(func(n *yaml.Node, key string) {
				v.Features = append(v.Features, d.feature(n, key))
			}),
			"slices":  d.texts(&v.Slices),
			"context": d.context(&v.Context),
			"computed": d.list(func(n *yaml.Node, key string) {
				v.Computed = append(v.Computed, d.computed(n, key))
			}),
			"expect": d.list(func(n *yaml.Node, key string) {
				v.Expect = append(v.Expect, d.expectation(n, key))
			}),
			"window":    d.window(&v.Window),
			"publish":   d.publish(&v.Publish),
			"freshness": d.freshness(&v.Freshness),
			"baseline":  d.baseline(&v.Baseline),
			"calendar":  d.calendar(&v.Calendar),
		})
		if v.Window.Lateness == unset {
			v.Window.Lateness = latenessFor(&v)
		}
		if v.Name == "" {
			d.problem(n, key, "a view needs a name")
			return
		}
		if p.once(d, n, key, "view") {
			p.defs.Views = append(p.defs.Views, v)
		}
	}
}

// online reads the name of an online store. The default one has no other name.
func (d *decoder) online(name *string) setter {
	return func(n *yaml.Node, key string) {
		d.text(name)(n, key)
		if *name == feature.DefaultOnline {
			*name = ""
		}
	}
}

func (d *decoder) source(s *feature.Source) setter {
	return func(n *yaml.Node, key string) {
		d.mapping(n, key, map[string]setter{
			"topic": d.text(&s.Topic), "format": d.text(&s.Format),
			"event_time": d.text(&s.EventTime), "map": d.textMap(&s.Map),
		})
		if s.Topic == DefaultTopic {
			s.Topic = ""
		}
	}
}

func (d *decoder) feature(n *yaml.Node, key string) feature.Feature {
	var f feature.Feature
	d.mapping(n, key, map[string]setter{
		"name": d.text(&f.Name), "type": d.typ(&f.Type), "unit": d.text(&f.Unit),
		"description": d.text(&f.Description), "expect": d.expect(&f.Expect), "ttl": d.duration(&f.TTL), "importance": d.importance(&f.Importance),
		"default": d.value(&f.Default), "not_finite": d.word(&f.NotFinite),
	})
	return f
}

// importance reads a weight, which has no 0: what does not count is said by a small one.
func (d *decoder) importance(to *float64) setter {
	return func(n *yaml.Node, key string) {
		var weight *float64
		d.number(&weight)(n, key)
		switch {
		case weight == nil:
		case !(*weight > 0 && *weight <= feature.MaxImportance):
			d.problem(n, key, "%v: want a number above 0 and at most %d; 1 is what features have that do not say", *weight, feature.MaxImportance)
		default:
			*to = *weight
		}
	}
}

func (d *decoder) window(w *feature.WindowSpec) setter {
	return func(n *yaml.Node, key string) {
		d.mapping(n, key, map[string]setter{
			"size": d.duration(&w.Size), "lateness": d.duration(&w.Lateness), "idle": d.duration(&w.Idle),
		})
	}
}

func (d *decoder) publish(p *feature.Publish) setter {
	return func(n *yaml.Node, key string) {
		var mode string
		d.mapping(n, key, map[string]setter{
			"mode": d.text(&mode),
			"probation": func(n *yaml.Node, key string) {
				d.mapping(n, key, map[string]setter{"windows": d.whole(&p.ProbationWindows), "fail": d.whole(&p.ProbationFail)})
			},
			"hold":                   d.whole(&p.Hold),
			"max_rollbacks_per_hour": d.whole(&p.MaxRollbacksPerHour),
			"on_stale_rollback":      d.text(&p.OnStaleRollback),
		})
		if mode != "" {
			p.Mode = feature.Mode(mode)
		}
	}
}

func (d *decoder) freshness(f *feature.Freshness) setter {
	return func(n *yaml.Node, key string) {
		d.mapping(n, key, map[string]setter{
			"warn": d.duration(&f.Warn), "page": d.duration(&f.Page), "critical": d.duration(&f.Critical),
		})
	}
}

func (d *decoder) baseline(b *feature.Baseline) setter {
	return func(n *yaml.Node, key string) {
		var version int
		d.mapping(n, key, map[string]setter{
			"from": d.text(&b.From), "windows": d.whole(&b.Windows), "season": d.texts(&b.Season),
			"version": d.whole(&version), "dataset": d.text(&b.Dataset),
		})
		if version < 0 {
			d.problem(n, join(key, "version"), "%d: want a version's number, from 1", version)
			return
		}
		b.Version = feature.Version(version)
	}
}
