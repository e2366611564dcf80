package app

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sluice/feature"
	"sluice/internal/backup"
	"sluice/store/embedded"
	"sluice/store/folder"
	"sluice/store/registry"
	"sluice/tap"
)

// BackupOptions say where a backup goes.
type BackupOptions struct {
	Path    string
	Force   bool   // an existing file may be replaced
	Release string // of the program
	Log     *slog.Logger
}

// BackupResult is what a backup holds.
type BackupResult struct {
	Path    string         `json:"path"`
	Bytes   int64          `json:"bytes"`
	Header  backup.Header  `json:"header"`
	Summary backup.Summary `json:"summary"`
}

// ErrExists reports a file that a backup would replace.
var ErrExists = errors.New("the file exists")

// maxMoves is how often a backup begins again because a window was sealed between the
// states of the taps and the registry: at most once a window, and the two are taken
// milliseconds apart.
const maxMoves = 20

// Backup writes the registry and the states of the taps, as of one moment, into a file.
// The platform may run meanwhile. The file is whole or not there,
// and once Backup has returned it outlasts a loss of power.
func Backup(ctx context.Context, cfg Config, opts BackupOptions) (result BackupResult, err error) {
	if _, err := os.Stat(opts.Path); err == nil && !opts.Force {
		return result, fmt.Errorf("back up to %s: %w", opts.Path, ErrExists)
	}
	if cfg.Registry.Postgres == "" {
		if _, err := os.Stat(filepath.Join(cfg.Data, "registry.db")); err != nil {
			return result, fmt.Errorf("back up: there is no registry in %s: %w", cfg.Data, err)
		}
	}
	p, err := openLedger(ctx, cfg, discard(opts.Log), true)
	defer func() { err = errors.Join(err, p.Close()) }()
	if err != nil {
		return result, err
	}
	if err := errors.Join(p.installed(ctx), p.finished(ctx)); err != nil {
		return result, fmt.Errorf("back up: %w", err)
	}
	for move := 1; ; move++ {
		if result, err = p.backup(ctx, cfg, opts); !errors.Is(err, errMoved) || move == maxMoves {
			return result, err
		}
	}
}

// errNeverRun is that there is nothing to be saved: a backup of it would replace one that has
// something, where the registry's database was lost and made anew.
var errNeverRun = errors.New("nothing has ever run on this registry: see whether it is the right one, and not one made anew")

// installed refuses a registry that nothing ever ran on.
func (p *parts) installed(ctx context.Context) error {
	there, err := p.registry.Installed(ctx)
	if err == nil && !there {
		err = errNeverRun
	}
	return err
}

// openLedger opens the registry and the log, and not the rows. With beside, a platform
// that runs on the same data folder is no obstacle.
func openLedger(ctx context.Context, cfg Config, log *slog.Logger, beside bool) (*parts, error) {
	p := &parts{}
	brokers := cfg.Kafka.Brokers
	err := p.lock(cfg)
	if errors.Is(err, embedded.ErrLocked) && beside {
		err = nil
		if len(brokers) == 0 {
			brokers, err = namedBroker(cfg.Data)
		}
	}
	if err != nil {
		return p, err
	}
	if err := p.openRegistry(ctx, cfg, Options{Log: log}); err != nil {
		return p, err
	}
	if len(brokers) == 0 {
		broker, err := tap.StartBroker(tap.BrokerConfig{Listen: "127.0.0.1:0", Data: filepath.Join(cfg.Data, "log"), SyncWrites: true})
		if err != nil {
			return p, err
		}
		p.closers = append(p.closers, broker)
		brokers = broker.Addrs()
	}
	p.brokers = brokers
	names := tap.Topics{Writes: cfg.Kafka.Writes, Profiles: cfg.Kafka.Profiles, DeadLetters: cfg.Kafka.DeadLetters, Partitions: int32(cfg.Kafka.Partitions)}
	if p.log, err = tap.NewLog(tap.LogConfig{Brokers: brokers, Topics: names}); err != nil {
		return p, err
	}
	p.closers = append(p.closers, p.log)
	defs, _, err := p.registry.Definitions(ctx)
	if err != nil {
		return p, err
	}
	return p, p.reached(ctx, cfg, func() error { return p.log.EnsureTopics(ctx, sourceTopics(cfg, &defs)...) })
}

// sourceTopics names the topics of writes.
func sourceTopics(cfg Config, defs *feature.Definitions) []string {
	names := []string{cfg.Kafka.Writes}
	for i := range defs.Views {
		if topic := defs.Views[i].Source.Topic; topic != "" {
			names = append(names, topic)
		}
	}
	return names
}

// backup tries once.
func (p *parts) backup(ctx context.Context, cfg Config, opts BackupOptions) (result BackupResult, err error) {
	states, err := p.log.States(ctx)
	if err == nil {
		err = p.own(ctx, states)
	}
	if err != nil {
		return result, err
	}
	if result.Header, err = p.header(ctx, cfg, opts.Release); err != nil {
		return result, err
	}
	file, err := os.CreateTemp(filepath.Dir(opts.Path), ".sluice-backup-*")
	if err != nil {
		return result, fmt.Errorf("back up: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, ignoreClosed(file.Close()), ignoreGone(os.Remove(file.Name())))
		}
	}()
	if result.Summary, err = p.archive(ctx, file, result.Header, states); err != nil {
		return result, err
	}
	info, err := file.Stat()
	if err != nil {
		return result, err
	}
	result.Path, result.Bytes = opts.Path, info.Size()
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		return result, fmt.Errorf("back up: %w", err)
	}
	return result, folder.Rename(file.Name(), opts.Path)
}

// ignoreGone is for a file that has its last name already.
func ignoreGone(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

func ignoreClosed(err error) error {
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

func (p *parts) header(ctx context.Context, cfg Config, release string) (backup.Header, error) {
	h := backup.Header{MadeAt: time.Now().UTC(), Release: release, Registry: "sqlite"}
	if cfg.Registry.Postgres != "" {
		h.Registry = "postgres"
	}
	id, err := p.registry.Installation(ctx)
	if err != nil {
		return h, err
	}
	h.Installation = hex.EncodeToString(id[:])
	_, h.Generation, err = p.registry.Definitions(ctx)
	return h, err
}

// archive writes states and tables.
func (p *parts) archive(ctx context.Context, file *os.File, header backup.Header, states []tap.State) (backup.Summary, error) {
	w, err := backup.NewWriter(file, header)
	if err != nil {
		return backup.Summary{}, err
	}
	for i := range states {
		body, err := json.Marshal(states[i])
		if err == nil {
			err = w.State(body)
		}
		if err != nil {
			return backup.Summary{}, fmt.Errorf("state of %s/%d: %w", states[i].Topic, states[i].Partition, err)
		}
	}
	err = p.registry.Export(ctx, registry.Export{
		Began: func() error { return p.fits(ctx, states) },
		Table: func(t registry.Table) error { return w.Table(backup.Table(t)) },
		Row:   w.Row,
	})
	if err != nil {
		return backup.Summary{}, err
	}
	return w.Close()
}

// errMoved is that the registry sealed a window that the states do not hold whole.
var errMoved = errors.New("a window was sealed meanwhile")

// fits reports an error unless every window that the registry has sealed was read whole
// by the states: a tap that goes on from them must not meet a record of a sealed window.
func (p *parts) fits(ctx context.Context, states []tap.State) error {
	read := map[string]int64{}
	for i := range states {
		progress, _, err := states[i].Read()
		if err != nil {
			return err
		}
		read[fmt.Sprintf("%s/%d", progress.Topic, progress.Partition)] = progress.Offset
	}
	defs, _, err := p.registry.Definitions(ctx)
	if err != nil {
		return err
	}
	for i := range defs.Views {
		versions, err := p.registry.Versions(ctx, defs.Views[i].ID, 0, 0)
		if err != nil {
			return err
		}
		for _, v := range versions {
			for _, s := range v.Spans {
				if at := fmt.Sprintf("%s/%d", s.Topic, s.Partition); v.Step != feature.StepOpen && s.Last >= read[at] {
					return fmt.Errorf("%s version %d: %w", defs.Views[i].Name, v.Version, errMoved)
				}
			}
		}
	}
	return nil
}

// Describe says in one line what an archive is.
func Describe(h backup.Header, s backup.Summary) string {
	var b strings.Builder
	fmt.Fprintf(&b, "made %s by release %s from %s: %d rows in %d tables, %d source partitions, sha256 %.16s",
		h.MadeAt.Format(time.RFC3339), h.Release, h.Registry, s.Rows(), len(s.Tables), s.States, s.SHA256)
	return b.String()
}
