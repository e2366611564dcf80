package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"sluice/feature"
	"sluice/quality/sketch"
	"sluice/store/embedded"
	"sluice/store/registry"
	"sluice/tap"
)

// parts is what the modules share: opened before them, closed after them, last
// opened first.
type parts struct {
	registry *registry.SQLite
	rows     *embedded.Store
	log      *tap.Log
	key      sketch.HashKey
	clock    *clock
	catalog  *catalog
	topics   *topics
	brokers  []string

	closers []io.Closer
}

// open opens the log, the registry and the rows. What was opened before an error
// is closed again.
func open(ctx context.Context, cfg Config, opts Options) (p *parts, err error) {
	p = &parts{}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Close())
		}
	}()
	if err := p.openStores(ctx, cfg, opts); err != nil {
		return p, err
	}
	if err := p.openLog(ctx, cfg, opts); err != nil {
		return p, err
	}
	return p, nil
}

func (p *parts) openStores(ctx context.Context, cfg Config, opts Options) error {
	var err error
	if p.registry, err = registry.OpenSQLite(ctx, filepath.Join(cfg.Data, "registry.db"), registry.Options{Sync: !opts.NoSync}); err != nil {
		return err
	}
	p.closers = append(p.closers, p.registry)
	if p.rows, err = embedded.Open(embedded.Options{Path: filepath.Join(cfg.Data, "rows"), Sync: !opts.NoSync, Log: opts.Log}); err != nil {
		return err
	}
	p.closers = append(p.closers, p.rows)
	id, err := p.registry.Installation(ctx)
	if err != nil {
		return fmt.Errorf("read installation: %w", err)
	}
	p.key = sketch.HashKey(id)
	if p.clock, err = openClock(ctx, p.registry, opts.Clock == "manual"); err != nil {
		return err
	}
	p.catalog, err = openCatalog(ctx, p.registry, opts.Log)
	return err
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
	}
	names := tap.Topics{Writes: cfg.Kafka.Writes, Profiles: cfg.Kafka.Profiles, DeadLetters: cfg.Kafka.DeadLetters, Partitions: int32(cfg.Kafka.Partitions)}
	var err error
	if p.log, err = tap.NewLog(tap.LogConfig{Brokers: p.brokers, Topics: names}); err != nil {
		return err
	}
	p.closers = append(p.closers, p.log)
	p.topics = &topics{log: p.log, writes: names.Writes}
	return p.topics.Ensure(ctx, p.catalog.Definitions())
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

// topics knows how many partitions every source topic has, and makes those that
// definitions name.
type topics struct {
	log    *tap.Log
	writes string
	mu     sync.Mutex
	counts atomic.Pointer[map[string]int32]
}

// Ensure makes the topics that defs read, and counts their partitions.
func (t *topics) Ensure(ctx context.Context, defs *feature.Definitions) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	names := []string{t.writes}
	for i := range defs.Views {
		if topic := defs.Views[i].Source.Topic; topic != "" && !slices.Contains(names, topic) {
			names = append(names, topic)
		}
	}
	if err := t.log.EnsureTopics(ctx, names...); err != nil {
		return err
	}
	counts, err := t.log.Partitions(ctx, names...)
	if err != nil {
		return err
	}
	t.counts.Store(&counts)
	return nil
}

// Partitions returns how many partitions a topic has; 0 if that is not known.
func (t *topics) Partitions(topic string) int {
	if counts := t.counts.Load(); counts != nil {
		return int((*counts)[topic])
	}
	return 0
}

// of returns the topic of a view's writes.
func (t *topics) of(view *feature.View) string {
	if view.Source.Topic == "" {
		return t.writes
	}
	return view.Source.Topic
}

// discard is a logger for those that were given none.
func discard(log *slog.Logger) *slog.Logger {
	if log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return log
}
