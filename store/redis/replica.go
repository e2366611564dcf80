package redis

import (
	"context"
	"time"

	"sluice/feature"
)

// replica is what a replica of a shard gave for a lookup: its keys are those of the
// lookup, in the same order.
type replica struct {
	lookup
	chains [][]feature.Record
}

// askReplica begins to read a lookup from a replica of its shard, and returns a
// function that waits for the answer and need not be called; nil if there is no
// replica.
func (s *Store) askReplica(ctx context.Context, r *reading, l *lookup) func() *replica {
	client := s.places.standIn(ctx, l.bucket, l.at)
	if client == nil {
		return nil
	}
	s.name(r, l)
	l.lent = true
	c := &replica{lookup{at: l.at, names: l.names, of: make([]int, len(l.of))}, make([][]feature.Record, len(l.of))}
	for n := range c.of {
		c.of[n] = n
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.readOnce(ctx, client, &c.lookup, c.chains)
	}()
	return func() *replica {
		<-done
		return c
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

// standIn takes from a replica the chains that have failed. One that is empty is not
// taken: a replica that has only begun to follow has no rows, and that is no answer.
func (l *lookup) standIn(answer func() *replica, dst [][]feature.Record) {
	if answer == nil {
		return
	}
	c := answer()
	l.copied = make([]bool, len(l.of))
	for n, err := range l.errs {
		if err != nil && c.errs[n] == nil && len(c.chains[n]) > 0 {
			dst[l.of[n]], l.copied[n] = c.chains[n], true
		}
	}
}
