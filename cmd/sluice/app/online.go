package app

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"sluice/feature"
	"sluice/internal/control"
	"sluice/materialize"
	"sluice/store/embedded"
	"sluice/store/placement"
	"sluice/store/redis"
)

// openRows opens the online stores, as one. A single store is behind one as well: a view
// may name a store that this process was not given, and must not land in another.
func (p *parts) openRows(ctx context.Context, cfg Config, opts Options) error {
	var metrics *redis.Metrics
	if cfg.servers() {
		metrics = redis.NewMetrics(opts.Metrics)
	}
	first := p.opener(feature.DefaultOnline, "redis", cfg.Redis, filepath.Join(cfg.Data, "rows"), opts, metrics)
	named := map[string]placement.OpenFunc{}
	for _, name := range cfg.OnlineStores.names() {
		named[name] = p.opener(name, "online_stores."+name, cfg.online(name), onlineFolder(cfg.Data, name), opts, metrics)
	}
	stores, err := placement.Open(ctx, placement.Options{Default: first, Named: named, Refresh: p.replace, Registerer: opts.Metrics, Log: discard(opts.Log)})
	if err != nil {
		return err
	}
	p.rows = stores
	p.closers = append(p.closers, stores)
	return nil
}

// opener returns what opens the store of a name, which a key of the configuration
// describes, in a folder if it is embedded.
func (p *parts) opener(name, key string, cfg RedisConfig, folder string, opts Options, metrics *redis.Metrics) placement.OpenFunc {
	if len(cfg.Addrs) == 0 {
		return func(context.Context) (placement.Store, error) {
			store, err := embedded.Open(embedded.Options{Path: folder, Sync: !opts.NoSync, Log: opts.Log})
			if err != nil {
				return nil, err
			}
			return store, nil
		}
	}
	return func(ctx context.Context) (placement.Store, error) {
		config := cfg.store()
		if opts.ReadDeadline > 0 {
			config.ReadDeadline, config.ReadTimeout = opts.ReadDeadline, opts.ReadDeadline
		}
		store, err := redis.Open(ctx, redis.Options{Config: config, Name: name, Metrics: metrics, Log: opts.Log, Presence: p.presence(name)})
		if err != nil {
			return nil, unreached(fmt.Errorf("%s.addrs: %w", key, err), doServers(key))
		}
		return store, nil
	}
}

// place tells the stores which views are in which, and in which group.
func (p *parts) place(defs *feature.Definitions) {
	views, groups := make(map[feature.ViewID]string, len(defs.Views)), make(map[feature.ViewID]string, len(defs.Views))
	for i := range defs.Views {
		v := &defs.Views[i]
		views[v.ID], groups[v.ID] = v.Online, v.Group
	}
	p.rows.Group(groups) // first: a view that is placed may be written
	p.rows.Place(views)
}

// replace reads the definitions again for a view that is nowhere yet.
func (p *parts) replace(ctx context.Context, _ feature.ViewID) error {
	if p.catalog == nil {
		return nil
	}
	return p.catalog.Refresh(ctx)
}

// identity returns what names the servers behind the rows of a view; nil if all are
// embedded.
func (p *parts) identity(cfg Config) materialize.ShardsFunc {
	if !cfg.servers() {
		return nil
	}
	return func(ctx context.Context, view *feature.View) (string, error) { return p.rows.Identity(ctx, view.ID) }
}

// rowChecks look at whether the online stores can be read.
func (p *parts) rowChecks() (all []control.Check) {
	for _, name := range p.rows.Names() {
		check := control.Check{Name: "rows " + name, Run: func(ctx context.Context) error { return p.rows.Check(ctx, name) }}
		if name == feature.DefaultOnline {
			check.Name = "rows"
		}
		all = append(all, check)
	}
	return append(all, control.Check{Name: "online stores", Run: func(context.Context) error {
		if names := p.rows.Unknown(); len(names) > 0 {
			return fmt.Errorf("views are in %s, which online_stores does not name: their rows are neither read nor written", strings.Join(names, ", "))
		}
		return nil
	}})
}
