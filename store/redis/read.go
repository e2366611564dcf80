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
// once, within the configured deadline. Chains of different keys may be of different
// moments.
//
// The error is a *PartialError if some shards failed: the chains of the keys that have
// failed are empty, the others are good, but those that a replica of a Cluster gave in
// place of its primary may lack what was written last.
//
// dst is nil or what an earlier call returned: its chains' memory is used again. A
// Record's Row is valid for as long as it is kept, and must not be changed: rows of
// a call share memory.
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

// lookup is what is read from one shard.
type lookup struct {
	at     *shard
	bucket uint8 // one of those on the shard
	keys   []string
	of     []int // positions in the call's keys
	errs   []error
	copied []bool // from a replica, where the shard has failed; nil: none is
}

func (s *Store) read(ctx context.Context, view feature.ViewID, keys []feature.Key, dst [][]feature.Record) error {
	if len(keys) == 0 {
		return nil
	}
	var failed, behind []int
	var errs []error
	var lookups []*lookup
	for i, key := range keys {
		b := bucketOf(key)
		at, err := s.places.of(ctx, b)
		if err != nil {
			failed, errs = append(failed, i), append(errs, err)
			continue
		}
		l := lookupOf(&lookups, at, b, len(keys))
		l.keys, l.of = append(l.keys, s.layout.row(b, view, string(key))), append(l.of, i)
	}
	s.readAll(ctx, lookups, dst)
	for _, l := range lookups {
		for n, err := range l.errs {
			switch {
			case err != nil && l.copied != nil && l.copied[n]:
				behind = append(behind, l.of[n])
			case err != nil:
				failed = append(failed, l.of[n])
				dst[l.of[n]] = dst[l.of[n]][:0]
			}
		}
		if err := firstOf(l.errs); err != nil {
			errs = append(errs, shardError(l.at, err))
		}
	}
	err := partial(failed, len(keys), errs)
	if p, ok := err.(*PartialError); ok {
		slices.Sort(behind)
		p.Behind = behind
	}
	return err
}

// lookupOf returns the lookup of a shard, made if there is none.
func lookupOf(lookups *[]*lookup, at *shard, bucket uint8, n int) *lookup {
	for _, l := range *lookups {
		if l.at == at {
			return l
		}
	}
	l := &lookup{at: at, bucket: bucket, keys: make([]string, 0, n), of: make([]int, 0, n)}
	*lookups = append(*lookups, l)
	return l
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
func (s *Store) readAll(ctx context.Context, lookups []*lookup, dst [][]feature.Record) {
	var group sync.WaitGroup
	for i, l := range lookups {
		if i < len(lookups)-1 {
			group.Go(func() { s.readShard(ctx, l, dst) })
		} else {
			s.readShard(ctx, l, dst)
		}
	}
	group.Wait()
}

// readShard reads the chains of one lookup, and once more those whose keys have
// moved. Where the shard does not answer a replica stands in; it is asked beside the
// second try, so that both have an answer within the deadline.
func (s *Store) readShard(ctx context.Context, l *lookup, dst [][]feature.Record) {
	whole := ctx
	ctx, cancel := context.WithTimeout(ctx, s.cfg.ReadDeadline)
	defer cancel()
	if !l.at.breaker.allow(time.Now()) {
		l.errs = append(l.errs[:0], slices.Repeat([]error{ErrBreaker}, len(l.keys))...)
		l.standIn(s.askReplica(ctx, l), dst)
		return
	}
	second := s.ask(ctx, l, dst)
	s.judge(whole, l)
	if isConnection(firstOf(l.errs)) {
		l.standIn(second, dst)
		return
	}
	var moved []int
	for n, err := range l.errs {
		if isElsewhere(err) {
			moved = append(moved, n)
		}
	}
	if len(moved) > 0 {
		s.readMoved(ctx, l, moved, dst)
	}
}

// ask reads the chains of one lookup, as often as is configured, and returns what waits
// for a replica's answer if one was asked meanwhile.
func (s *Store) ask(ctx context.Context, l *lookup, dst [][]feature.Record) (second func() *replica) {
	try := ctx
	for attempt := 0; ; attempt++ {
		s.readOnce(try, l.at.quick, l, dst)
		first := firstOf(l.errs)
		s.noticed(first)
		if !isConnection(first) || ctx.Err() != nil {
			return second
		}
		if second == nil {
			if second = s.askReplica(ctx, l); second != nil {
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
	all := &sink{b: make([]byte, 0, 256*len(l.keys))}
	args := make([]any, 2*len(l.keys))
	cmds := make([]*goredis.RawWriteToCmd, len(l.keys))
	p := from.Pipeline()
	for n := range l.keys {
		args[2*n], args[2*n+1] = hgetall, &l.keys[n]
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
		dst[l.of[n]], err = decodeChain(answer, dst[l.of[n]][:0])
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

// readMoved reads chains wherever their keys are now.
func (s *Store) readMoved(ctx context.Context, l *lookup, of []int, dst [][]feature.Record) {
	typed := make([]goredis.Cmder, len(of))
	for i, n := range of {
		typed[i] = goredis.NewStringSliceCmd(ctx, "hgetall", l.keys[n])
	}
	if !s.places.follow(ctx, typed) {
		return
	}
	for i, n := range of {
		dst[l.of[n]], l.errs[n] = chainOf(typed[i].(*goredis.StringSliceCmd), dst[l.of[n]][:0])
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
