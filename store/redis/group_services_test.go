//go:build services

package redis_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"sluice/feature"
	"sluice/store/redis"
)

var trio = []feature.ViewID{1, 2, 3}

func inGroup(s *redis.Store, group string, views ...feature.ViewID) {
	of := map[feature.ViewID]string{}
	for _, view := range views {
		of[view] = group
	}
	s.Group(of)
}

func stageOne(t *testing.T, s *redis.Store, view feature.ViewID, version feature.Version, key feature.Key) {
	t.Helper()
	row := feature.Row{Key: key, Record: feature.Record{EventTime: int64(version), Seq: 1, Row: fmt.Appendf(nil, "%d/%d", view, version)}}
	if _, err := s.Stage(t.Context(), view, version, []feature.Row{row}); err != nil {
		t.Fatal(err)
	}
}

// TestGroupExpiry: a hash of a group lives as long as the view that needs it for longest,
// by that view's last write, and whatever the others do; the indexes stay until their
// version is dropped, since a row may live for longer than its own view asks for.
func TestGroupExpiry(t *testing.T) {
	both(t, func(t *testing.T, on *server) {
		c := on.prefix(t)
		s := open(t, c)
		inGroup(s, "users", trio...)
		s.SetExpiry(1, time.Hour)
		s.SetExpiry(2, 3*time.Hour) // 3 is never
		for name, tc := range map[string]struct {
			writes []feature.ViewID
			want   time.Duration // 0: never
		}{
			"one":                    {[]feature.ViewID{1}, time.Hour},
			"the longer second":      {[]feature.ViewID{1, 2}, 3 * time.Hour},
			"the shorter second":     {[]feature.ViewID{2, 1}, 3 * time.Hour},
			"never second":           {[]feature.ViewID{1, 3}, 0},
			"never first":            {[]feature.ViewID{3, 2, 1}, 0},
			"never between":          {[]feature.ViewID{1, 3, 2, 1}, 0},
			"the same one again":     {[]feature.ViewID{1, 1, 1}, time.Hour},
			"shorter behind shorter": {[]feature.ViewID{2, 1, 1}, 3 * time.Hour},
		} {
			t.Run(name, func(t *testing.T) {
				key := feature.Key("user " + name)
				for i, view := range tc.writes {
					stageOne(t, s, view, feature.Version(i+1), key)
				}
				found := 0
				for _, k := range on.keysOf(t, c.Prefix) {
					if !strings.HasSuffix(k, "\x05users"+string(key)) {
						continue
					}
					found++
					d, err := on.admin.PTTL(t.Context(), k).Result()
					switch {
					case err != nil:
						t.Fatal(err)
					case tc.want == 0 && d >= 0, tc.want > 0 && (d > tc.want || d < tc.want-time.Minute):
						t.Errorf("the hash expires after %s, want %s", d, tc.want)
					}
				}
				if found != 1 {
					t.Errorf("the entity has %d keys, want one hash", found)
				}
			})
		}
		for _, k := range on.keysOf(t, c.Prefix) {
			if d, err := on.admin.PTTL(t.Context(), k).Result(); !strings.Contains(k, "\x05users") && (err != nil || d >= 0) {
				t.Errorf("key %q expires after %s, %v, want that an index stays", k, d, err)
			}
		}
	})
}

// TestGroupNothingStays: rows that expired with their entity leave an index that a drop
// or fold removes, and dropped views leave nothing.
func TestGroupNothingStays(t *testing.T) {
	both(t, func(t *testing.T, on *server) {
		c := on.prefix(t)
		s := open(t, c)
		inGroup(s, "users", trio...)
		for _, view := range trio {
			for v := feature.Version(1); v <= 2; v++ {
				if _, err := s.Stage(t.Context(), view, v, batch(0, 500, v)); err != nil {
					t.Fatal(err)
				}
			}
		}
		hashes := func() (n int) {
			for _, k := range on.keysOf(t, c.Prefix) {
				if strings.Contains(k, "\x05users") {
					n++
				}
			}
			return n
		}
		if n := hashes(); n != 500 {
			t.Errorf("%d hashes, want one of each of 500 entities", n)
		}
		s.SetExpiry(1, time.Millisecond)
		stageOne(t, s, 1, 3, "brief")
		eventually(t, func() error {
			if n := hashes(); n != 500 {
				return fmt.Errorf("%d hashes, want that the one of a view with an expiry goes", n)
			}
			return nil
		})
		for _, view := range trio {
			for v := feature.Version(1); v <= 3; v++ {
				want := 500
				if v == 3 {
					want = 0
				}
				if n, err := s.Drop(t.Context(), view, v); n != want || err != nil {
					t.Errorf("Drop(view %d, version %d) = %d, %v, want %d", view, v, n, err, want)
				}
			}
		}
		if keys := on.keysOf(t, c.Prefix); len(keys) != 0 {
			t.Errorf("%d keys stay: %q", len(keys), keys)
		}
	})
}

// TestGroupIsOneLookup counts what the server is asked for.
func TestGroupIsOneLookup(t *testing.T) {
	on := oneServer(t)
	s := open(t, on.prefix(t))
	inGroup(s, "users", trio...)
	for _, view := range trio {
		stageOne(t, s, view, 1, "a")
	}
	calls := func() string {
		text, err := on.admin.Info(t.Context(), "commandstats").Result()
		if err != nil {
			t.Fatal(err)
		}
		_, text, _ = strings.Cut(text, "cmdstat_hgetall:calls=")
		text, _, _ = strings.Cut(text, ",")
		return text
	}
	var before, after int
	if _, err := s.Read(t.Context(), 1, []feature.Key{"a"}, nil); err != nil { // there is a number
		t.Fatal(err)
	}
	fmt.Sscan(calls(), &before)
	got, err := s.ReadViews(t.Context(), trio, []feature.Key{"a", "b"}, time.Time{}, nil)
	fmt.Sscan(calls(), &after)
	if err != nil || len(got) != 6 || after != before+2 {
		t.Errorf("ReadViews of three views and two keys = %d chains, %v, with %d lookups, want 6 with 2", len(got), err, after-before)
	}
	s.Group(map[feature.ViewID]string{5: "others"})
	for _, views := range [][]feature.ViewID{{1, 4}, {4, 6}, {1, 5}} {
		if _, err := s.ReadViews(t.Context(), views, []feature.Key{"a"}, time.Time{}, nil); !errors.Is(err, redis.ErrGroup) {
			t.Errorf("ReadViews(%d) = %v, want %v", views, err, redis.ErrGroup)
		}
	}
}

// TestGroupHedged freezes a primary: a replica that is shown to have everything answers
// for all views of a group, each with its own chain, and one that is not is said to be
// behind for what it has.
func TestGroupHedged(t *testing.T) {
	h := startHedging(t)
	views := []feature.ViewID{2, 3, 4}
	inGroup(h.Store, "users", views...)
	for _, view := range views[:2] {
		for version := feature.Version(1); version <= 2; version++ {
			for _, key := range h.keys[:10] {
				stageOne(t, h.Store, view, version, key)
			}
		}
	}
	eventually(t, func() error { return sameOffset(t, h.at) })
	want, err := h.ReadViews(t.Context(), views, h.keys, time.Time{}, nil)
	if err != nil || len(want[0]) != 2 || len(want[len(h.keys)]) != 2 || len(want[2*len(h.keys)]) != 0 {
		t.Fatalf("ReadViews = %v, %v", want, err)
	}
	sorted(want)
	whole := time.Now()
	h.surveyed(t)
	freeze(t, h.at.primary.cmd.Process.Pid)
	got, err := h.ReadViews(t.Context(), views, h.keys, whole, nil)
	if sorted(got); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("ReadViews while the primary is frozen = %v, %v, want %v", got, err, want)
	}
	if won := h.count(t, "hedges_total won default"); won != 1 {
		t.Errorf("%g hedges were won, want 1", won)
	}
	got, err = h.ReadViews(context.Background(), views, h.keys, time.Time{}, got)
	var p *redis.PartialError
	if sorted(got); !errors.As(err, &p) || len(p.Lagging()) != 10 || len(p.Missing()) != len(h.keys)-10 || !reflect.DeepEqual(got, want) {
		t.Errorf("ReadViews that is not shown to be whole = %v, %v, want the 10 entities that have rows from the replica", got, err)
	}
}

// sorted puts the records of chains in order, and forgets memory that is kept for reuse.
func sorted(chains [][]feature.Record) {
	for i := range chains {
		if len(chains[i]) == 0 {
			chains[i] = nil
		}
		if len(chains[i]) == 2 && chains[i][0].Version > chains[i][1].Version {
			chains[i][0], chains[i][1] = chains[i][1], chains[i][0]
		}
	}
}
