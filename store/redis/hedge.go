package redis

import (
	"context"
	"os"
	"runtime"
	"slices"
	"time"

	"sluice/feature"
)

// waitHedged is wire.wait for a lookup's first read, which asks a replica as well once
// the answer is late and the budget allows. If the replica is shown to have everything
// its answer is as good as the primary's: whichever is first is taken, and l.won says
// that it was the replica's. Otherwise the primary is waited for as long as without: no
// answer is worse for a hedge.
func (s *Store) waitHedged(ctx context.Context, r *reading, l *lookup, w *wire, q *question, limit time.Duration) (free bool, err error) {
	late := l.at.pace.late(limit)
	free, err = w.wait(ctx, q, late)
	if late >= limit || free || err != os.ErrDeadlineExceeded {
		return free, err
	}
	runtime.Gosched() // it may be this process that is late
	select {
	case err := <-q.done:
		return true, err
	default:
	}
	s.hedge(ctx, r, l)
	if l.second == nil {
		return w.wait(ctx, q, limit-late)
	}
	begun := time.Now()
	free, err = w.waitOr(ctx, q, limit-late, l.second.done)
	switch {
	case free:
		s.metrics.lost.Inc()
		return true, err
	case err != errOther:
		s.metrics.neither.Inc()
		return false, err
	case !l.second.whole():
		s.metrics.behind.Inc()
		return w.wait(ctx, q, limit-late-time.Since(begun))
	}
	s.win(ctx, r, l)
	if w.silent(time.Now()) >= limit {
		s.places.suspect()
		s.judge(ctx, l.at, os.ErrDeadlineExceeded)
	}
	return false, nil
}

// hedge asks a replica for a lookup whose answer is late, if there is one and the budget
// allows.
func (s *Store) hedge(ctx context.Context, r *reading, l *lookup) {
	switch {
	case s.places.standIn(ctx, l.bucket, l.at) == nil:
	case !s.budget.take(time.Now()):
		s.metrics.refused.Inc()
	default:
		l.second = s.askReplica(ctx, r, l)
	}
}

// win takes the answer of l.second, which is whole, in place of the primary's.
func (s *Store) win(ctx context.Context, r *reading, l *lookup) {
	s.metrics.won.Inc()
	l.won = true
	l.fail(os.ErrDeadlineExceeded)
	s.standIn(ctx, l.second, l, r.dst)
}

// readHedged is readOnce of the primary, over a connection of the pool, hedged as
// waitHedged is. The read goes on when its caller does not wait for it any more, and
// tells the breaker what became of it.
func (s *Store) readHedged(ctx context.Context, r *reading, l *lookup) {
	limit := min(s.cfg.ReadTimeout, s.cfg.ReadDeadline)
	if l.at.pace == nil || s.places.standIn(ctx, l.bucket, l.at) == nil {
		s.readOnce(ctx, l.at.quick, l, r.dst, nil)
		return
	}
	first := s.begin(r, l)
	s.asking.Go(func() {
		defer close(first.done)
		begun := time.Now()
		s.readOnce(ctx, l.at.quick, &first.lookup, first.chains, nil)
		if err := firstOf(first.errs); !isConnection(err) {
			first.at.pace.answered(int64(time.Since(begun)))
		} else if first.left.Load() {
			s.noticed(err)
			s.judge(context.Background(), first.at, err)
		}
	})
	if !first.within(ctx, l.at.pace.late(limit)) {
		s.hedge(ctx, r, l)
		if l.second != nil && s.race(ctx, first, l.second) {
			first.left.Store(true)
			s.win(ctx, r, l)
			return
		}
	}
	<-first.done
	l.errs = append(l.errs[:0], first.errs...)
	for n, i := range l.of {
		l.wanted.take(r.dst, i, first.chains, &first.wanted, n)
	}
}

// race reports whether second is there before first, and whole.
func (s *Store) race(ctx context.Context, first, second *replica) bool {
	select {
	case <-first.done:
		s.metrics.lost.Inc()
		return false
	case <-ctx.Done():
		s.metrics.neither.Inc()
		return false
	case <-second.done:
	}
	if !second.whole() {
		s.metrics.behind.Inc()
		return false
	}
	return true
}

// begin makes what a read of l in another goroutine answers to.
func (s *Store) begin(r *reading, l *lookup) *replica {
	s.name(r, l)
	l.lent = true
	views := slices.Clone(l.wanted.views) // it may outlive the call
	c := &replica{
		lookup: lookup{at: l.at, wanted: wanted{l.wanted.grouped, views, len(l.of)}, names: l.names, of: make([]int, len(l.of))},
		chains: make([][]feature.Record, len(views)*len(l.of)), done: make(chan struct{}),
	}
	for n := range c.of {
		c.of[n] = n
	}
	return c
}
