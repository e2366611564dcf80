//go:build services

package redis_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"sluice/feature"
	"sluice/store/redis"
)

const installation = "me"

// watching is a store that looks whether its buckets have their rows.
type watching struct {
	*redis.Store
	marked atomic.Bool // the registry says that they were marked
	told   atomic.Bool // and has been asked
}

func watch(t testing.TB, c redis.Config) *watching {
	t.Helper()
	w := &watching{}
	var err error
	w.Store, err = redis.Open(context.Background(), redis.Options{Config: c, Presence: func(context.Context) (string, bool, error) {
		marked := w.marked.Load()
		w.told.Store(marked)
		return installation, marked, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

// mark marks all buckets, as the gate does.
func (w *watching) mark(t testing.TB) {
	t.Helper()
	if err := w.MarkPresent(t.Context(), installation, every()); err != nil {
		t.Fatal(err)
	}
	w.marked.Store(true)
	eventually(t, func() error { return unless(w.told.Load()) })
}

func every() (all []uint8) {
	for b := range redis.Buckets {
		all = append(all, uint8(b))
	}
	return all
}

func (w *watching) presence(t *testing.T) redis.Presence {
	t.Helper()
	p, err := w.Presence(t.Context(), installation)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// emptied waits until the store knows that it has lost rows, or has all of them.
func (w *watching) emptied(t *testing.T, want bool) {
	t.Helper()
	eventually(t, func() error {
		if err := w.Emptied(); (err != nil) != want {
			return fmt.Errorf("the store says %v, want that rows are lost: %t", err, want)
		}
		return nil
	})
}

// states counts keys by what a reader makes of them: those that have rows, those that a
// reader takes for entities that do not exist, those of which nothing is known, and those
// whose rows may be old.
func (w *watching) states(t *testing.T, keys []feature.Key) (there, nobody, unread, behind int) {
	t.Helper()
	chains, err := w.ReadWhole(t.Context(), 1, keys, time.Time{}, nil)
	var partial *redis.PartialError
	if err != nil && !errors.As(err, &partial) {
		t.Fatal(err)
	}
	failed := map[int]bool{}
	if partial != nil {
		unread, behind = len(partial.Failed), len(partial.Behind)
		for _, i := range append(partial.Failed, partial.Behind...) {
			failed[i] = true
		}
	}
	for i, chain := range chains {
		switch {
		case failed[i]:
		case len(chain) > 0:
			there++
		default:
			nobody++
		}
	}
	return there, nobody, unread, behind
}

// TestPresence loses the rows of a store, or of one primary of a Cluster, and gets them
// back: what a reader may take for an entity that does not exist at each step.
func TestPresence(t *testing.T) {
	both(t, func(t *testing.T, on *server) {
		c := on.prefix(t)
		w := watch(t, c)
		rows := batch(0, 300, 1)
		if _, err := w.Stage(t.Context(), 1, 1, rows); err != nil {
			t.Fatal(err)
		}
		keys := append(keysOf(rows), "nobody")
		if there, nobody, _, _ := w.states(t, keys); there != 300 || nobody != 1 {
			t.Fatalf("a store without marks: %d rows and %d entities that do not exist, want 300 and 1", there, nobody)
		}
		w.mark(t)
		if p := w.presence(t); len(p.Whole) != redis.Buckets {
			t.Fatalf("marked: %+v, want all buckets whole", p)
		}
		on.clear(t, c.Prefix)
		w.emptied(t, true)
		eventually(t, func() error { // each primary of a Cluster is looked at for itself
			if there, nobody, unread, behind := w.states(t, keys); there+nobody+behind != 0 || unread != 301 {
				return fmt.Errorf("emptied: %d rows, %d entities that do not exist, %d behind, %d unread, want 301 unread", there, nobody, behind, unread)
			}
			return nil
		})
		if chains, err := w.Read(t.Context(), 1, keys[:1], nil); err != nil || len(chains[0]) != 0 {
			t.Errorf("Read, for who compares with the log = %v, %v, want nothing", chains, err)
		}
		marks := w.presence(t)
		lost := marks.Lost()
		if err := w.BeginRestore(t.Context(), installation, "first", lost); err != nil || len(lost) != redis.Buckets {
			t.Fatalf("%d buckets lost, %v, want all", len(lost), err)
		}
		if _, err := w.Stage(t.Context(), 1, 1, rows[:100]); err != nil {
			t.Fatal(err)
		}
		if there, nobody, unread, behind := w.states(t, keys); there+nobody != 0 || behind != 100 || unread != 201 {
			t.Errorf("while it is restored: %d rows, %d entities that do not exist, %d behind, %d unread, want 100 behind and 201 unread", there, nobody, behind, unread)
		}
		on.clear(t, c.Prefix) // again
		if left, err := w.EndRestore(t.Context(), installation, "first", true, lost); err != nil || len(left) != redis.Buckets {
			t.Errorf("EndRestore after all was lost again leaves %d buckets, %v, want all", len(left), err)
		}
		if err := w.BeginRestore(t.Context(), installation, "second", lost); err != nil {
			t.Fatal(err)
		}
		if left, err := w.EndRestore(t.Context(), installation, "first", true, lost[:1]); err != nil || len(left) != 1 {
			t.Errorf("EndRestore of another's restore leaves %d buckets, %v, want 1", len(left), err)
		}
		if p := w.presence(t); len(p.Restoring) != redis.Buckets {
			t.Errorf("another's restore was ended: %+v, want that it goes on in all buckets", p)
		}
		if _, err := w.Stage(t.Context(), 1, 1, rows); err != nil {
			t.Fatal(err)
		}
		if left, err := w.EndRestore(t.Context(), installation, "second", true, lost); err != nil || len(left) != 0 {
			t.Errorf("EndRestore leaves %d buckets, %v", len(left), err)
		}
		w.emptied(t, false)
		if there, nobody, _, _ := w.states(t, keys); there != 300 || nobody != 1 {
			t.Errorf("restored: %d rows and %d entities that do not exist, want 300 and 1", there, nobody)
		}
	})
}

// TestPresenceOfOneShard empties one primary of a Cluster: the entities of the others are
// read as ever, those that do not exist as well.
func TestPresenceOfOneShard(t *testing.T) {
	on := aCluster(t)
	c := on.prefix(t)
	w := watch(t, c)
	rows := batch(0, 300, 1)
	if _, err := w.Stage(t.Context(), 1, 1, rows); err != nil {
		t.Fatal(err)
	}
	w.mark(t)
	victim, err := on.admin.(*goredis.ClusterClient).MasterForKey(t.Context(), "0")
	if err != nil {
		t.Fatal(err)
	}
	iter := victim.Scan(t.Context(), 0, c.Prefix+"*", 1000).Iterator()
	for iter.Next(t.Context()) {
		if err := victim.Unlink(t.Context(), iter.Val()).Err(); err != nil {
			t.Fatal(err)
		}
	}
	w.emptied(t, true)
	marks := w.presence(t)
	lost := marks.Lost()
	if len(lost) == 0 || len(lost) == redis.Buckets {
		t.Fatalf("%d buckets lost, want those of one primary", len(lost))
	}
	of := map[uint8]bool{}
	for _, b := range lost {
		of[b] = true
	}
	gone := 0
	var strangers []feature.Key // that do not exist, in buckets that have their rows
	for i := range rows {
		if of[redis.BucketOf(rows[i].Key)] {
			gone++
		}
		if key := feature.Key(fmt.Sprint("stranger", i)); !of[redis.BucketOf(key)] {
			strangers = append(strangers, key)
		}
	}
	if there, nobody, unread, _ := w.states(t, append(keysOf(rows), strangers...)); there != 300-gone || unread != gone || nobody != len(strangers) {
		t.Errorf("%d rows, %d unread, %d entities that do not exist, want %d, %d, %d", there, unread, nobody, 300-gone, gone, len(strangers))
	}
}

// TestRestartedEmpty kills a server and starts it without its rows: no read after that
// takes an entity for one that does not exist.
func TestRestartedEmpty(t *testing.T) {
	n := programOf(t, oneServer(t).admin.(*goredis.Client)).redis(t)
	c := patient()
	c.Addrs = []string{n.addr}
	w := watch(t, c)
	rows := batch(0, 50, 1)
	if _, err := w.Stage(t.Context(), 1, 1, rows); err != nil {
		t.Fatal(err)
	}
	w.mark(t)
	n.kill()
	n.run(t)
	keys := append(keysOf(rows), "nobody")
	late := watch(t, c) // it knows only what the registry says
	late.marked.Store(true)
	for _, w := range []*watching{w, late} {
		eventually(t, func() error {
			if there, nobody, _, behind := w.states(t, keys); there+nobody+behind > 0 {
				t.Fatalf("%d rows, %d entities that do not exist, %d behind, want all unread", there, nobody, behind)
			}
			return unless(w.Emptied() != nil)
		})
	}
}

// unless is an error but where it is so.
func unless(so bool) error {
	if so {
		return nil
	}
	return errors.New("it is not so")
}

// TestFailoverKeepsMarks: a replica that takes over has the marks, and nothing is lost.
func TestFailoverKeepsMarks(t *testing.T) {
	at := startWatched(t)
	w := watch(t, at.config)
	rows := batch(0, 50, 1)
	if _, err := w.Stage(t.Context(), 1, 1, rows); err != nil {
		t.Fatal(err)
	}
	w.mark(t)
	eventually(t, func() error { return sameOffset(t, at) })
	at.failover(t)
	eventually(t, func() error {
		p, err := w.Presence(t.Context(), installation)
		if err == nil && len(p.Whole) != redis.Buckets {
			err = fmt.Errorf("%d buckets are whole, want all", len(p.Whole))
		}
		return err
	})
	if there, nobody, unread, behind := w.states(t, append(keysOf(rows), "nobody")); there != 50 || nobody != 1 || unread+behind != 0 {
		t.Errorf("%d rows, %d entities that do not exist, %d unread, %d behind, want 50 and 1", there, nobody, unread, behind)
	}
	if err := w.Emptied(); err != nil {
		t.Error(err)
	}
}

// TestScaleOut moves the slot of a bucket to another primary of a Cluster, key by key, and
// back: at no moment does the bucket look as if it had lost its rows.
func TestScaleOut(t *testing.T) {
	on := aCluster(t)
	c := on.prefix(t)
	w := watch(t, c)
	admin := on.admin.(*goredis.ClusterClient)
	var rows []feature.Row
	for _, r := range batch(0, 3000, 1) {
		if redis.BucketOf(r.Key) == 0 {
			rows = append(rows, r)
		}
	}
	if _, err := w.Stage(t.Context(), 1, 1, rows); err != nil {
		t.Fatal(err)
	}
	w.mark(t)
	const slot = 0 // of bucket 0
	check := func(when string) {
		t.Helper()
		p := w.presence(t)
		there, nobody, unread, behind := w.states(t, keysOf(rows))
		if err := w.Emptied(); err != nil || len(p.Whole) != redis.Buckets || there != len(rows) {
			t.Errorf("%s: %v, %d buckets whole, %d rows, %d entities that do not exist, %d unread, %d behind, want %d rows", when, err, len(p.Whole), there, nobody, unread, behind, len(rows))
		}
	}
	move := func(from, to *goredis.Client) {
		t.Helper()
		do := func(c *goredis.Client, args ...any) any {
			t.Helper()
			got, err := c.Do(t.Context(), args...).Result()
			if err != nil && !errors.Is(err, goredis.Nil) {
				t.Fatalf("%v: %v", args, err)
			}
			return got
		}
		fromID, toID := do(from, "cluster", "myid"), do(to, "cluster", "myid")
		do(to, "cluster", "setslot", slot, "importing", fromID)
		do(from, "cluster", "setslot", slot, "migrating", toID)
		check("before the first key")
		host, port, _ := net.SplitHostPort(to.Options().Addr)
		for n := 0; ; n++ {
			keys, err := from.ClusterGetKeysInSlot(t.Context(), slot, 1).Result()
			if err != nil {
				t.Fatal(err)
			}
			if len(keys) == 0 {
				break
			}
			do(from, "migrate", host, port, keys[0], 0, 5000)
			if n%10 == 0 {
				check(fmt.Sprintf("after %d keys", n+1))
			}
		}
		check("after the last key")
		do(to, "cluster", "setslot", slot, "node", toID)
		do(from, "cluster", "setslot", slot, "node", toID)
		check("in its new place")
	}
	var from, to *goredis.Client
	err := admin.ForEachMaster(t.Context(), func(ctx context.Context, c *goredis.Client) error {
		keys, err := c.ClusterGetKeysInSlot(ctx, slot, 1).Result()
		moving.Lock()
		defer moving.Unlock()
		if len(keys) > 0 {
			from = c
		} else {
			to = c
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	move(from, to)
	move(to, from)
}

// moving is held while the primaries of a Cluster are told apart.
var moving sync.Mutex
