package redis

import (
	"context"
	"errors"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"sluice/feature"
)

// firstWait is how long a replica, asked once the first try has failed, is waited for
// before the second.
const firstWait = 10 * time.Millisecond

// readShard reads the chains of one lookup: over a connection that many callers
// share, and if that gives no answer, over one of the pool. It reads once more those
// whose keys have moved. Where the shard does not answer a replica stands in: it is
// asked once the answer is late, as long as there is a budget for that, and else beside
// the second try, so that both have an answer within the deadline. A shard that has
// been silent for long is not asked but for one read in a while, and that does not wait
// for it either if there is a replica.
func (s *Store) readShard(ctx context.Context, r *reading, l *lookup) {
	begun := time.Now()
	if !l.at.breaker.allow(begun) {
		s.readBeside(ctx, r, l, s.askReplica(ctx, r, l))
		return
	}
	if l.at.breaker.open() {
		if c := s.askReplica(ctx, r, l); c != nil {
			s.probe(l.at)
			s.readBeside(ctx, r, l, c)
			return
		}
	}
	tried := s.readShared(ctx, r, l, nil)
	switch {
	case l.won:
		return
	case tried == nil || isConnection(firstOf(l.errs)):
		s.readPooled(ctx, r, l, begun, tried)
		return
	}
	s.judge(ctx, l.at, firstOf(l.errs))
	s.readMoved(ctx, r, l, begun)
}

// readBeside gives what a replica has, if one is asked, of a shard that is not.
func (s *Store) readBeside(ctx context.Context, r *reading, l *lookup, c *replica) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.ReadDeadline)
	defer cancel()
	l.fail(ErrBreaker)
	s.standIn(ctx, c, l, r.dst)
}

// probe finds out beside the reads whether a silent shard answers again.
func (s *Store) probe(at *shard) {
	s.asking.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), s.cfg.ReadDeadline)
		defer cancel()
		err := at.quick.Ping(ctx).Err()
		s.noticed(err)
		s.judge(context.Background(), at, err)
	})
}

// readPooled reads the chains of one lookup over connections of the pool; tried is the
// shared one that has failed to, which was the first try.
func (s *Store) readPooled(ctx context.Context, r *reading, l *lookup, begun time.Time, tried *wire) {
	whole := ctx
	ctx, cancel := context.WithDeadline(ctx, begun.Add(s.cfg.ReadDeadline))
	defer cancel()
	s.name(r, l)
	s.ask(ctx, r, l, tried)
	if l.won {
		return
	}
	s.judge(whole, l.at, firstOf(l.errs))
	if isConnection(firstOf(l.errs)) {
		s.standIn(ctx, l.second, l, r.dst)
		return
	}
	s.readMoved(ctx, r, l, begun)
}

// readShared reads the chains of a lookup over a connection that many callers share,
// but not over avoid, and returns it; nil if there is none for it. The first such read
// of a lookup is hedged.
func (s *Store) readShared(ctx context.Context, r *reading, l *lookup, avoid *wire) *wire {
	if l.at.shared == nil {
		return nil
	}
	q := questions.Get().(*question)
	for n, i := range l.of {
		key := r.keys[i]
		q.command = s.layout.appendRead(q.command, l.buckets[n], r.of, key)
	}
	q.keys = len(l.of)
	w := l.at.shared.send(q, avoid)
	if w == nil {
		q.free()
		return nil
	}
	limit := min(s.cfg.ReadTimeout, s.cfg.ReadDeadline)
	var free bool
	var err error
	if avoid == nil {
		free, err = s.waitHedged(ctx, r, l, w, q, limit)
	} else {
		free, err = w.wait(ctx, q, limit)
	}
	switch {
	case l.won:
		return w
	case err != nil:
		l.fail(err)
	default:
		l.take(r, q.answer)
	}
	if free {
		q.free()
	}
	return w
}

// take decodes the answers to a lookup's reads, one behind the other.
func (l *lookup) take(r *reading, answers []byte) {
	l.errs = l.errs[:0]
	for _, i := range l.of {
		n := replyLength(answers)
		l.errs = append(l.errs, l.wanted.decode(answers[:n], r.dst, i, true))
		answers = answers[n:]
	}
}

// fail says that none of a lookup's keys has an answer.
func (l *lookup) fail(err error) {
	l.errs = l.errs[:0]
	for range l.of {
		l.errs = append(l.errs, err)
	}
}

// ask reads the chains of one lookup, as often as is configured; l.second is what a
// replica gives if one was asked meanwhile. tried is the shared connection over which the
// first try was made, and failed: the second is made over another one, if there is one,
// so that where all reads of one fail at once they need not all dial.
func (s *Store) ask(ctx context.Context, r *reading, l *lookup, tried *wire) {
	try, beside := ctx, false
	for attempt := 0; ; attempt++ {
		switch {
		case attempt == 0 && tried != nil:
		case attempt == 0:
			s.readHedged(try, r, l)
		case attempt == 1 && tried != nil && s.readShared(try, r, l, tried) != nil:
		default:
			s.readOnce(try, l.at.quick, l, r.dst, nil)
		}
		if l.won {
			return
		}
		first := firstOf(l.errs)
		s.noticed(first)
		if !isConnection(first) || ctx.Err() != nil {
			return
		}
		if l.second == nil {
			l.second = s.askReplica(ctx, r, l)
		}
		if l.second != nil && !beside {
			beside = true
			if l.second.within(ctx, firstWait) && l.second.whole() {
				return
			}
			var cancel context.CancelFunc
			try, cancel = sooner(ctx)
			defer cancel()
		}
		if attempt >= s.cfg.MaxRetries {
			return
		}
	}
}

// judge tells a shard's breaker whether it answered, or err. A caller that has left
// proves nothing, and neither does one that found no free connection.
func (s *Store) judge(ctx context.Context, at *shard, err error) {
	switch {
	case !isConnection(err):
		if at.breaker.answered() {
			s.log.Info("a shard answers again", "shard", at.String())
		}
	case ctx.Err() == nil && !errors.Is(err, goredis.ErrPoolTimeout) && !errors.Is(err, goredis.ErrPoolExhausted):
		if at.breaker.silent(time.Now()) {
			s.metrics.opened.Inc()
			s.log.Warn("a shard does not answer; reads of it are given up at once but for one in a while", "shard", at.String(), "err", err)
		}
	}
}

// readOnce asks for all chains of a lookup in one round trip, and reports whether the
// server had all of an extent when it answered; of none it is not asked.
func (s *Store) readOnce(ctx context.Context, from *goredis.Client, l *lookup, dst [][]feature.Record, of *extent) (covered bool) {
	all := &sink{b: make([]byte, 0, 256*len(l.names))}
	args := make([]any, 2*len(l.names))
	cmds := make([]*goredis.RawWriteToCmd, len(l.names))
	p := from.Pipeline()
	shown := newProofs(ctx, of)
	if shown != nil {
		_ = p.Process(ctx, shown.before)
	}
	for n := range l.names {
		args[2*n], args[2*n+1] = hgetall, &l.names[n]
		cmds[n] = goredis.NewRawWriteToCmd(ctx, all, args[2*n:2*n+2:2*n+2]...)
		_ = p.Process(ctx, cmds[n])
	}
	if shown != nil {
		_ = p.Process(ctx, shown.after)
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
		l.errs = append(l.errs, l.wanted.decode(answer, dst, l.of[n], false))
	}
	return shown.hold()
}

// hgetall is boxed once.
var hgetall any = "hgetall"

func errorOf(cmd goredis.Cmder, otherwise error) error {
	if err := cmd.Err(); err != nil {
		return err
	}
	return otherwise
}
