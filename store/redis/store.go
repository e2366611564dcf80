package redis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"sluice/feature"
)

// Row is a record of an entity on its way to the store.
type Row = feature.Row

// Options say where a store is.
type Options struct {
	Config  Config
	Name    string       // of the store, for its metrics; empty: feature.DefaultOnline
	Metrics *Metrics     // nil: they are kept but not exported
	Log     *slog.Logger // nil: silent

	// Presence says whose rows the store holds, so that it is noticed when a server has
	// lost them; nil: nobody looks.
	Presence PresenceFunc
}

func (o Options) counters() counters {
	m := o.Metrics
	if m == nil {
		m = NewMetrics(nil)
	}
	return m.of(cmp.Or(o.Name, feature.DefaultOnline))
}

// Store is an online store on Redis.
type Store struct {
	cfg    Config
	log    *slog.Logger
	layout layout
	places topology
	expiry sync.Map                                  // feature.ViewID → time.Duration
	groups atomic.Pointer[map[feature.ViewID]string] // nil: no view is in one
	marks  sources

	grouping sync.Mutex // held to change groups

	metrics counters
	budget  *budget        // of hedged reads
	asking  sync.WaitGroup // what goes on beside the calls

	absent   atomic.Pointer[bucketSet] // buckets that have lost their rows; nil: none
	unknown  atomic.Pointer[bucketSet] // buckets that were not asked yet whether they have theirs; nil: none
	owner    atomic.Pointer[string]    // by which buckets are marked that have theirs; nil: that is not looked at
	dialed   atomic.Int64              // when a connection was made last, Unix nanoseconds
	sound    atomic.Int64              // when the last look at the marks of all primaries began, Unix nanoseconds
	fullest  atomic.Pointer[fullness]  // at the last look; nil: there was none
	surveyed atomic.Pointer[[]*shard]  // the primaries as of the last survey; nil: there was none
	stop     context.CancelFunc

	life   sync.RWMutex // held for writing by Close alone
	closed bool
	leave  func() // made once
}

// Open connects to Redis, checks its settings (see CheckServer) and loads the
// Functions. ctx bounds that alone.
func Open(ctx context.Context, opts Options) (*Store, error) {
	if err := opts.Config.Validate(); err != nil {
		return nil, fmt.Errorf("open row store: %w", err)
	}
	log := opts.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &Store{cfg: opts.Config, log: log, layout: layout{opts.Config.Prefix}, metrics: opts.counters(), budget: newBudget(opts.Config.HedgeBudget, time.Now())}
	s.cfg.dialed = s.redialed
	s.places = connect(s.cfg, log, s.budget)
	s.leave = s.life.RUnlock
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open row store on %s: %w", strings.Join(opts.Config.Addrs, ","), err), s.places.close())
	}
	ctx, s.stop = context.WithCancel(context.Background())
	s.asking.Go(func() { s.watchMemory(ctx) })
	if opts.Presence != nil {
		s.unknown.Store(&anyBucket)
		s.asking.Go(func() { s.watchPresence(ctx, opts.Presence) })
	}
	if s.places.copies() {
		s.asking.Go(func() { s.survey(ctx) })
	}
	return s, nil
}

func (s *Store) prepare(ctx context.Context) error {
	shards, err := s.places.all(ctx)
	if err != nil {
		return err
	}
	if err := checkAll(ctx, s.log, s.cfg, s.places, shards); err != nil {
		return err
	}
	return s.everywhere(ctx, shards, func(ctx context.Context, at *shard) error { return loadLibrary(ctx, at.slow) })
}

// everywhere calls fn for every shard at once, and joins the errors, which name it.
func (s *Store) everywhere(ctx context.Context, shards []*shard, fn func(context.Context, *shard) error) error {
	errs := make([]error, len(shards))
	var group sync.WaitGroup
	for i, at := range shards {
		group.Go(func() {
			if err := fn(ctx, at); err != nil {
				s.noticed(err)
				errs[i] = fmt.Errorf("shard %s: %w", at, err)
			}
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

// noticed has the Cluster's map read again if err may come from its being old.
func (s *Store) noticed(err error) {
	if isConnection(err) || isElsewhere(err) {
		s.places.suspect()
	}
}

// Close closes the connections.
func (s *Store) Close() error {
	s.life.Lock()
	defer s.life.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	s.stop()
	s.asking.Wait()
	if err := s.places.close(); err != nil {
		return fmt.Errorf("close row store: %w", err)
	}
	return nil
}

// enter keeps the store open until leave.
func (s *Store) enter(ctx context.Context) (leave func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.life.RLock()
	if s.closed {
		s.life.RUnlock()
		return nil, ErrClosed
	}
	return s.leave, nil
}

// SetExpiry makes rows of a view that are written from now on, and what belongs to
// them, expire when their entity has not been written for d; 0, which is how it
// starts, is never. Redis rounds to milliseconds.
//
// d must be at least the view's TTL plus the longest time until a version can no
// longer be rolled back, dropped or folded, plus how far event times may lie in the
// future: rows that expire earlier would be missing after a rollback, while those
// past their TTL are for the reader to refuse. A hash that views of a group share lives
// as long as the one that needs it for longest, by its own last write; one that was for
// ever once stays so.
//
// Rows that were written before d became 0 lose their expiry when a version that writes
// their entity again is folded, long before it can end; others do not.
func (s *Store) SetExpiry(view feature.ViewID, d time.Duration) { s.expiry.Store(view, d) }

// expiryMillis returns the expiry of a view's rows; 0 is none.
func (s *Store) expiryMillis(view feature.ViewID) int64 {
	d, ok := s.expiry.Load(view)
	if !ok || d.(time.Duration) <= 0 {
		return 0
	}
	return max(1, d.(time.Duration).Milliseconds())
}

// Sync waits until every row staged so far is on as many replicas of its shard as
// the configuration says; with none it returns at once. It cannot tell that a
// failover has lost rows: Lost does. Redis itself calls this no strong consistency.
func (s *Store) Sync(ctx context.Context) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return fmt.Errorf("sync rows: %w", err)
	}
	defer leave()
	if s.cfg.SyncReplicas == 0 {
		return nil
	}
	shards, err := s.places.all(ctx)
	if err == nil {
		err = s.everywhere(ctx, shards, s.waitReplicas)
	}
	if err != nil {
		return fmt.Errorf("sync rows: %w", err)
	}
	return nil
}

// waitReplicas waits for the replicas of one shard. WAIT is for what was written up to
// the connection's last command, so there has to be one, whatever it is.
func (s *Store) waitReplicas(ctx context.Context, at *shard) error {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.SyncTimeout+s.cfg.WriteDeadline)
	defer cancel()
	client := at.slow.WithTimeout(s.cfg.SyncTimeout + s.cfg.WriteDeadline)
	p := client.Pipeline()
	p.Ping(ctx)
	n := goredis.NewIntCmd(ctx, "wait", s.cfg.SyncReplicas, s.cfg.SyncTimeout.Milliseconds())
	_ = p.Process(ctx, n)
	if _, err := p.Exec(ctx); err != nil {
		return err
	}
	if n.Val() < int64(s.cfg.SyncReplicas) {
		return fmt.Errorf("%d of %d replicas have the rows after %s", n.Val(), s.cfg.SyncReplicas, s.cfg.SyncTimeout)
	}
	return nil
}

// Size returns the bytes of memory that the primaries use, for whatever; 0 if one
// does not answer.
func (s *Store) Size() uint64 {
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.WriteDeadline)
	defer cancel()
	leave, err := s.enter(ctx)
	if err != nil {
		return 0
	}
	defer leave()
	shards, err := s.places.all(ctx)
	if err != nil {
		return 0
	}
	var mu sync.Mutex
	total := uint64(0)
	err = s.everywhere(ctx, shards, func(ctx context.Context, at *shard) error {
		info, err := at.slow.Info(ctx, "memory").Result()
		if err != nil {
			return err
		}
		used, err := strconv.ParseUint(infoField(info, "used_memory"), 10, 64)
		mu.Lock()
		total += used
		mu.Unlock()
		return err
	})
	if err != nil {
		return 0
	}
	return total
}

// infoField returns a field of the answer to INFO; empty if it has none.
func infoField(info, name string) string {
	for line := range strings.SplitSeq(info, "\r\n") {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return value
		}
	}
	return ""
}
