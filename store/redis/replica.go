package redis

import (
	"context"

	"sluice/feature"
)

// replica is what a replica of a shard gave for a lookup: its keys are those of the
// lookup, in the same order.
type replica struct {
	lookup
	chains [][]feature.Record
}

// askReplica begins to read a lookup from a replica of its shard, and returns a
// function that waits for the answer, which is nil if there is no replica. The
// function need not be called.
func (s *Store) askReplica(ctx context.Context, l *lookup) func() *replica {
	client := s.places.replica(ctx, l.bucket)
	if client == nil {
		return func() *replica { return nil }
	}
	c := &replica{lookup{at: l.at, keys: l.keys, of: make([]int, len(l.keys))}, make([][]feature.Record, len(l.keys))}
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

// standIn takes from a replica the chains that have failed. One that is empty is not
// taken: a replica that has only begun to follow has no rows, and that is no answer.
func (l *lookup) standIn(c *replica, dst [][]feature.Record) {
	if c == nil {
		return
	}
	l.copied = make([]bool, len(l.keys))
	for n, err := range l.errs {
		if err != nil && c.errs[n] == nil && len(c.chains[n]) > 0 {
			dst[l.of[n]], l.copied[n] = c.chains[n], true
		}
	}
}
