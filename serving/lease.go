package serving

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"sluice/feature"
	"sluice/serving/readership"
	"sluice/serving/refusal"
)

// spacing is the shortest time between two confirmations, however many changes
// are reported.
const spacing = 10 * time.Millisecond

// fallbackLease is the reason given when a snapshot is served past its lease.
const fallbackLease = "lease"

// lease keeps the snapshot that requests take. One goroutine renews it.
type lease struct {
	config  Config
	source  Source
	version VersionFunc
	metrics *metrics
	report  *readership.Reporter
	log     *slog.Logger

	current atomic.Pointer[snapshot]
	lapsed  bool // of the goroutine that renews: whether the log says so

	mu    sync.Mutex // held by a renewal
	asked time.Time  // when the definitions were last read
	cost  time.Duration
	epoch uint64 // the last one given to a view
}

// Reading the definitions may take longer than all else of a renewal, and they
// seldom change: they take at most this share of the time, up to once a second.
const definitionsShare = 20

// run renews the snapshot at every change, and at least every config.Renew,
// until ctx ends.
func (l *lease) run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		changed := l.source.Changed()
		l.tell(l.renew(ctx))
		timer.Reset(min(spacing, l.config.Renew))
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		timer.Reset(l.config.Renew - min(spacing, l.config.Renew))
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case <-timer.C:
		}
	}
}

// refresh renews with definitions that are read now, however lately they were.
func (l *lease) refresh(ctx context.Context) error {
	l.mu.Lock()
	l.asked = time.Time{}
	l.mu.Unlock()
	return l.renew(ctx)
}

// renew asks the source once and puts the answer in force.
func (l *lease) renew(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	asked, last := time.Now(), l.current.Load()
	ctx, cancel := context.WithTimeout(ctx, l.config.Lease)
	defer cancel()
	catalog, err := l.catalog(ctx, last)
	if err != nil {
		return fmt.Errorf("renew lease: read definitions: %w", err)
	}
	vectors, err := l.source.Vectors(ctx)
	if err != nil {
		return fmt.Errorf("renew lease: read vectors: %w", err)
	}
	next := &snapshot{catalog: catalog, confirmed: asked}
	next.served = make([]served, len(next.catalog.views))
	for i, v := range next.catalog.views {
		next.served[i] = l.serve(ctx, v, vectors[v.ID], last)
		next.served[i].epoch = l.epochOf(v, &next.served[i], last, asked)
	}
	l.current.Store(next)
	l.metrics.serving(last, next)
	return nil
}

// catalog returns the definitions in force, compiled: the last ones while their
// generation is the same, or while it is too early to read them again.
func (l *lease) catalog(ctx context.Context, last *snapshot) (*catalog, error) {
	if last != nil && time.Since(l.asked) < min(definitionsShare*l.cost, time.Second) {
		return last.catalog, nil
	}
	l.asked = time.Now()
	defs, generation, err := l.source.Definitions(ctx)
	if err != nil {
		return nil, err
	}
	l.cost = time.Since(l.asked)
	if last != nil && last.catalog.generation == generation {
		return last.catalog, nil
	}
	return newCatalog(defs, generation, l.metrics, l.report), nil
}

// serve returns what view v shows under vector. What the last snapshot knew of
// decided versions is taken over.
func (l *lease) serve(ctx context.Context, v *view, vector feature.Vector, last *snapshot) served {
	s := served{vector: vector}
	if l.version == nil {
		return s
	}
	before := last.of(v)
	for _, version := range named(vector) {
		info, known := feature.VersionInfo{}, false
		if before != nil {
			info, known = before.version(version)
		}
		if !known || !settled(info) {
			var err error
			if info, err = l.version(ctx, v.ID, version); err != nil {
				continue // asked again at the next renewal; reads do not wait for it
			}
		}
		s.versions = append(s.versions, info)
		if !info.Window.End.IsZero() {
			s.newest = max(s.newest, info.Window.End.UnixNano())
		}
	}
	s.whole = wholeSince(before, &s, time.Now())
	return s
}

// wholeSince returns by when all rows were written that next shows: the moment at which
// none of the versions that its vector names was open any more, now if that is news. An
// open version gets rows while it shows, in an optimistic view; one that is not known may
// be one. Those below the floor have none written to them.
func wholeSince(before, next *served, now time.Time) time.Time {
	if len(next.versions) != len(named(next.vector)) {
		return time.Time{}
	}
	for i := range next.versions {
		if step := next.versions[i].Step; step == feature.StepOpen || step == "" {
			return time.Time{}
		}
	}
	if before != nil && !before.whole.IsZero() && before.vector.Generation == next.vector.Generation {
		return before.whole
	}
	return now
}

// epochOf returns the epoch of a view: the last one, unless a version may have been
// taken off since. If the last snapshot is older than its lease, nobody knows.
func (l *lease) epochOf(v *view, next *served, last *snapshot, asked time.Time) uint64 {
	before := last.of(v)
	if before != nil && asked.Sub(last.confirmed) <= l.config.Lease && !tookOff(before.vector, next.vector) {
		return before.epoch
	}
	l.epoch++
	return l.epoch
}

// settled reports whether a version's verdict will not change any more.
func settled(info feature.VersionInfo) bool {
	return info.Step != feature.StepOpen && info.Step != feature.StepSealed
}

// take returns the snapshot in force, and whether its lease has lapsed. The
// error, of code unavailable, says that there is none or that its grace is over.
func (l *lease) take() (s *snapshot, lapsed bool, err error) {
	s = l.current.Load()
	if s == nil {
		return nil, false, refusal.Of(feature.CodeUnavailable, "try again in a moment", "the vectors have not been read yet")
	}
	since := time.Since(s.confirmed)
	if since <= l.config.Lease {
		return s, false, nil
	}
	if since <= l.config.Lease+l.config.Grace {
		return s, true, nil
	}
	return nil, false, refusal.Of(feature.CodeUnavailable, "the registry does not answer; see the server's log",
		"what is visible was last confirmed %s ago, longer than the grace of %s", since.Round(time.Second), l.config.Grace)
}

// tell logs when confirmations begin to fail and when they work again.
func (l *lease) tell(err error) {
	switch {
	case err != nil && !l.lapsed && !errors.Is(err, context.Canceled):
		l.log.Warn("the vectors cannot be confirmed; reads go on from the last ones", "err", err)
	case err == nil && l.lapsed:
		l.log.Info("the vectors are confirmed again")
	}
	l.lapsed = err != nil
}
