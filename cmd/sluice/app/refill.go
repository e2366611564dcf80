package app

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"sluice/feature"
	"sluice/internal/backup"
	"sluice/quality/sketch"
	"sluice/store/placement"
	"sluice/store/redis"
	"sluice/tap"
)

const (
	refillEvery = time.Second      // between two looks at the marks of a store
	refillTell  = 10 * time.Second // between two lines of the log about a restore
	refillRest  = 5 * time.Second  // after one that failed
	refillReads = 2                // parts of windows that are read from the log at once
)

// refiller stages the rows of buckets again that a server of an online store has lost,
// by itself. One process of an installation runs it: that of the gate.
type refiller struct {
	parts   *parts
	tap     tap.Config
	log     *slog.Logger
	sweeps  *sync.Mutex // held while rows of old versions are staged: sweeps wait for it
	metrics refillMetrics
}

type refillMetrics struct {
	progress *prometheus.GaugeVec
	restores *prometheus.CounterVec
}

func newRefillMetrics(reg prometheus.Registerer) refillMetrics {
	auto := promauto.With(reg)
	return refillMetrics{
		progress: auto.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "sluice", Subsystem: "rows", Name: "restored_ratio",
			Help: "Share of what has to be read from the log again that was, while the gate restores rows that a server has lost, by store; 1 otherwise, and no series before the store's buckets are marked.",
		}, []string{"store"}),
		restores: auto.NewCounterVec(prometheus.CounterOpts{
			Namespace: "sluice", Subsystem: "rows", Name: "restores_total",
			Help: "Restores of rows that a server had lost, by store and outcome (done, incomplete: the log no longer holds all of them, failed: it is tried again).",
		}, []string{"store", "outcome"}),
	}
}

func newRefiller(p *parts, cfg tap.Config, log *slog.Logger, sweeps *sync.Mutex, reg prometheus.Registerer) *refiller {
	r := &refiller{parts: p, tap: cfg, log: discard(log), sweeps: sweeps, metrics: newRefillMetrics(reg)}
	for _, name := range p.rows.Names() {
		for _, outcome := range []string{"done", "incomplete", "failed"} {
			r.metrics.restores.WithLabelValues(name, outcome)
		}
	}
	return r
}

// Run looks after all stores until ctx ends.
func (r *refiller) Run(ctx context.Context) {
	var group sync.WaitGroup
	for _, name := range r.parts.rows.Names() {
		group.Go(func() { r.look(ctx, name) })
	}
	group.Wait()
}

// look looks after one store.
func (r *refiller) look(ctx context.Context, name string) {
	s := &refill{refiller: r, name: name}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		pause := refillEvery
		if err := s.once(ctx); err != nil && ctx.Err() == nil {
			r.log.Warn("row store: it cannot be told whether the servers have their rows, or these cannot be restored; trying again", "store", name, "err", err)
			pause = refillRest
		}
		timer.Reset(pause)
	}
}

// refill is what is known of one store.
type refill struct {
	*refiller
	name   string
	filled bool // the registry says that its buckets were marked
	told   step // what was said last
	noted  bool // the audit log has the restore that is under way, or is tried again
}

// step is what the marks of a store's buckets ask for.
type step int

const (
	stepNone    step = iota
	stepNote         // they are all there, which the registry does not know yet
	stepMark         // they were never marked: the store is new, or of a release that had no marks
	stepRestore      // some have lost their rows
	stepForeign      // some are another installation's
	stepGaps         // some lack rows that the log does not hold any more
)

// stepOf returns what to do where buckets are marked as p says; filled is that they have
// all been once.
func stepOf(p *redis.Presence, filled bool) step {
	switch {
	case len(p.Foreign) > 0:
		return stepForeign
	case !filled && len(p.Absent) > 0:
		return stepMark
	case len(p.Lost()) > 0:
		return stepRestore
	case len(p.Incomplete) > 0:
		return stepGaps
	case !filled:
		return stepNote
	}
	return stepNone
}

func (s *refill) once(ctx context.Context) error {
	store, ok := s.parts.rows.Opened(s.name).(*redis.Store)
	if !ok {
		return nil // it is embedded, or not open yet
	}
	owner := presenceOwner(s.parts.key)
	p, err := store.Presence(ctx, owner)
	if err != nil {
		return err
	}
	if !s.filled {
		if s.filled, err = s.parts.registry.Filled(ctx, s.name); err != nil {
			return err
		}
		if s.filled {
			s.metrics.progress.WithLabelValues(s.name).Set(1)
		}
	}
	next := stepOf(&p, s.filled)
	defer func() { s.told = next }()
	switch next {
	case stepMark:
		return store.MarkPresent(ctx, owner, p.Absent)
	case stepNote:
		return s.parts.registry.NoteFilled(ctx, s.name)
	case stepRestore:
		return s.restore(ctx, store, owner, p.Lost())
	case stepForeign:
		if s.told != next {
			s.log.Error("row store: it has rows of another installation; give each a prefix or servers of its own, then stage the rows again with sluice restore --rows", "store", s.name, "buckets", len(p.Foreign))
		}
	case stepGaps:
		if s.told != next {
			s.log.Error("row store: rows that a server lost are past the log's retention; entities without rows cannot be told from those that do not exist. Push the rows again, then stop the platform and run sluice restore --rows --force", "store", s.name, "buckets", len(p.Incomplete))
		}
	}
	return nil
}

// restore stages the rows of some buckets again.
func (s *refill) restore(ctx context.Context, store *redis.Store, owner string, of []uint8) (err error) {
	s.sweeps.Lock()
	defer s.sweeps.Unlock()
	outcome := "failed"
	defer func() {
		s.metrics.restores.WithLabelValues(s.name, outcome).Inc()
		s.metrics.progress.WithLabelValues(s.name).Set(1)
	}()
	s.metrics.progress.WithLabelValues(s.name).Set(0)
	if !s.noted {
		if err := s.audit(ctx, "restore rows", map[string]any{"buckets": len(of)}); err != nil {
			return err
		}
		s.noted = true
	}
	began := time.Now()
	s.log.Warn("row store: a server has lost rows; they are staged again from the log", "store", s.name, "buckets", len(of), "of", redis.Buckets)
	token := rand.Text()
	if err := store.BeginRestore(ctx, owner, token, of); err != nil {
		return err
	}
	before, err := store.Identity(ctx)
	if err != nil {
		return err
	}
	done, err := s.restage(ctx, of)
	if err != nil {
		return err
	}
	if after, err := store.Identity(ctx); err != nil || after != before {
		return errors.Join(err, errors.New("a server changed while its rows were restored"))
	}
	gaps := s.gaps(done.Lost)
	left, err := store.EndRestore(ctx, owner, token, len(gaps) == 0, of)
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("%d buckets were emptied again while their rows were restored", len(left))
	}
	if err != nil {
		return err
	}
	if outcome = "done"; len(gaps) > 0 {
		outcome = "incomplete"
	}
	s.log.Warn("row store: the rows that a server had lost are staged again", "store", s.name, "buckets", len(of), "rows", done.Rows, "parts", done.Parts, "lost", len(gaps), "took", time.Since(began).Round(time.Millisecond))
	s.noted = false
	return s.audit(ctx, "rows restored", map[string]any{"buckets": len(of), "rows": done.Rows, "parts": done.Parts, "lost": len(gaps)})
}

// restage stages everything that shows or is to be decided, and then once more what came
// since the windows were listed: rows that a checkpoint covered while the tap states were
// read.
func (s *refill) restage(ctx context.Context, of []uint8) (backup.Restaged, error) {
	rows := restoredRows{s.parts.rows, of}
	reader := tap.NewReader(s.tap, s.parts.log, s.parts.key, s.parts.registry)
	first, open, err := s.plan(ctx, nil)
	if err != nil {
		return backup.Restaged{}, err
	}
	done, err := backup.Restage(ctx, reader, rows, first)
	if err != nil {
		return done, err
	}
	second, _, err := s.plan(ctx, open)
	if err != nil {
		return done, err
	}
	late, err := backup.Restage(ctx, reader, rows, second)
	done.Parts, done.Rows, done.Lost = done.Parts+late.Parts, done.Rows+late.Rows, append(done.Lost, late.Lost...)
	return done, err
}

// plan lists what to stage: everything, or what was not sealed when open was returned, by
// the first version that was not.
func (s *refill) plan(ctx context.Context, since map[feature.ViewID]feature.Version) (backup.Plan, map[feature.ViewID]feature.Version, error) {
	plan := backup.Plan{Vectors: map[feature.ViewID]feature.Vector{}, Foldable: foldable(s.parts.registry.Memory), Parallel: refillReads, Tell: s.tell()}
	unsealed := map[feature.ViewID]feature.Version{}
	states, err := s.parts.log.States(ctx)
	if err != nil {
		return plan, nil, err
	}
	var open []backup.Open
	for i := range states {
		_, partials, err := states[i].Read()
		if err != nil {
			return plan, nil, err
		}
		for _, p := range partials {
			open = append(open, backup.Open{View: p.View, Version: p.Version, Window: p.Window, Span: p.Span})
		}
	}
	defs, _, err := s.parts.registry.Definitions(ctx)
	if err != nil {
		return plan, nil, err
	}
	for i := range defs.Views {
		view := &defs.Views[i]
		if view.OnlineStore() != s.name {
			continue
		}
		from := feature.Version(0)
		if since != nil {
			if from = since[view.ID]; from > 0 {
				from--
			}
		}
		versions, err := s.parts.registry.Versions(ctx, view.ID, from, 0)
		if err != nil {
			return plan, nil, err
		}
		if plan.Vectors[view.ID], err = s.parts.registry.Vector(ctx, view.ID); err != nil {
			return plan, nil, err
		}
		unsealed[view.ID] = firstOpen(versions)
		plan.Parts = append(plan.Parts, backup.Parts(view, versions, open)...)
	}
	return plan, unsealed, nil
}

// firstOpen returns the first version that is open, or the one behind the last.
func firstOpen(versions []feature.VersionInfo) feature.Version {
	for _, v := range versions {
		if v.Step == feature.StepOpen {
			return v.Version
		}
	}
	if n := len(versions); n > 0 {
		return versions[n-1].Version + 1
	}
	return 0
}

// tell shows progress.
func (s *refill) tell() func(backup.Progress) {
	said := time.Now()
	return func(p backup.Progress) {
		s.metrics.progress.WithLabelValues(s.name).Set(float64(p.Parts) / float64(max(1, p.OfParts)))
		if now := time.Now(); now.Sub(said) >= refillTell {
			said = now
			s.log.Info("row store: rows are staged again", "store", s.name, "parts", p.Parts, "of", p.OfParts, "rows", p.Rows, "for", p.Took.Round(time.Second))
		}
	}
}

// gaps are the parts of windows that the log no longer holds and whose rows readers would
// still be given: those of views without a ttl, or that are within it.
func (s *refill) gaps(lost []backup.Lost) (gaps []backup.Lost) {
	now, _ := s.parts.clock.Now()
	for _, part := range lost {
		view := s.parts.catalog.Definitions().View(part.View)
		if view != nil && view.LongestTTL() > 0 && now.Sub(part.Window.End) > view.LongestTTL() {
			continue
		}
		gaps = append(gaps, part)
		s.log.Error("row store: the log no longer holds rows that a server has lost", "store", s.name, "view", part.View, "version", part.Version, "window", part.Window.Start, "partition", part.Partition, "err", part.Reason)
	}
	return gaps
}

// audit notes what the gate does to a store: that it begins, once for all tries of it, and
// what came of it.
func (s *refill) audit(ctx context.Context, action string, what map[string]any) error {
	what["store"] = s.name
	after, err := json.Marshal(what)
	if err != nil {
		return fmt.Errorf("encode audit row: %w", err)
	}
	return s.parts.registry.WriteAudit(ctx, feature.Audit{At: time.Now().UTC(), By: owner, Action: action, Reason: "a server of the online store came back without them", After: after})
}

// restoredRows is an online store into whose buckets of a list alone rows are staged: the
// others have theirs, where rows that were folded must not come back.
type restoredRows struct {
	*placement.Stores
	of []uint8
}

func (r restoredRows) Stage(ctx context.Context, view feature.ViewID, version feature.Version, rows []feature.Row) (uint64, error) {
	rows = slices.DeleteFunc(rows, func(row feature.Row) bool {
		_, in := slices.BinarySearch(r.of, redis.BucketOf(row.Key))
		return !in
	})
	if len(rows) == 0 {
		return 0, nil
	}
	return r.Stores.Stage(ctx, view, version, rows)
}

// presenceOwner names an installation in its buckets' marks. Its key is a secret, which
// the name does not tell.
func presenceOwner(key sketch.HashKey) string {
	sum := sha256.Sum256(append([]byte("online rows of "), key[:]...))
	return hex.EncodeToString(sum[:8])
}

// presence says whose rows a store holds, once the registry is open.
func (p *parts) presence(name string) redis.PresenceFunc {
	return func(ctx context.Context) (string, bool, error) {
		select {
		case <-p.ready:
		case <-ctx.Done():
			return "", false, ctx.Err()
		}
		filled, err := p.registry.Filled(ctx, name)
		return presenceOwner(p.key), filled, err
	}
}

// filledStores marks every bucket of every store as having its rows, after somebody has
// staged all that there are.
func (p *parts) filledStores(ctx context.Context, key sketch.HashKey) error {
	for _, name := range p.rows.Names() {
		store, ok := p.rows.Opened(name).(*redis.Store)
		if !ok {
			continue
		}
		token, by, all := rand.Text(), presenceOwner(key), allBuckets()
		if err := store.BeginRestore(ctx, by, token, all); err != nil {
			return err
		}
		if left, err := store.EndRestore(ctx, by, token, true, all); err != nil || len(left) > 0 {
			return errors.Join(err, fmt.Errorf("mark the rows of online store %s as restored: %d buckets left", name, len(left)))
		}
		if err := p.registry.NoteFilled(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func allBuckets() (all []uint8) {
	for b := range redis.Buckets {
		all = append(all, uint8(b))
	}
	return all
}
