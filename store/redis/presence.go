package redis

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"sluice/feature"
)

// ErrEmptied reports rows of a bucket that came back without what was written to it: its
// server was restarted empty or flushed. Nobody knows which rows there were until they
// are staged again.
var ErrEmptied = errors.New("the server lost its rows, and has not got them back yet")

// PresenceFunc says whose rows a store holds, in letters and digits, and whether its
// buckets have been marked as the owner's once: only then is a bucket without the mark one
// that was lost. An error is that nobody can say now.
type PresenceFunc func(ctx context.Context) (owner string, marked bool, err error)

const (
	presenceEvery = 200 * time.Millisecond
	presenceWhole = 25 // so many looks are at one bucket of each shard, and the next at all
	presenceAsk   = 5  // looks between two questions whether the buckets have been marked
)

// What the mark of a bucket says but for its owner.
const (
	stateRestoring  = "restoring"  // its rows are being staged again, and then the restore's token
	stateIncomplete = "incomplete" // they were, but for some that the log no longer holds
)

// Presence is what the marks of a store's buckets say; each list rises.
type Presence struct {
	Whole      []uint8 // they have the rows that were written to them
	Absent     []uint8 // they have lost them, or never had any
	Restoring  []uint8 // rows of theirs are being staged again, or that was cut short
	Incomplete []uint8 // those that the log still held were
	Foreign    []uint8 // they are marked as another installation's
}

// Lost lists the buckets whose rows have to be staged again.
func (p *Presence) Lost() []uint8 {
	lost := slices.Concat(p.Absent, p.Restoring)
	slices.Sort(lost)
	return lost
}

// add puts a bucket where its mark says; absent is that there is none.
func (p *Presence) add(bucket uint8, mark string, absent bool, owner string) {
	word, rest, _ := strings.Cut(mark, " ")
	by, _, _ := strings.Cut(rest, " ")
	list := &p.Foreign
	switch {
	case absent:
		list = &p.Absent
	case mark == owner:
		list = &p.Whole
	case word == stateRestoring && by == owner:
		list = &p.Restoring
	case word == stateIncomplete && by == owner:
		list = &p.Incomplete
	}
	*list = append(*list, bucket)
}

// BucketOf returns the bucket of an entity, of Buckets.
func BucketOf(key feature.Key) uint8 { return bucketOf(key) }

// Buckets is how many buckets a store has.
const Buckets = buckets

// Presence asks every bucket for its mark.
func (s *Store) Presence(ctx context.Context, owner string) (p Presence, err error) {
	leave, err := s.enter(ctx)
	if err == nil {
		defer leave()
		var cmds [buckets]*goredis.StringCmd
		if err = s.marked(ctx, anyBucket, func(b uint8) goredis.Cmder {
			cmds[b] = goredis.NewStringCmd(ctx, "get", s.layout.presence(b))
			return cmds[b]
		}); err == nil {
			for b, cmd := range cmds {
				p.add(uint8(b), cmd.Val(), errors.Is(cmd.Err(), goredis.Nil), owner)
			}
		}
	}
	if err != nil {
		return Presence{}, fmt.Errorf("ask the buckets whose rows they hold: %w", err)
	}
	return p, nil
}

// MarkPresent marks buckets that have no mark as the owner's: what is there is all that
// was ever written to them.
func (s *Store) MarkPresent(ctx context.Context, owner string, of []uint8) error {
	return s.mark(ctx, of, "mark buckets", func(b uint8) goredis.Cmder {
		return goredis.NewStatusCmd(ctx, "set", s.layout.presence(b), owner, "nx")
	})
}

// BeginRestore marks buckets as ones whose rows are being staged again, by whoever has the
// token. Readers go on not to rely on them.
func (s *Store) BeginRestore(ctx context.Context, owner, token string, of []uint8) error {
	return s.mark(ctx, of, "begin to restore buckets", func(b uint8) goredis.Cmder {
		return goredis.NewStatusCmd(ctx, "set", s.layout.presence(b), restoring(owner, token))
	})
}

// EndRestore marks buckets as the owner's whose rows were staged again: all of them, or,
// if not complete, all that could be. left are those that were emptied once more
// meanwhile, or that somebody else restores: their marks stay as they are, and they have to
// be restored again.
func (s *Store) EndRestore(ctx context.Context, owner, token string, complete bool, of []uint8) (left []uint8, err error) {
	mark := owner
	if !complete {
		mark = stateIncomplete + " " + owner
	}
	var cmds [buckets]*goredis.Cmd
	err = s.mark(ctx, of, "end the restore of buckets", func(b uint8) goredis.Cmder {
		cmds[b] = function(ctx, turnFunc, []any{s.layout.presence(b)}, restoring(owner, token), mark)
		return cmds[b]
	})
	for _, b := range of {
		if err == nil && cmds[b].Val() != int64(1) {
			left = append(left, b)
		}
	}
	return left, err
}

func restoring(owner, token string) string { return stateRestoring + " " + owner + " " + token }

// mark runs a command for each of some buckets.
func (s *Store) mark(ctx context.Context, of []uint8, what string, command func(bucket uint8) goredis.Cmder) error {
	leave, err := s.enter(ctx)
	if err == nil {
		defer leave()
		var set bucketSet
		for _, b := range of {
			set[b] = true
		}
		err = s.marked(ctx, set, command)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// marked runs a command for each bucket of a set, on every shard at once; that there was
// nothing is no error.
func (s *Store) marked(ctx context.Context, set bucketSet, command func(bucket uint8) goredis.Cmder) error {
	batches := map[*shard][]goredis.Cmder{}
	for b, in := range set {
		if !in {
			continue
		}
		at, err := s.places.of(ctx, uint8(b))
		if err != nil {
			return err
		}
		batches[at] = append(batches[at], command(uint8(b)))
	}
	shards := slices.Collect(maps.Keys(batches))
	return s.everywhere(ctx, shards, func(ctx context.Context, at *shard) error {
		s.exec(ctx, at, batches[at])
		for _, cmd := range batches[at] {
			if err := cmd.Err(); err != nil && !errors.Is(err, goredis.Nil) {
				return err
			}
		}
		return nil
	})
}

// Emptied says in words which of the store's buckets have lost their rows, as far as this
// process knows; nil if none have.
func (s *Store) Emptied() error {
	absent := s.absent.Load()
	if absent == nil {
		return nil
	}
	return fmt.Errorf("%d of %d buckets: %w: the gate stages them again from the log, see its log and the runbook at SluiceRowsLost", absent.count(), buckets, ErrEmptied)
}

func (set *bucketSet) count() (n int) {
	for _, in := range set {
		if in {
			n++
		}
	}
	return n
}

// doubt makes of what was read in buckets that have lost their rows what is known: nothing
// of an entity without records, and of the others that they may lack the newest. A server
// that is restarted breaks its connections: over new ones an entity without records is
// taken for one that does not exist only once the marks were looked at.
func (s *Store) doubt(ctx context.Context, r *reading) {
	absent, unknown, owner := s.absent.Load(), s.unknown.Load(), s.owner.Load()
	unsure := owner != nil && s.dialed.Load() >= s.sound.Load()
	if absent == nil && unknown == nil && !unsure {
		return
	}
	for _, l := range r.lookups {
		if absent != nil {
			l.doubt(r.dst, absent, false)
		}
		if unknown != nil {
			l.doubt(r.dst, unknown, true)
		}
		if asked := l.nobody(r.dst); unsure && asked != nil {
			lost := &bucketSet{}
			for b, there := range s.presence(ctx, l.at, *asked, *owner) {
				lost[b] = !there
			}
			l.doubt(r.dst, lost, true)
		}
	}
}

// doubt does so for what was read of one shard; only those without records, or all.
func (l *lookup) doubt(dst [][]feature.Record, lost *bucketSet, empty bool) {
	for n, b := range l.buckets {
		if !lost[b] || l.errs[n] != nil {
			continue
		}
		none := l.wanted.none(dst, l.of[n])
		if empty && !none {
			continue
		}
		l.errs[n] = ErrEmptied
		if !none {
			if l.copied == nil {
				l.copied = make([]bool, len(l.of))
			}
			l.copied[n] = true
		}
	}
}

// nobody returns the buckets of entities without records; nil if there are none.
func (l *lookup) nobody(dst [][]feature.Record) (set *bucketSet) {
	for n, b := range l.buckets {
		if l.errs[n] == nil && l.wanted.none(dst, l.of[n]) {
			if set == nil {
				set = &bucketSet{}
			}
			set[b] = true
		}
	}
	return set
}

// anyBucket is all of them.
var anyBucket = func() (set bucketSet) {
	for b := range set {
		set[b] = true
	}
	return set
}()

// redialed notes that there is a new connection.
func (s *Store) redialed() { s.dialed.Store(time.Now().UnixNano()) }

// watchPresence looks whether the buckets have the rows that were written to them, until
// ctx ends.
func (s *Store) watchPresence(ctx context.Context, ask PresenceFunc) {
	w := &presenceWatch{store: s, ask: ask, sets: map[*shard]bucketSet{}}
	tick := time.NewTicker(presenceEvery)
	defer tick.Stop()
	for {
		w.look(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// presenceWatch is what is known of a store's marks.
type presenceWatch struct {
	store  *Store
	ask    PresenceFunc
	owner  string
	marked bool // the buckets were marked once
	turn   int
	sets   map[*shard]bucketSet // as of the last look
	absent bucketSet            // those without the owner's mark

	unknown bucketSet // those that have not been asked yet since the process started
}

// look is one look: at one bucket of each shard, since what empties a server empties all
// of it, or at all of those of which more is to be known.
func (w *presenceWatch) look(ctx context.Context) {
	turn := w.turn
	w.turn++
	if !w.marked {
		if turn%presenceAsk != 0 {
			return
		}
		owner, marked, err := w.ask(ctx)
		if err != nil {
			w.turn = 0 // at the next look again
			return
		}
		if !marked {
			w.store.unknown.Store(nil) // nor need it be known when they are: that is a matter of a moment
			return
		}
		w.owner, w.marked = owner, true
		if unknown := w.store.unknown.Load(); unknown != nil {
			w.unknown = *unknown
		}
		w.store.owner.Store(&owner)
	}
	begun, silent := time.Now(), false
	sets, before := w.store.bucketSets(ctx), w.absent
	var mu sync.Mutex
	var group sync.WaitGroup
	for at, set := range sets {
		some := *set
		if known, ok := w.sets[at]; ok && known == *set && turn%presenceWhole != 0 && !set.meets(&before) {
			some = set.nth(turn)
		}
		w.sets[at] = *set
		group.Go(func() {
			found := w.store.presence(ctx, at, some, w.owner)
			if some != *set && slices.Contains(slices.Collect(maps.Values(found)), false) {
				found = w.store.presence(ctx, at, *set, w.owner)
			}
			mu.Lock()
			defer mu.Unlock()
			silent = silent || len(found) == 0
			for b, there := range found {
				w.absent[b], w.unknown[b] = !there, false
			}
		})
	}
	group.Wait()
	w.tell()
	if !silent && len(sets) > 0 {
		w.store.sound.Store(begun.UnixNano())
	}
}

// presence reports of the buckets of a shard whether they have the owner's mark. One that
// cannot be asked is left out.
func (s *Store) presence(ctx context.Context, at *shard, of bucketSet, owner string) map[uint8]bool {
	ctx, cancel := context.WithTimeout(ctx, max(s.cfg.ReadDeadline, presenceEvery))
	defer cancel()
	p := at.quick.Pipeline()
	cmds := map[uint8]*goredis.StringCmd{}
	for b, in := range of {
		if in {
			cmds[uint8(b)] = p.Get(ctx, s.layout.presence(uint8(b)))
		}
	}
	_, failed := p.Exec(ctx) // each has its own error
	found := map[uint8]bool{}
	for b, cmd := range cmds {
		switch err := cmd.Err(); {
		case errors.Is(err, goredis.Nil):
			found[b] = false
		case err == nil && (failed == nil || errors.Is(failed, goredis.Nil)):
			found[b] = cmd.Val() == owner
		}
	}
	return found
}

// tell puts what is known in force, and says in the log when rows are lost, and back.
func (w *presenceWatch) tell() {
	n, was := w.absent.count(), w.store.absent.Load()
	w.store.absent.Store(w.absent.orNil())
	w.store.unknown.Store(w.unknown.orNil())
	w.store.metrics.absent.Set(float64(n) / buckets)
	switch {
	case n > 0 && was == nil:
		w.store.log.Error("row store: servers have lost rows; until they are staged again reads say that they cannot be read, or are flagged stale", "buckets", n, "of", buckets)
	case n == 0 && was != nil:
		w.store.log.Info("row store: the rows that servers had lost are back")
	}
}

// orNil returns a copy of a set; nil of one without buckets.
func (set bucketSet) orNil() *bucketSet {
	if set.count() == 0 {
		return nil
	}
	return &set
}

// meets reports whether two sets have a bucket in common.
func (set *bucketSet) meets(other *bucketSet) bool {
	for b, in := range set {
		if in && other[b] {
			return true
		}
	}
	return false
}

// nth returns one of the buckets of a set, in turns.
func (set *bucketSet) nth(turn int) (one bucketSet) {
	skip := turn % max(1, set.count())
	for b, in := range set {
		if !in {
			continue
		}
		if skip == 0 {
			one[b] = true
			return one
		}
		skip--
	}
	return one
}
