package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"sluice/feature"
)

// Read returns the records of every key of a view, in all versions and any order;
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
	dst = grown(dst, len(keys))
	leave, err := s.enter(ctx)
	if err == nil {
		err = s.read(ctx, view, keys, dst)
		leave()
	}
	if err != nil {
		return dst, fmt.Errorf("read %d keys of view %d: %w", len(keys), view, err)
	}
	return dst, nil
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
	view    feature.ViewID
	keys    []feature.Key
	dst     [][]feature.Record
	places  [buckets]*shard // those that were asked for
	lookups []*lookup
	spare   []*lookup // of earlier calls
}

// lookup is what is read from one shard.
type lookup struct {
	at      *shard
	bucket  uint8    // one of those on the shard
	of      []int    // positions in the call's keys
	buckets []uint8  // theirs
	names   []string // the keys as go-redis takes them; empty until it is asked
	errs    []error
	copied  []bool // from a replica, where the shard has failed; nil: none is
	lent    bool   // a replica is asked, whose answer may come after the call
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
	readings.Put(r)
}

func (s *Store) read(ctx context.Context, view feature.ViewID, keys []feature.Key, dst [][]feature.Record) error {
	if len(keys) == 0 {
		return nil
	}
	r := readings.Get().(*reading)
	defer r.free()
	r.view, r.keys, r.dst = view, keys, dst
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
				r.dst[l.of[n]] = r.dst[l.of[n]][:0]
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
	l.at, l.bucket = at, bucket
	r.lookups = append(r.lookups, l)
	return l
}

// name fills in the keys as go-redis takes them.
func (s *Store) name(r *reading, l *lookup) {
	for n := len(l.names); n < len(l.of); n++ {
		l.names = append(l.names, s.layout.row(l.buckets[n], r.view, string(r.keys[l.of[n]])))
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

// readShard reads the chains of one lookup: over a connection that many callers
// share, and if that gives no answer, over one of the pool. It reads once more those
// whose keys have moved. Where the shard does not answer a replica stands in; it is
// asked beside the second try, so that both have an answer within the deadline.
func (s *Store) readShard(ctx context.Context, r *reading, l *lookup) {
	begun := time.Now()
	if !l.at.breaker.allow(begun) {
		l.errs = append(l.errs[:0], slices.Repeat([]error{ErrBreaker}, len(l.of))...)
		ctx, cancel := context.WithTimeout(ctx, s.cfg.ReadDeadline)
		defer cancel()
		l.standIn(s.askReplica(ctx, r, l), r.dst)
		return
	}
	tried := s.readShared(ctx, r, l, nil)
	if tried == nil || isConnection(firstOf(l.errs)) {
		s.readPooled(ctx, r, l, begun, tried)
		return
	}
	s.judge(ctx, l)
	s.readMoved(ctx, r, l, begun)
}

// readPooled reads the chains of one lookup over connections of the pool; tried is the
// shared one that has failed to, which was the first try.
func (s *Store) readPooled(ctx context.Context, r *reading, l *lookup, begun time.Time, tried *wire) {
	whole := ctx
	ctx, cancel := context.WithDeadline(ctx, begun.Add(s.cfg.ReadDeadline))
	defer cancel()
	s.name(r, l)
	second := s.ask(ctx, r, l, tried)
	s.judge(whole, l)
	if isConnection(firstOf(l.errs)) {
		l.standIn(second, r.dst)
		return
	}
	s.readMoved(ctx, r, l, begun)
}

// readShared reads the chains of a lookup over a connection that many callers share,
// but not over avoid, and returns it; nil if there is none for it.
func (s *Store) readShared(ctx context.Context, r *reading, l *lookup, avoid *wire) *wire {
	if l.at.shared == nil {
		return nil
	}
	q := questions.Get().(*question)
	for n, i := range l.of {
		key := r.keys[i]
		q.command = s.layout.appendRead(q.command, l.buckets[n], r.view, key)
	}
	q.keys = len(l.of)
	w := l.at.shared.send(q, avoid)
	if w == nil {
		q.free()
		return nil
	}
	free, err := w.wait(ctx, q, min(s.cfg.ReadTimeout, s.cfg.ReadDeadline))
	l.errs = l.errs[:0]
	var rest []byte
	if err == nil {
		rest = q.answer
	}
	for _, i := range l.of {
		if err != nil {
			l.errs = append(l.errs, err)
			continue
		}
		n := replyLength(rest)
		var problem error
		r.dst[i], problem = decodeChain(rest[:n], r.dst[i][:0], true)
		l.errs = append(l.errs, problem)
		rest = rest[n:]
	}
	if free {
		q.free()
	}
	return w
}

// ask reads the chains of one lookup, as often as is configured, and returns what waits
// for a replica's answer if one was asked meanwhile. tried is the shared connection over
// which the first try was made, and failed: the second is made over another one, if there
// is one, so that where all reads of one fail at once they need not all dial.
func (s *Store) ask(ctx context.Context, r *reading, l *lookup, tried *wire) (second func() *replica) {
	try := ctx
	for attempt := 0; ; attempt++ {
		switch {
		case attempt == 0 && tried != nil:
		case attempt == 1 && tried != nil && s.readShared(try, r, l, tried) != nil:
		default:
			s.readOnce(try, l.at.quick, l, r.dst)
		}
		first := firstOf(l.errs)
		s.noticed(first)
		if !isConnection(first) || ctx.Err() != nil {
			return second
		}
		if second == nil {
			if second = s.askReplica(ctx, r, l); second != nil {
				var cancel context.CancelFunc
				try, cancel = sooner(ctx)
				defer cancel()
			}
		}
		if attempt >= s.cfg.MaxRetries {
			return second
		}
	}
}

// judge tells a shard's breaker whether it answered. A caller that has left proves
// nothing, and neither does one that found no free connection.
func (s *Store) judge(ctx context.Context, l *lookup) {
	err := firstOf(l.errs)
	switch {
	case !isConnection(err):
		if l.at.breaker.answered() {
			s.log.Info("a shard answers again", "shard", l.at.String())
		}
	case ctx.Err() == nil && !errors.Is(err, goredis.ErrPoolTimeout) && !errors.Is(err, goredis.ErrPoolExhausted):
		if l.at.breaker.silent(time.Now()) {
			s.log.Warn("a shard does not answer; reads of it are given up at once but for one in a while", "shard", l.at.String(), "err", err)
		}
	}
}

// readOnce asks for all chains of a lookup in one round trip.
func (s *Store) readOnce(ctx context.Context, from *goredis.Client, l *lookup, dst [][]feature.Record) {
	all := &sink{b: make([]byte, 0, 256*len(l.names))}
	args := make([]any, 2*len(l.names))
	cmds := make([]*goredis.RawWriteToCmd, len(l.names))
	p := from.Pipeline()
	for n := range l.names {
		args[2*n], args[2*n+1] = hgetall, &l.names[n]
		cmds[n] = goredis.NewRawWriteToCmd(ctx, all, args[2*n:2*n+2:2*n+2]...)
		_ = p.Process(ctx, cmds[n])
	}
	_, err := p.Exec(ctx)
	l.errs = l.errs[:0]
	rest := all.b
	for n, cmd := range cmds {
		if cmd.Err() != nil || err != nil && cmd.Val() == 0 {
			l.errs = append(l.errs, errorOf(cmd, err))
			continue
		}
		answer := rest[:cmd.Val()]
		rest = rest[cmd.Val():]
		var err error
		dst[l.of[n]], err = decodeChain(answer, dst[l.of[n]][:0], false)
		l.errs = append(l.errs, err)
	}
}

// hgetall is boxed once.
var hgetall any = "hgetall"

func errorOf(cmd goredis.Cmder, otherwise error) error {
	if err := cmd.Err(); err != nil {
		return err
	}
	return otherwise
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
		r.dst[l.of[n]], l.errs[n] = chainOf(typed[i].(*goredis.StringSliceCmd), r.dst[l.of[n]][:0])
	}
}

// chainOf decodes an answer that go-redis has taken apart.
func chainOf(cmd *goredis.StringSliceCmd, dst []feature.Record) ([]feature.Record, error) {
	pairs, err := cmd.Result()
	if err != nil {
		return dst, err
	}
	if len(pairs)%2 != 0 {
		return dst, fmt.Errorf("answer: %w", ErrCorrupt)
	}
	for i := 0; i < len(pairs); i += 2 {
		r, err := decodeRecord([]byte(pairs[i]), []byte(pairs[i+1]))
		if err != nil {
			return dst, err
		}
		dst = append(dst, r)
	}
	return dst, nil
}
