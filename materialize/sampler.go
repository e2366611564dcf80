package materialize

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"sluice/feature"
	"sluice/quality/sketch"
)

const (
	// servedEntities is how many entities a process profiles of a window.
	servedEntities = 2048
	// flushEvery is the pause between two looks at which windows have passed.
	flushEvery = time.Second
)

// ServedSpec returns the windows of the platform's clock over which the rows that
// reads return are profiled: as long as the view's, but from a minute to an hour.
func ServedSpec(view *feature.View) feature.WindowSpec {
	return feature.WindowSpec{Size: min(max(view.Window.Size, time.Minute), time.Hour)}
}

// SamplerStore keeps what processes sampled; the registry provides it.
type SamplerStore interface {
	PutServed(ctx context.Context, p feature.ServedProfile) error
	Vector(ctx context.Context, view feature.ViewID) (feature.Vector, error)
}

// SamplerDeps is what a Sampler works with.
type SamplerDeps struct {
	Store       SamplerStore
	Definitions func() *feature.Definitions             // the definitions in force
	Layout      func(view *feature.View) *sketch.Layout // the newest of the view; nil or unbinned without any
	HashKey     sketch.HashKey
	Clock       Clock
	Process     string // names this process among all that serve
	Logger      *slog.Logger
	Registerer  prometheus.Registerer
}

// Sampler profiles what this process serves: it is given a sample of the rows that
// reads returned, and stores a profile of them for every view and window of the
// clock once that has passed.
//
// Reads are skewed, and a few entities may make up most of them. An entity counts
// once a window, with the row it was last given, and of many entities those are kept
// whose hash is smallest: a sample of the entities that were read, not of the reads,
// and the same ones in every process and window. It is safe for concurrent use.
type Sampler struct {
	deps    SamplerDeps
	sampled *prometheus.CounterVec
	failed  prometheus.Counter

	mu      sync.Mutex
	windows map[servedWindow]*servedRows
}

type servedWindow struct {
	view  feature.ViewID
	start int64 // Unix nanoseconds
}

// servedRows are the entities of one window.
type servedRows struct {
	rows    map[feature.Key]hashedRow
	bound   uint64    // no hash above it is kept
	changed bool      // since it was stored
	stored  time.Time // real time
}

// keepStored is how long a window is kept once it is stored: rows that were read at its end
// are handed over up to a second later, and what is stored then takes the place of what was.
const keepStored = 30 * time.Second

type hashedRow struct {
	hash uint64
	feature.ServedRow
}

// NewSampler returns an empty Sampler.
func NewSampler(deps SamplerDeps) *Sampler {
	auto := promauto.With(deps.Registerer)
	return &Sampler{
		deps: deps, windows: map[servedWindow]*servedRows{},
		sampled: auto.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: "served_rows_sampled_total", Help: "Rows of reads taken into the profile of what is served, by view."}, []string{"view"}),
		failed:  auto.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: "served_profile_errors_total", Help: "Profiles of what was served that could not be stored; the next look tries again."}),
	}
}

// Take takes rows in. Those of a time when the platform's clock was not set are
// passed over.
func (s *Sampler) Take(_ context.Context, rows []feature.ServedRow) error {
	specs := map[feature.ViewID]*feature.View{}
	defs := s.deps.Definitions()
	for i := range defs.Views {
		specs[defs.Views[i].ID] = &defs.Views[i]
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, row := range rows {
		view := specs[row.View]
		if view == nil || row.At.IsZero() {
			continue
		}
		at := servedWindow{row.View, ServedSpec(view).Of(row.At).Start.UnixNano()}
		if s.windows[at] == nil {
			s.windows[at] = &servedRows{rows: map[feature.Key]hashedRow{}, bound: math.MaxUint64}
		}
		s.windows[at].take(hashedRow{s.hash(row.Key), row})
		s.sampled.WithLabelValues(view.Name).Inc()
	}
	return nil
}

func (s *Sampler) hash(key feature.Key) uint64 {
	return xxhash.Sum64(append(s.deps.HashKey[:], key...))
}

func (w *servedRows) take(row hashedRow) {
	if row.hash > w.bound {
		return
	}
	if old, known := w.rows[row.Key]; known && old.At.After(row.At) {
		return
	}
	w.changed = true
	if w.rows[row.Key] = row; len(w.rows) >= 2*servedEntities {
		w.cut()
	}
}

// cut keeps the entities with the smallest hashes.
func (w *servedRows) cut() {
	hashes := make([]uint64, 0, len(w.rows))
	for _, row := range w.rows {
		hashes = append(hashes, row.hash)
	}
	slices.Sort(hashes)
	w.bound = hashes[min(len(hashes), servedEntities)-1]
	for key, row := range w.rows {
		if row.hash > w.bound {
			delete(w.rows, key)
		}
	}
}

// Run stores the profiles of windows that have passed until ctx ends, and then those
// of windows that have not: another process may go on with them.
func (s *Sampler) Run(ctx context.Context) error {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*flushEvery)
			defer cancel()
			s.flush(ending, time.Time{})
			return nil
		case <-tick.C:
		}
		if now, set := s.deps.Clock.Now(); set {
			s.flush(ctx, now)
		}
	}
}

// flush stores the profiles of windows that ended by now; of all if now is zero. What
// could not be stored stays for the next time.
func (s *Sampler) flush(ctx context.Context, now time.Time) {
	defs := s.deps.Definitions()
	for at, view := range s.over(defs, now) {
		err := s.store(ctx, view, at)
		if err != nil && !errors.Is(err, context.Canceled) {
			s.failed.Inc()
			s.deps.Logger.Warn("profile of what was served not stored, trying again", "view", view.Name, "window", time.Unix(0, at.start).UTC().Format(time.RFC3339), "err", err)
		}
	}
}

// over returns the windows that ended by now and are not stored, or have changed since, with
// their views, and forgets those of views that are gone, and those stored a while ago.
func (s *Sampler) over(defs *feature.Definitions, now time.Time) map[servedWindow]*feature.View {
	s.mu.Lock()
	defer s.mu.Unlock()
	over := map[servedWindow]*feature.View{}
	for at, w := range s.windows {
		i := slices.IndexFunc(defs.Views, func(v feature.View) bool { return v.ID == at.view })
		switch {
		case i < 0, !w.changed && time.Since(w.stored) > keepStored:
			delete(s.windows, at)
		case !w.changed:
		case now.IsZero() || !now.Before(ServedSpec(&defs.Views[i]).Starting(time.Unix(0, at.start)).End):
			over[at] = &defs.Views[i]
		}
	}
	return over
}

// store profiles and stores one window. Without a layout there is
// nothing to compare by, and nothing is stored.
func (s *Sampler) store(ctx context.Context, view *feature.View, at servedWindow) error {
	layout := s.deps.Layout(view)
	var floor feature.Version
	if layout != nil && layout.Digest() != "" {
		vector, err := s.deps.Store.Vector(ctx, view.ID)
		if err != nil {
			return fmt.Errorf("read vector: %w", err)
		}
		floor = vector.Floor
	}
	w := s.begin(at)
	if w == nil || layout == nil || layout.Digest() == "" {
		return nil
	}
	p, bad, err := w.profile(view, layout, s.deps.HashKey, floor)
	if bad != nil {
		s.deps.Logger.Error("served rows that cannot be read are left out of the profile", "view", view.Name, "err", bad)
	}
	if err == nil {
		p.Window, p.Process = ServedSpec(view).Starting(time.Unix(0, at.start)), s.deps.Process
		err = s.deps.Store.PutServed(ctx, p)
	}
	if err != nil {
		s.again(at)
	}
	return err
}

// begin returns a copy of a window to be stored, which goes on meanwhile; nil if there is
// none.
func (s *Sampler) begin(at servedWindow) *servedRows {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.windows[at]
	if w == nil {
		return nil
	}
	w.changed, w.stored = false, time.Now()
	return &servedRows{rows: maps.Clone(w.rows), bound: w.bound}
}

// again has a window stored once more.
func (s *Sampler) again(at servedWindow) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := s.windows[at]; w != nil {
		w.changed = true
	}
}

// profile profiles the entities, those of certified versions apart as well. bad says
// why some of them could not be read.
func (w *servedRows) profile(view *feature.View, layout *sketch.Layout, key sketch.HashKey, floor feature.Version) (p feature.ServedProfile, bad, err error) {
	if len(w.rows) > servedEntities {
		w.cut()
	}
	all, settled := sketch.NewProfile(view, layout, key), sketch.NewProfile(view, layout, key)
	p = feature.ServedProfile{View: view.ID, Layout: layout.Digest()}
	for _, row := range w.sorted() {
		write, err := row.write(view)
		if err != nil {
			bad = fmt.Errorf("row of version %d: %w", row.Version, err)
			continue
		}
		all.Add(&write)
		if row.Version <= floor {
			settled.Add(&write)
		}
		if !slices.Contains(p.Versions, row.Version) {
			p.Versions = append(p.Versions, row.Version)
		}
	}
	slices.Sort(p.Versions)
	p.Rows = all.Rows
	all.Sample, settled.Sample = nil, nil // rows are compared by their counts alone
	var other error
	p.Profile, err = all.MarshalBinary()
	p.Settled, other = settled.MarshalBinary()
	return p, bad, errors.Join(err, other)
}

// sorted returns the rows in the order of their hashes, so that the same rows give
// the same bytes.
func (w *servedRows) sorted() []hashedRow {
	rows := make([]hashedRow, 0, len(w.rows))
	for _, row := range w.rows {
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b hashedRow) int { return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.Key, b.Key)) })
	return rows
}

// write is the row as the write that a profile takes in; the entity stands for the
// place in the log.
func (r *hashedRow) write(view *feature.View) (feature.Write, error) {
	w := feature.Write{View: view, Key: r.Key, EventTime: r.EventTime, Values: make([]feature.Value, len(view.Features)), Offset: int64(r.hash)}
	var failed error
	err := feature.EachValue(r.Values, func(id uint32, value []byte) {
		i := slices.IndexFunc(view.Features, func(f feature.Feature) bool { return f.ID == id })
		if i < 0 {
			return // a feature that is no longer defined
		}
		v, err := feature.DecodeValue(value)
		if err == nil && v.Type() != view.Features[i].Type && !v.IsNull() {
			err = fmt.Errorf("feature %s: %w", view.Features[i].Name, feature.ErrCorrupt)
		}
		failed = errors.Join(failed, err)
		w.Values[i] = v
	})
	return w, errors.Join(err, failed)
}
