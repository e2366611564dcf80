package redis

import (
	"context"
	"sync/atomic"
	"time"

	"sluice/feature"
)

// replica is what another goroutine reads for a lookup, as a rule from a replica of its
// shard: its keys are those of the lookup, in the same order. Until done is closed it is
// that goroutine's.
type replica struct {
	lookup
	chains [][]feature.Record
	done   chan struct{}
	exact  bool        // it has all that the caller may see
	left   atomic.Bool // nobody waits for it any more
}

// askReplica begins to read a lookup from a replica of its shard; nil if there is
// none.
func (s *Store) askReplica(ctx context.Context, r *reading, l *lookup) *replica {
	client := s.places.standIn(ctx, l.bucket, l.at)
	if client == nil {
		return nil
	}
	c := s.begin(r, l)
	known := l.at.extent.Load()
	if !known.shows(l.bucket, r.whole) {
		known = nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.ReadDeadline) // the caller need not wait for it
	s.asking.Go(func() {
		defer close(c.done)
		defer cancel()
		c.exact = s.readOnce(ctx, client, &c.lookup, c.chains, known)
	})
	return c
}

// whole reports whether c may be given as it is: it has answered for every key, and
// lacks nothing.
func (c *replica) whole() bool { return c.exact && firstOf(c.errs) == nil }

// within reports whether c is there in time.
func (c *replica) within(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-c.done:
		return true
	case <-ctx.Done():
	case <-timer.C:
	}
	select {
	case <-c.done: // at the same moment
		return true
	default:
		return false
	}
}

// sooner leaves half of the rest of a read's time to the replica, which has answered by
// then, and to the machine: the whole of it is what callers may see.
func sooner(ctx context.Context) (context.Context, context.CancelFunc) {
	end, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(end)/2)
}

// standIn waits for a replica and takes from it the chains that have failed. Unless it
// is shown to have everything they count as failed still, but as given by a replica; and
// one that is empty is not taken then: a replica that has only begun to follow has no
// rows, and that is no answer.
func (s *Store) standIn(ctx context.Context, c *replica, l *lookup, dst [][]feature.Record) {
	if c == nil {
		return
	}
	if !c.within(ctx, s.cfg.ReadDeadline) {
		return
	}
	exact, behind := 0, 0
	for n, err := range l.errs {
		switch {
		case err == nil || c.errs[n] != nil:
		case c.exact:
			l.wanted.take(dst, l.of[n], c.chains, &c.wanted, n)
			l.errs[n] = nil
			exact++
		case !c.wanted.none(c.chains, n):
			if l.copied == nil {
				l.copied = make([]bool, len(l.of))
			}
			l.wanted.take(dst, l.of[n], c.chains, &c.wanted, n)
			l.copied[n] = true
			behind++
		}
	}
	s.metrics.exact.Add(float64(exact))
	s.metrics.stale.Add(float64(behind))
}
