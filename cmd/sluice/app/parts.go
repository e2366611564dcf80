package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"time"

	"sluice/feature"
	"sluice/quality/sketch"
	"sluice/store/embedded"
	"sluice/store/placement"
	"sluice/store/registry"
	"sluice/tap"
)

// parts is what the modules share: opened before them, closed after them, last
// opened first.
type parts struct {
	registry *registry.Registry
	rows     *placement.Stores
	log      *tap.Log
	key      sketch.HashKey
	clock    *clock
	catalog  *catalog
	topics   *topics
	brokers  []string

	ready   chan struct{} // closed once registry and key are there
	closers []io.Closer
}

// open opens the log, the registry and the rows. What was opened before an error
// is closed again.
func open(ctx context.Context, cfg Config, opts Options) (p *parts, err error) {
	p = &parts{ready: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Close())
		}
	}()
	if err := p.lock(cfg); err != nil {
		return p, err
	}
	if err := p.openStores(ctx, cfg, opts); err != nil {
		return p, err
	}
	if err := p.openLog(ctx, cfg, opts); err != nil {
		return p, err
	}
	return p, nil
}

// lock takes the data folder if any part lives in it.
func (p *parts) lock(cfg Config) error {
	if !cfg.OnlineStores.embedded() && len(cfg.Redis.Addrs) > 0 && len(cfg.Kafka.Brokers) > 0 && cfg.Registry.Postgres != "" {
		return nil
	}
	lock, err := embedded.Lock(cfg.Data)
	if err != nil {
		return err
	}
	p.closers = append(p.closers, lock)
	return forgetBroker(cfg.Data)
}

func (p *parts) openStores(ctx context.Context, cfg Config, opts Options) (err error) {
	if err := p.openRows(ctx, cfg, opts); err != nil {
		return err
	}
	if err := p.openRegistry(ctx, cfg, opts); err != nil {
		return err
	}
	if err := p.finished(ctx); err != nil {
		return err
	}
	if p.key, err = p.installation(ctx, opts.HashKey); err != nil {
		return fmt.Errorf("read installation: %w", err)
	}
	close(p.ready)
	if p.clock, err = openClock(ctx, p.registry, opts.Clock == "manual", opts.Log); err != nil {
		return err
	}
	p.catalog, err = openCatalog(ctx, p.registry, opts.Log, p.inForce)
	return err
}

// installation returns the installation's hash key; a new installation gets fresh, or one
// of its own if that is nil.
func (p *parts) installation(ctx context.Context, fresh *sketch.HashKey) (sketch.HashKey, error) {
	if fresh == nil {
		id, err := p.registry.Installation(ctx)
		return sketch.HashKey(id), err
	}
	id, err := p.registry.InstallAs(ctx, *fresh)
	return sketch.HashKey(id), err
}

// inForce tells the row store how long the rows of each view may still be asked for and
// where they are; in this order, since a row that is written in between would be kept for
// ever.
func (p *parts) inForce(defs *feature.Definitions) {
	for i := range defs.Views {
		p.rows.SetExpiry(defs.Views[i].ID, expiry(&defs.Views[i]))
	}
	p.place(defs)
}

// expiry is how long after its last write an entity's rows are kept: never shorter
// than its values live and a rollback can bring former ones back. A view without
// TTL keeps them for ever.
func expiry(view *feature.View) time.Duration {
	ttl := view.LongestTTL()
	if ttl == 0 {
		return 0
	}
	pending := time.Duration(view.Publish.ProbationWindows+view.Publish.Hold+feature.MaxVisible+1) * view.Window.Size
	return ttl + pending + view.Window.Lateness + view.Window.Idle + 24*time.Hour
}

func (p *parts) openRegistry(ctx context.Context, cfg Config, opts Options) (err error) {
	if cfg.Registry.Postgres != "" {
		p.registry, err = registry.OpenPostgres(ctx, cfg.Registry.Postgres, registry.PostgresOptions{Log: opts.Log})
		err = unreached(err, doPostgres)
	} else {
		p.registry, err = registry.OpenSQLite(ctx, filepath.Join(cfg.Data, "registry.db"), registry.Options{Sync: !opts.NoSync})
	}
	if err != nil {
		return err
	}
	p.closers = append(p.closers, p.registry)
	return nil
}

func (p *parts) openLog(ctx context.Context, cfg Config, opts Options) error {
	p.brokers = cfg.Kafka.Brokers
	if len(p.brokers) == 0 {
		broker, err := tap.StartBroker(tap.BrokerConfig{Listen: cfg.Listen.Kafka, Data: filepath.Join(cfg.Data, "log"), SyncWrites: !opts.NoSync})
		if err != nil {
			return err
		}
		p.closers = append(p.closers, broker)
		p.brokers = broker.Addrs()
		if err := nameBroker(cfg.Data, p.brokers); err != nil {
			return err
		}
	}
	names := tap.Topics{Writes: cfg.Kafka.Writes, Profiles: cfg.Kafka.Profiles, DeadLetters: cfg.Kafka.DeadLetters, Partitions: int32(cfg.Kafka.Partitions)}
	var err error
	if p.log, err = tap.NewLog(tap.LogConfig{Brokers: p.brokers, Topics: names, InProcess: len(cfg.Kafka.Brokers) == 0}); err != nil {
		return err
	}
	p.closers = append(p.closers, p.log)
	p.topics = &topics{log: p.log, writes: names.Writes, catalog: p.catalog}
	return p.reached(ctx, cfg, func() error { return p.topics.Ensure(ctx, p.catalog.Definitions()) })
}

// reached does what is first asked of the log. Brokers of one's own are asked before whether
// they are any, and an error says what to do about them.
func (p *parts) reached(ctx context.Context, cfg Config, first func() error) error {
	if len(cfg.Kafka.Brokers) == 0 {
		return first()
	}
	err := p.log.Reach(ctx)
	if err == nil {
		err = first()
	}
	return unreached(err, doBrokers)
}

// Close closes everything, last opened first.
func (p *parts) Close() error {
	var errs []error
	for _, c := range slices.Backward(p.closers) {
		errs = append(errs, c.Close())
	}
	p.closers = nil
	return errors.Join(errs...)
}

// discard is a logger for those that were given none.
func discard(log *slog.Logger) *slog.Logger {
	if log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return log
}
