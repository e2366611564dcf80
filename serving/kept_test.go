package serving

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice/feature"
)

// TestKeptRollback lets a version be seen, kept, and taken off while the shard is
// lost: it must not be served, not even after its mark has been swept and the floor
// has passed it.
func TestKeptRollback(t *testing.T) {
	for name, tc := range map[string]struct {
		next []feature.Vector // after {Floor: 1, Visible: [2]}
		gone bool
	}{
		"certified":             {[]feature.Vector{{Generation: 5, Floor: 2}}, false},
		"another listed":        {[]feature.Vector{{Generation: 5, Floor: 1, Visible: []feature.Version{2, 3}}}, false},
		"taken off":             {[]feature.Vector{{Generation: 5, Floor: 1}}, true},
		"taken off, then swept": {[]feature.Vector{{Generation: 5, Floor: 1}, {Generation: 6, Floor: 3, Dead: []feature.Version{2}}, {Generation: 7, Floor: 3}}, true},
		"dead at once":          {[]feature.Vector{{Generation: 5, Floor: 3, Dead: []feature.Version{2}}, {Generation: 6, Floor: 3}}, true},
		"floor falls":           {[]feature.Vector{{Generation: 5}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			f, b := brokenFixture(t, 100)
			f.write(t, "users", 2, ago(0), user("hurt"), float(3))
			show := func(v feature.Vector) {
				f.registry.vectors[2] = v
				f.renew(t)
			}
			show(feature.Vector{Generation: 4, Floor: 1, Visible: []feature.Version{2}})
			read := func() string {
				_, got := f.post(t, "/api/v1/views/users/rows", strings.Replace(readBoth, "POLICY", "serve", 1))
				return got
			}
			if got := read(); !strings.Contains(got, "3.0") {
				t.Fatalf("version 2 is not read: %s", got)
			}
			b.lost = "hurt"
			for _, v := range tc.next {
				show(v)
			}
			if got := read(); strings.Contains(got, "3.0") == tc.gone {
				t.Errorf("got %s, want the row of version 2: %t", got, !tc.gone)
			}
		})
	}
}

// TestKeptBlind keeps a row while the registry is away for longer than the lease:
// nobody knows what was taken off meanwhile.
func TestKeptBlind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, tc := range map[string]struct {
			away time.Duration
			want string
		}{
			"within the lease": {900 * time.Millisecond, "2.0"},
			"longer":           {1100 * time.Millisecond, "UNAVAILABLE"},
		} {
			f, b := brokenFixture(t, 100)
			read := func() string {
				_, got := f.post(t, "/api/v1/views/users/rows", strings.Replace(readBoth, "POLICY", "serve", 1))
				return got
			}
			read()
			b.lost = "hurt"
			time.Sleep(tc.away)
			f.renew(t)
			if got := read(); !strings.Contains(got, tc.want) {
				t.Errorf("%s: got %s, want %s", name, got, tc.want)
			}
		}
	})
}

// TestKeptAge wants a row given up to five minutes after it was read, and no longer.
func TestKeptAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, b := brokenFixture(t, 100)
		f.running(t)
		time.Sleep(time.Second)
		read := func() string {
			_, got := f.post(t, "/api/v1/views/users/rows", strings.Replace(readBoth, "POLICY", "serve", 1))
			return got
		}
		read()
		b.lost = "hurt"
		time.Sleep(5 * time.Minute)
		if got := read(); !strings.Contains(got, "2.0") {
			t.Errorf("after five minutes: %s, want the value", got)
		}
		time.Sleep(time.Millisecond)
		if got := read(); !strings.Contains(got, "UNAVAILABLE") {
			t.Errorf("later: %s, want no value", got)
		}
	})
}

// TestKeptForgets wants nothing kept of an entity that was deleted, and never a row
// from before the one read last.
func TestKeptForgets(t *testing.T) {
	f, b := brokenFixture(t, 100)
	read := func() string {
		_, got := f.post(t, "/api/v1/views/users/rows", strings.Replace(readBoth, "POLICY", "serve", 1))
		return got
	}
	read()
	f.write(t, "users", 1, ago(0), user("hurt"), float(9))
	read()
	b.lost = "hurt"
	if got := read(); !strings.Contains(got, "9.0") {
		t.Errorf("after another write: %s, want the row read last", got)
	}
	b.lost = ""
	v := f.registry.defs.View("users")
	key, err := feature.NewKey(v, user("hurt"))
	if err != nil {
		t.Fatal(err)
	}
	deleted := feature.Record{EventTime: ago(0).UnixNano() + 1, Deleted: true}
	if _, err := f.rows.Stage(t.Context(), v.ID, 1, []feature.Row{{Key: key, Record: deleted}}); err != nil {
		t.Fatal(err)
	}
	read()
	b.lost = "hurt"
	if got := read(); !strings.Contains(got, "UNAVAILABLE") {
		t.Errorf("after a deletion: %s, want no value", got)
	}
}

// TestKeptBounds keeps many more rows than there is room for, from many readers.
func TestKeptBounds(t *testing.T) {
	const most, entities = 160, 5000
	k := newKeptRows(most, time.Minute)
	shown := &served{vector: feature.Vector{Floor: 1}}
	var group sync.WaitGroup
	for r := range 4 {
		group.Go(func() {
			for i := r; i < entities; i += 4 {
				of := keptKey{1, feature.Key(fmt.Sprint("user", i))}
				k.shard(of).put(of, feature.Record{Version: 1, Row: []byte(of.key)}, true, shown, time.Now(), k.most)
				if r, ok := k.get(1, of.key, shown); ok && string(r.Row) != string(of.key) {
					t.Errorf("the row of %s is %s", of.key, r.Row)
				}
				k.get(1, feature.Key(fmt.Sprint("user", i/2)), shown)
			}
		})
	}
	group.Wait()
	kept := 0
	for i := range k.shards {
		s := &k.shards[i]
		if len(s.rows) != s.order.Len() || len(s.rows) > k.most {
			t.Errorf("shard %d has %d rows and %d in order, want at most %d", i, len(s.rows), s.order.Len(), k.most)
		}
		kept += len(s.rows)
	}
	if kept != most {
		t.Errorf("%d rows are kept, want %d", kept, most)
	}
	of := keptKey{1, "long"}
	k.shard(of).put(of, feature.Record{Version: 1, Row: make([]byte, keptBytes+1)}, false, shown, time.Now(), k.most)
	if _, ok := k.get(1, "long", shown); ok {
		t.Error("a row longer than the limit is kept")
	}
}
