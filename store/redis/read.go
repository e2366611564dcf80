package redis

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"sluice/feature"
)

// Read returns the records of every key of a view, in all versions and any order, as they
// are on the servers, also where these have lost rows, which ReadWhole takes into account;
// keys without any have an empty chain. It takes one round trip to each shard, at
// once, within the configured deadline; under load it shares it with other calls.
// Chains of different keys may be of different moments.
//
// The error is a *PartialError if some shards failed: the chains of the keys that have
// failed are empty, the others are good, but those that a replica of a Cluster gave in
// place of its primary may lack what was written last.
//
// dst is nil or what an earlier call returned, with its records where they were: its
// memory is used again, rows included. So a Record's Row is valid until dst is handed
// to the next call, and whoever keeps it longer copies it. One dst serves one call at
// a time.
func (s *Store) Read(ctx context.Context, view feature.ViewID, keys []feature.Key, dst [][]feature.Record) ([][]feature.Record, error) {
	one := [1]feature.ViewID{view}
	dst, err := s.readViews(ctx, one[:], keys, time.Time{}, false, dst)
	if err != nil {
		return dst, fmt.Errorf("read %d keys of view %d: %w", len(keys), view, err)
	}
	return dst, nil
}

// ReadWhole is Read for a caller who will look at versions alone all of whose rows were
// written before whole, which is a moment of this process's clock: a replica that is
// shown to have all that its primary had at that moment or later then answers as well as
// the primary does, and its chains count as read. Zero is no such moment.
//
// Where a bucket has lost its rows, see Options.Presence, keys without records have failed
// with ErrEmptied, and the chains of others are as those of a replica that may be behind.
func (s *Store) ReadWhole(ctx context.Context, view feature.ViewID, keys []feature.Key, whole time.Time, dst [][]feature.Record) ([][]feature.Record, error) {
	one := [1]feature.ViewID{view}
	dst, err := s.readViews(ctx, one[:], keys, whole, true, dst)
	if err != nil {
		return dst, fmt.Errorf("read %d keys of view %d: %w", len(keys), view, err)
	}
	return dst, nil
}

// ReadViews is ReadWhole of several views of one group, in one lookup of an entity: the
// chain of views[n] of keys[i] is at n*len(keys)+i of what it returns. A key that could
// not be read is one of which no view could be; *PartialError has positions of keys. The
// views are distinct, and ErrGroup is the error if they are not in one group.
func (s *Store) ReadViews(ctx context.Context, views []feature.ViewID, keys []feature.Key, whole time.Time, dst [][]feature.Record) ([][]feature.Record, error) {
	dst, err := s.readViews(ctx, views, keys, whole, true, dst)
	if err != nil {
		return dst, fmt.Errorf("read %d keys of views %d: %w", len(keys), views, err)
	}
	return dst, nil
}

// readViews reads chains; shown is for a caller who shows them, and takes one that is empty
// for an entity that does not exist.
func (s *Store) readViews(ctx context.Context, views []feature.ViewID, keys []feature.Key, whole time.Time, shown bool, dst [][]feature.Record) ([][]feature.Record, error) {
	dst = grown(dst, len(views)*len(keys))
	leave, err := s.enter(ctx)
	if err == nil {
		defer leave()
		if err = s.together(views); err == nil {
			err = s.read(ctx, views, keys, whole, shown, dst)
		}
	}
	return dst, err
}

// together is ErrGroup unless views are one, or in one group.
func (s *Store) together(views []feature.ViewID) error {
	for _, view := range views[min(1, len(views)):] {
		if group := s.placeOf(view).group; group == "" || group != s.placeOf(views[0]).group {
			return fmt.Errorf("view %d and view %d: %w", views[0], view, ErrGroup)
		}
	}
	return nil
}

// grown returns dst with n empty chains, keeping what memory those have.
func grown(dst [][]feature.Record, n int) [][]feature.Record {
	if cap(dst) < n {
		dst = append(dst[:cap(dst)], make([][]feature.Record, n-cap(dst))...)
	}
	dst = dst[:n]
	for i := range dst {
		dst[i] = dst[i][:0]
	}
	return dst
}

// reading is one call of Read. It is taken from a pool.
type reading struct {
	of      place // any of the views
	wanted  wanted
	keys    []feature.Key
	whole   time.Time // when all was written that the caller looks at; zero: not known
	dst     [][]feature.Record
	places  [buckets]*shard // those that were asked for
	lookups []*lookup
	spare   []*lookup // of earlier calls
}

// lookup is what is read from one shard.
type lookup struct {
	at      *shard
	wanted  wanted
	bucket  uint8    // one of those on the shard
	of      []int    // positions in the call's keys
	buckets []uint8  // theirs
	names   []string // the keys as go-redis takes them; empty until it is asked
	errs    []error
	copied  []bool   // from a replica, where the shard has failed; nil: none is
	lent    bool     // a replica is asked, whose answer may come after the call
	second  *replica // that; nil: none is
	won     bool     // its answer came first, and is taken
}

var readings = sync.Pool{New: func() any { return new(reading) }}

// free puts r back.
func (r *reading) free() {
	for _, l := range r.lookups {
		if !l.lent && cap(l.of) <= questionKey {
			clear(l.names)
			clear(l.errs)
			*l = lookup{of: l.of[:0], buckets: l.buckets[:0], names: l.names[:0], errs: l.errs[:0]}
			r.spare = append(r.spare, l)
		}
	}
	clear(r.lookups)
	r.places, r.keys, r.dst, r.lookups = [buckets]*shard{}, nil, nil, r.lookups[:0]
	r.wanted.views = r.wanted.views[:0]
	readings.Put(r)
}

func (s *Store) read(ctx context.Context, views []feature.ViewID, keys []feature.Key, whole time.Time, shown bool, dst [][]feature.Record) error {
	if len(keys) == 0 || len(views) == 0 {
		return nil
	}
	r := readings.Get().(*reading)
	defer r.free()
	r.of, r.keys, r.whole, r.dst = s.placeOf(views[0]), keys, whole, dst
	r.wanted = wanted{r.of.group != "", append(r.wanted.views[:0], views...), len(keys)}
	var failed []int
	var errs []error
	for i, key := range keys {
		b := bucketOf(key)
		at := r.places[b]
		if at == nil {
			var err error
			if at, err = s.places.of(ctx, b); err != nil {
				failed, errs = append(failed, i), append(errs, err)
				continue
			}
			r.places[b] = at
		}
		l := r.lookup(at, b)
		l.of, l.buckets = append(l.of, i), append(l.buckets, b)
	}
	s.readAll(ctx, r)
	if shown {
		s.doubt(ctx, r)
	}
	return r.outcome(failed, errs)
}

// outcome returns the error of a call of which some keys failed for want of a place.
func (r *reading) outcome(failed []int, errs []error) error {
	var behind []int
	for _, l := range r.lookups {
		first := firstOf(l.errs)
		if first == nil {
			continue
		}
		errs = append(errs, shardError(l.at, first))
		for n, err := range l.errs {
			switch {
			case err != nil && l.copied != nil && l.copied[n]:
				behind = append(behind, l.of[n])
			case err != nil:
				failed = append(failed, l.of[n])
				r.wanted.empty(r.dst, l.of[n])
			}
		}
	}
	err := partial(failed, len(r.keys), errs)
	if p, ok := err.(*PartialError); ok {
		slices.Sort(behind)
		p.Behind = behind
	}
	return err
}

// lookup returns the lookup of a shard, made if there is none.
func (r *reading) lookup(at *shard, bucket uint8) *lookup {
	for _, l := range r.lookups {
		if l.at == at {
			return l
		}
	}
	l := &lookup{}
	if n := len(r.spare); n > 0 {
		l, r.spare = r.spare[n-1], r.spare[:n-1]
	}
	l.at, l.bucket, l.wanted = at, bucket, r.wanted
	r.lookups = append(r.lookups, l)
	return l
}

// name fills in the keys as go-redis takes them.
func (s *Store) name(r *reading, l *lookup) {
	for n := len(l.names); n < len(l.of); n++ {
		l.names = append(l.names, s.layout.row(l.buckets[n], r.of, string(r.keys[l.of[n]])))
	}
}

func firstOf(errs []error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// readAll reads every lookup at once. The last is for the caller's goroutine.
func (s *Store) readAll(ctx context.Context, r *reading) {
	last := len(r.lookups) - 1
	if last < 0 {
		return
	}
	if last == 0 {
		s.readShard(ctx, r, r.lookups[0])
		return
	}
	var group sync.WaitGroup
	for _, l := range r.lookups[:last] {
		group.Go(func() { s.readShard(ctx, r, l) })
	}
	s.readShard(ctx, r, r.lookups[last])
	group.Wait()
}

// readMoved reads the chains whose keys are elsewhere, wherever that is now.
func (s *Store) readMoved(ctx context.Context, r *reading, l *lookup, begun time.Time) {
	var of []int
	for n, err := range l.errs {
		if isElsewhere(err) {
			of = append(of, n)
		}
	}
	if len(of) == 0 {
		return
	}
	s.noticed(l.errs[of[0]])
	ctx, cancel := context.WithDeadline(ctx, begun.Add(s.cfg.ReadDeadline))
	defer cancel()
	s.name(r, l)
	typed := make([]goredis.Cmder, len(of))
	for i, n := range of {
		typed[i] = goredis.NewStringSliceCmd(ctx, "hgetall", l.names[n])
	}
	if !s.places.follow(ctx, typed) {
		return
	}
	for i, n := range of {
		l.errs[n] = l.wanted.typed(typed[i].(*goredis.StringSliceCmd), r.dst, l.of[n])
	}
}

// typed decodes an answer that go-redis has taken apart.
func (w *wanted) typed(cmd *goredis.StringSliceCmd, dst [][]feature.Record, i int) error {
	w.empty(dst, i)
	pairs, err := cmd.Result()
	if err != nil {
		return err
	}
	if len(pairs)%2 != 0 {
		return fmt.Errorf("answer: %w", ErrCorrupt)
	}
	for n := 0; n < len(pairs); n += 2 {
		if err := w.put(dst, i, []byte(pairs[n]), []byte(pairs[n+1]), false); err != nil {
			return err
		}
	}
	return nil
}
