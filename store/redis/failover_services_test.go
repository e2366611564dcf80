//go:build services

package redis_test

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"
	goredis "github.com/redis/go-redis/v9"

	"sluice/feature"
	"sluice/store/redis"
	"sluice/store/storetest"
)

// watched is a primary, a replica and a Sentinel of the test's own.
type watched struct {
	primary, replica *node
	config           redis.Config
}

func startWatched(t *testing.T) *watched {
	t.Helper()
	p := programOf(t, oneServer(t).admin.(*goredis.Client))
	w := &watched{primary: p.redis(t)}
	host, port, _ := net.SplitHostPort(w.primary.addr)
	w.replica = p.redis(t, "--replicaof", host+" "+port)
	w.synced(t)
	sentinel := p.sentinel(t, w.primary)
	eventually(t, func() error { // it learns of the replica from the primary
		replicas := goredis.NewMapStringStringSliceCmd(t.Context(), "sentinel", "replicas", "main")
		err := sentinel.Process(t.Context(), replicas)
		if err == nil && (len(replicas.Val()) != 1 || replicas.Val()[0]["flags"] != "slave") {
			err = fmt.Errorf("the Sentinel does not know the replica yet: %v", replicas.Val())
		}
		return err
	})
	w.config = patient()
	w.config.Addrs, w.config.MasterName = []string{sentinel.addr}, "main"
	return w
}

func (w *watched) synced(t testing.TB) {
	t.Helper()
	eventually(t, func() error {
		if state := infoOf(t, w.replica.Client, "replication", "master_link_status"); state != "up" {
			return fmt.Errorf("the replica's link is %s", state)
		}
		return nil
	})
}

// failover kills the primary and waits until the replica has taken over.
func (w *watched) failover(t testing.TB) {
	t.Helper()
	w.primary.kill()
	if err := syscall.Kill(w.replica.cmd.Process.Pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		if role := infoOf(t, w.replica.Client, "replication", "role"); role != "master" {
			return fmt.Errorf("the replica is still a %s", role)
		}
		return nil
	})
}

func TestRowsSentinel(t *testing.T) {
	w := startWatched(t)
	prefixes := map[string]string{}
	storetest.Rows(t, func(t testing.TB, dir string) storetest.RowStore {
		if prefixes[dir] == "" {
			prefixes[dir] = fmt.Sprintf("t%d:", len(prefixes))
		}
		c := w.config
		c.Prefix = prefixes[dir]
		return open(t, c)
	})
}

// padding makes the rows that a lagging replica misses more than the kernel keeps for
// it in the sockets' buffers: what is there arrives even after the primary is dead.
var padding = strings.Repeat("x", 6000)

// logged is a log of writes.
func logged(from, to int) []feature.Row {
	rows := make([]feature.Row, 0, to-from)
	for i := from; i < to; i++ {
		at := int64(i - i*7%50) // out of order
		rows = append(rows, feature.Row{
			Key:    feature.Key(key(i * 31 % 700)),
			Record: feature.Record{EventTime: at, Seq: uint64(i), Row: fmt.Appendf(nil, "row %d %s", i, padding)},
		})
	}
	return rows
}

// wrong counts the entities that do not have the newest row of the log up to end.
func wrong(t *testing.T, s *redis.Store, end int) (n int) {
	t.Helper()
	want := map[feature.Key]feature.Record{}
	for _, r := range logged(0, end) {
		if old, ok := want[r.Key]; !ok || r.Record.Newer(old) {
			want[r.Key] = r.Record
		}
	}
	var keys []feature.Key
	for k := range want {
		keys = append(keys, k)
	}
	chains, err := s.Read(t.Context(), 1, keys, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, k := range keys {
		if len(chains[i]) != 1 || chains[i][0].Seq != want[k].Seq || string(chains[i][0].Row) != string(want[k].Row) {
			n++
		}
	}
	return n
}

// writer stages the log as a tap does: batch by batch, with marks.
type writer struct {
	t    *testing.T
	s    *redis.Store
	next int // everything below is acknowledged
}

const step = 200

func (w *writer) stage(batches int) error {
	for range batches {
		rows := logged(w.next, w.next+step)
		if _, err := w.s.StageMarked(w.t.Context(), 1, 1, rows, "topic/0", int64(w.next+step)); err != nil {
			return err
		}
		w.next += step
	}
	return nil
}

// recover rewinds to where Lost says, and reports how far.
func (w *writer) recover() (back int, lost bool) {
	w.t.Helper()
	rewind, lost, err := w.s.Lost(w.t.Context(), "topic/0", int64(w.next))
	if err != nil {
		w.t.Fatal(err)
	}
	back = w.next - int(rewind)
	w.next = int(rewind)
	return back, lost
}

// TestFailover kills a primary whose replica lags behind: rows that were acknowledged
// are lost then, which has to be found, whether one asks or goes on writing, and
// healed from the offset that is found.
func TestFailover(t *testing.T) {
	for name, tc := range map[string]struct {
		lag bool
		ask bool // first, before writing on
	}{
		"replica lags, then asks":      {lag: true, ask: true},
		"replica lags, then writes on": {lag: true},
		"replica is up to date":        {ask: true},
	} {
		t.Run(name, func(t *testing.T) {
			at := startWatched(t)
			w := &writer{t: t, s: open(t, at.config)}
			w.s.Own("topic/0", 0)
			mustStage(t, w, 50)
			eventually(t, func() error { return sameOffset(t, at) })
			if tc.lag {
				freeze(t, at.replica.cmd.Process.Pid)
				mustStage(t, w, 20)
			}
			if n := wrong(t, w.s, w.next); n != 0 {
				t.Fatalf("%d entities are wrong before the failover", n)
			}
			at.failover(t)
			var missing int
			eventually(t, func() error { // connections to the dead primary are found out
				_, err := w.s.Read(t.Context(), 1, []feature.Key{"x"}, nil)
				return err
			})
			missing = wrong(t, w.s, w.next)
			if tc.lag != (missing > 0) {
				t.Fatalf("%d entities are wrong after the failover, lag %t: the test proves nothing", missing, tc.lag)
			}
			if !tc.ask {
				if err := w.stage(1); !errors.Is(err, redis.ErrLost) {
					t.Fatalf("StageMarked after rows were lost = %v, want %v", err, redis.ErrLost)
				}
			}
			back, lost := w.recover()
			if lost != tc.lag || tc.lag && (back < step || back > 25*step) || !tc.lag && back != 0 {
				t.Fatalf("Lost gave %t, %d offsets back, want %t and at most %d", lost, back, tc.lag, 25*step)
			}
			mustStage(t, w, 40)
			if n := wrong(t, w.s, w.next); n != 0 {
				t.Errorf("%d entities are wrong after the rows were staged again", n)
			}
			if back, lost := w.recover(); lost || back != 0 {
				t.Errorf("Lost after all was healed = %d offsets back, %t, want nothing", back, lost)
			}
		})
	}
}

// TestFailoverInsideCall loses the end of a single call, all of whose rows are in one
// bucket: what arrived of it must not pass for the whole.
func TestFailoverInsideCall(t *testing.T) {
	at := startWatched(t)
	s := open(t, at.config)
	s.Own("topic/0", 100)
	var rows []feature.Row
	for i := 0; len(rows) < 4000; i++ {
		if k := key(i); xxhash.Sum64String(k)%128 == 5 {
			rows = append(rows, feature.Row{Key: feature.Key(k), Record: feature.Record{EventTime: 1, Seq: uint64(100 + len(rows)), Row: []byte(padding)}})
		}
	}
	if _, err := s.StageMarked(t.Context(), 1, 1, rows[:1000], "topic/0", 1100); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error { return sameOffset(t, at) })
	freeze(t, at.replica.cmd.Process.Pid)
	if _, err := s.StageMarked(t.Context(), 1, 1, rows[1000:], "topic/0", 4100); err != nil {
		t.Fatal(err)
	}
	at.failover(t)
	var there uint64
	eventually(t, func() (err error) {
		there, _, err = s.Stat(t.Context(), 1, 1)
		return err
	})
	if there <= 1000 || there >= 4000 {
		t.Fatalf("%d rows are there after the failover, want a part of the last 3000: the test proves nothing", there)
	}
	rewind, lost, err := s.Lost(t.Context(), "topic/0", 4100)
	if rewind != 1100 || !lost || err != nil {
		t.Errorf("Lost with %d of 4000 rows there = %d, %t, %v, want 1100 and lost", there, rewind, lost, err)
	}
}

func mustStage(t *testing.T, w *writer, batches int) {
	t.Helper()
	if err := w.stage(batches); err != nil {
		t.Fatal(err)
	}
}

// sameOffset is an error while the replica has not everything.
func sameOffset(t testing.TB, at *watched) error {
	if a, b := infoOf(t, at.primary.Client, "replication", "master_repl_offset"), infoOf(t, at.replica.Client, "replication", "slave_repl_offset"); a != b {
		return fmt.Errorf("the primary is at %s, the replica at %s", a, b)
	}
	return nil
}

// TestSync checks that Sync waits for a replica.
func TestSync(t *testing.T) {
	at := startWatched(t)
	at.config.SyncReplicas, at.config.SyncTimeout = 1, 10*time.Second
	s := open(t, at.config)
	at.config.SyncTimeout = 100 * time.Millisecond
	hasty := open(t, at.config)
	if _, err := s.Stage(t.Context(), 1, 1, logged(0, 100)); err != nil {
		t.Fatal(err)
	}
	if err := s.Sync(t.Context()); err != nil {
		t.Fatalf("Sync with a replica = %v", err)
	}
	freeze(t, at.replica.cmd.Process.Pid)
	if _, err := s.Stage(t.Context(), 1, 1, logged(100, 200)); err != nil {
		t.Fatal(err)
	}
	if err := hasty.Sync(t.Context()); err == nil || !strings.Contains(err.Error(), "0 of 1 replicas") {
		t.Errorf("Sync with a frozen replica = %v, want that none of 1 has the rows", err)
	}
}

// TestOwners checks that a writer that was replaced is refused.
func TestOwners(t *testing.T) {
	both(t, func(t *testing.T, on *server) {
		c := on.prefix(t)
		first, second := open(t, c), open(t, c)
		if _, err := first.StageMarked(t.Context(), 1, 1, logged(0, 700), "topic/0", 700); !errors.Is(err, redis.ErrUnowned) {
			t.Fatalf("StageMarked without Own = %v, want %v", err, redis.ErrUnowned)
		}
		first.Own("topic/0", 0)
		if _, err := first.StageMarked(t.Context(), 1, 1, logged(0, 700), "topic/0", 700); err != nil {
			t.Fatal(err)
		}
		second.Own("topic/0", 700)
		if _, err := second.StageMarked(t.Context(), 1, 1, logged(700, 1400), "topic/0", 1400); err != nil {
			t.Fatal(err)
		}
		if _, err := first.StageMarked(t.Context(), 1, 1, logged(700, 1400), "topic/0", 700); !errors.Is(err, redis.ErrLost) {
			t.Errorf("StageMarked of the former owner = %v, want %v", err, redis.ErrLost)
		}
		if rewind, lost, err := second.Lost(t.Context(), "topic/0", 1400); rewind != 1400 || lost || err != nil {
			t.Errorf("Lost of the owner = %d, %t, %v, want nothing lost", rewind, lost, err)
		}
		on.clear(t, c.Prefix)
		if rewind, lost, err := second.Lost(t.Context(), "topic/0", 1400); rewind != 0 || !lost || err != nil {
			t.Errorf("Lost after all data went = %d, %t, %v, want 0 and lost", rewind, lost, err)
		}
	})
}
