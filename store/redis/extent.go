package redis

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// surveyEvery is the time between two looks at how far the primaries have come.
const surveyEvery = 200 * time.Millisecond

// extent is what a primary had at a moment: all of its history up to an offset. A
// replica that has come as far in the same history lacks nothing that the primary had
// applied by then.
type extent struct {
	history string // replication id
	offset  int64
	at      time.Time  // no later than the moment
	of      *bucketSet // the buckets that the primary had by then; of one that moved to it later it says nothing
}

type bucketSet [buckets]bool

// survey looks at how far the primaries have come, until ctx ends.
func (s *Store) survey(ctx context.Context) {
	tick := time.NewTicker(surveyEvery)
	defer tick.Stop()
	for {
		s.surveyAll(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// surveyAll looks at every primary that has buckets, at once, and sees to it that their
// replicas are connected to.
func (s *Store) surveyAll(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, surveyEvery)
	defer cancel()
	sets := s.bucketSets(ctx)
	primaries := slices.Collect(maps.Keys(sets))
	for _, at := range primaries {
		at.heard.CompareAndSwap(0, time.Now().UnixNano())
	}
	if len(primaries) > 0 {
		s.surveyed.Store(&primaries)
	}
	var group sync.WaitGroup
	for at, set := range sets {
		b := uint8(slices.Index(set[:], true))
		_ = s.places.standIn(ctx, b, at) // so that there are connections to it before they are needed
		group.Go(func() {
			asked := time.Now()
			e, err := s.look(ctx, at, b)
			if err == nil {
				e.of = set
				at.extent.Store(e)
			} // else what was known holds: it was true then
			if !isConnection(err) {
				at.heard.Store(asked.UnixNano())
			}
		})
	}
	group.Wait()
}

// bucketSets returns which buckets each primary has, but for those of which nobody says
// where they are.
func (s *Store) bucketSets(ctx context.Context) map[*shard]*bucketSet {
	sets := map[*shard]*bucketSet{}
	for b := range buckets {
		at, err := s.places.of(ctx, uint8(b))
		if err != nil {
			continue
		}
		if sets[at] == nil {
			sets[at] = &bucketSet{}
		}
		sets[at][b] = true
	}
	return sets
}

// errNotPrimary reports a server that is none, or none of the keys asked for.
var errNotPrimary = errors.New("not the primary of the keys")

// look asks a primary how far it has come. Behind it goes a read of a key of the
// bucket: a server that the Cluster has cut off knows an offset, but answers no reads.
func (s *Store) look(ctx context.Context, at *shard, bucket uint8) (*extent, error) {
	asked := time.Now()
	p := at.quick.Pipeline()
	info := p.Info(ctx, "replication")
	p.Exists(ctx, s.layout.marks(bucket))
	if _, err := p.Exec(ctx); err != nil {
		return nil, err
	}
	if infoField(info.Val(), "role") != "master" {
		return nil, errNotPrimary
	}
	offset, err := strconv.ParseInt(infoField(info.Val(), "master_repl_offset"), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("offset of the primary: %w", err)
	}
	return &extent{history: infoField(info.Val(), "master_replid"), offset: offset, at: asked}, nil
}

// shows reports whether what was written to a bucket by whole, which is zero if that is not
// known, is part of e.
func (e *extent) shows(bucket uint8, whole time.Time) bool {
	return e != nil && !whole.IsZero() && !e.at.Before(whole) && e.of[bucket]
}

// coveredBy reports whether the server of an INFO replication has all of e: a replica
// that follows the same history and has applied as much of it, or one that was made a
// primary after it had.
func (e *extent) coveredBy(info string) bool {
	if e == nil || len(e.history) != 40 {
		return false
	}
	id, offset, until := "master_replid", "slave_repl_offset", int64(0)
	if infoField(info, "role") == "master" {
		// Its former history counts up to the offset from which its own goes on.
		id, offset, until = "master_replid2", "second_repl_offset", 1
	}
	n, err := strconv.ParseInt(infoField(info, offset), 10, 64)
	return err == nil && infoField(info, id) == e.history && n-until >= e.offset
}

// proofs are questions of a server before and behind reads of it in the same round trip.
// A nil proofs asks nothing.
type proofs struct {
	of            *extent
	before, after *goredis.StringCmd
}

func newProofs(ctx context.Context, of *extent) *proofs {
	if of == nil {
		return nil
	}
	ask := func() *goredis.StringCmd { return goredis.NewStringCmd(ctx, "info", "replication") }
	return &proofs{of, ask(), ask()}
}

// hold reports whether the server had all of the extent at the first question, and was
// in the same history at the second: in between it has only moved on.
func (p *proofs) hold() bool {
	return p != nil && p.of.coveredBy(p.before.Val()) && p.of.coveredBy(p.after.Val())
}
