package serving

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	sluicev1 "sluice/api/sluice/v1"
	"sluice/feature"
)

// noted is a store that notes how many keys it is asked for.
type noted struct {
	broken
	mu    sync.Mutex
	asked []int
}

func (n *noted) Read(ctx context.Context, view feature.ViewID, keys []feature.Key, dst [][]feature.Record) ([][]feature.Record, error) {
	n.mu.Lock()
	n.asked = append(n.asked, len(keys))
	n.mu.Unlock()
	return n.broken.Read(ctx, view, keys, dst)
}

// take returns what was asked since it was called last.
func (n *noted) take() []int {
	n.mu.Lock()
	defer n.mu.Unlock()
	asked := n.asked
	n.asked = nil
	return asked
}

// cacheFixture has users a to e in version 1, which is closed, as the floor.
func cacheFixture(t *testing.T, change ...func(*Config, *Deps)) (*fixture, *noted) {
	t.Helper()
	n := &noted{}
	f := newFixture(t, append([]func(*Config, *Deps){func(c *Config, d *Deps) { n.Rows, d.Rows, c.CachedRows = d.Rows, n, 100 }}, change...)...)
	f.registry.infos[1] = feature.VersionInfo{Version: 1, Step: feature.StepSwept}
	f.renew(t)
	for i, name := range []string{"a", "b", "c", "d", "e"} {
		f.write(t, "users", 1, ago(time.Minute), user(name), float(float64(i)))
	}
	return f, n
}

// users reads f00 of users and wants values and how many rows are cached.
func (f *fixture) users(t *testing.T, names string, cached int, want ...string) {
	t.Helper()
	var keys, values []string
	for i, name := range strings.Split(names, "") {
		keys, values = append(keys, fmt.Sprintf(`{"user_id":%q}`, name)), append(values, fmt.Sprintf(`"values":{"f00":%s}`, want[i]))
	}
	_, got := f.post(t, "/api/v1/views/users/rows", `{"keys":[`+strings.Join(keys, ",")+`],"features":["f00"]}`)
	from := 0
	for _, v := range values {
		at := strings.Index(got[from:], v)
		if at < 0 {
			t.Fatalf("rows %s: want %s in this order in %s", names, values, got)
		}
		from += at + len(v)
	}
	if text := fmt.Sprintf(`"fallback":"","cached_rows":%d}`, cached); strings.Contains(got, "cached_rows") != (cached > 0) || cached > 0 && !strings.Contains(got, text) {
		t.Errorf("rows %s: %s, want %d of the cache", names, got, cached)
	}
}

// TestRowCache asks the store for rows once, and for those of a request alone that are not
// in memory; nothing of an absent entity is remembered.
func TestRowCache(t *testing.T) {
	reg := prometheus.NewRegistry()
	f, n := cacheFixture(t, func(_ *Config, d *Deps) { d.Registerer = reg })
	f.users(t, "ab", 0, "0.0", "1.0")
	f.users(t, "ba", 2, "1.0", "0.0")
	f.users(t, "cbxad", 2, "2.0", "1.0", "null", "0.0", "3.0")
	f.users(t, "xdbaac", 5, "null", "3.0", "1.0", "0.0", "0.0", "2.0")
	if got, want := n.take(), []int{2, 3, 1}; !slices.Equal(got, want) {
		t.Errorf("the store was asked for %v keys, want %v", got, want)
	}
	const metric = "# HELP sluice_serve_cached_rows_total Rows answered from the row cache, as the store has them, by view.\n# TYPE sluice_serve_cached_rows_total counter\n"
	var lines strings.Builder
	for _, v := range []string{"drivers", "flags", "pairs", "users"} {
		fmt.Fprintf(&lines, "sluice_serve_cached_rows_total{view=%q} %d\n", v, map[bool]int{true: 9}[v == "users"])
	}
	if err := testutil.GatherAndCompare(reg, strings.NewReader(metric+lines.String()), "sluice_serve_cached_rows_total"); err != nil {
		t.Error(err)
	}
	reply, err := sluicev1.NewFeatureServiceClient(f.dial(t)).GetFeatures(t.Context(), ownRequest(columnsOf{"user_id": texts("a", "e")}, 0, "users:f00"))
	if err != nil {
		t.Fatal(err)
	}
	if p := reply.GetViews()[0].GetProvenance(); p.GetCachedRows() != 1 {
		t.Errorf("provenance over gRPC: %v, want one row of the cache", p)
	}
}

// TestRowCacheForgets wants rows read anew once the store may hold others: whatever becomes
// of the view's versions, and always while one is open or not known.
func TestRowCacheForgets(t *testing.T) {
	f, n := cacheFixture(t)
	show := func(v feature.Vector) {
		f.registry.vectors[2] = v
		f.renew(t)
	}
	f.users(t, "a", 0, "0.0")
	f.write(t, "users", 2, ago(0), user("a"), float(7))
	f.users(t, "a", 1, "0.0") // version 2 is not shown
	f.registry.infos[2] = feature.VersionInfo{Version: 2, Step: feature.StepOpen}
	show(feature.Vector{Generation: 4, Floor: 1, Visible: []feature.Version{2}})
	f.users(t, "a", 0, "7.0")
	f.write(t, "users", 2, ago(-time.Second), user("a"), float(8)) // it is open
	f.users(t, "a", 0, "8.0")
	f.registry.infos[2] = feature.VersionInfo{Version: 2, Step: feature.StepDecided}
	f.renew(t)
	f.users(t, "a", 0, "8.0")
	f.users(t, "a", 1, "8.0")
	show(feature.Vector{Generation: 5, Floor: 1})
	f.users(t, "a", 0, "0.0") // rolled back
	f.users(t, "a", 1, "0.0")
	show(feature.Vector{Generation: 6, Floor: 2})
	f.users(t, "a", 0, "8.0")
	delete(f.registry.infos, 3)
	show(feature.Vector{Generation: 7, Floor: 2, Visible: []feature.Version{3}})
	f.users(t, "a", 0, "8.0")
	f.users(t, "a", 0, "8.0") // of version 3 nothing is known
	n.take()
}

// TestRowCacheAge gives a row for five minutes after the store gave it, however often it is
// read meanwhile.
func TestRowCacheAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, n := cacheFixture(t)
		f.running(t)
		time.Sleep(time.Second)
		f.users(t, "a", 0, "0.0")
		for range 5 {
			time.Sleep(time.Minute)
			f.users(t, "a", 1, "0.0")
		}
		time.Sleep(time.Millisecond)
		f.users(t, "a", 0, "0.0")
		if got := n.take(); !slices.Equal(got, []int{1, 1}) {
			t.Errorf("the store was asked for %v keys, want one twice", got)
		}
	})
}

// TestRowCacheBroken reads while a shard, or the whole store, does not answer: rows in
// memory are what it has, and are not flagged; of the others each is said to be unread.
func TestRowCacheBroken(t *testing.T) {
	for name, fail := range map[string]func(*noted){
		"a shard":   func(n *noted) { n.lost = "e" },
		"the store": func(n *noted) { n.whole = errors.New("gone") },
	} {
		t.Run(name, func(t *testing.T) {
			f, n := cacheFixture(t)
			f.users(t, "ab", 0, "0.0", "1.0")
			fail(n)
			f.users(t, "ab", 2, "0.0", "1.0")
			_, got := f.post(t, "/api/v1/views/users/rows", `{"keys":[{"user_id":"b"},{"user_id":"e"},{"user_id":"a"}],"features":["f00"]}`)
			for _, want := range []string{`{"user_id":"e"},"values":{"f00":null},"statuses":{"f00":"UNAVAILABLE"}`, `{"user_id":"b"},"values":{"f00":1.0}`, `{"user_id":"a"},"values":{"f00":0.0}`,
				`"stale":false,"fallback":"store","cached_rows":2}`} {
				if !strings.Contains(got, want) {
					t.Errorf("want %s in %s", want, got)
				}
			}
		})
	}
}

// TestRowCacheApart leaves the past and reads of many rows alone: the one is not in memory,
// the others would push out what is read often.
func TestRowCacheApart(t *testing.T) {
	f, n := cacheFixture(t)
	f.users(t, "a", 0, "0.0")
	past := `{"keys":[{"user_id":"a"}],"features":["users:f00"],"as_of_versions":{"users":1}}`
	for range 2 {
		if _, got := f.post(t, "/api/v1/rows", past); !strings.Contains(got, `"users:f00":0.0`) || strings.Contains(got, "cached_rows") {
			t.Errorf("the past: %s, want the row from the store", got)
		}
	}
	for range 2 {
		if _, got := f.post(t, "/api/v1/rows/stream", `{"keys":[{"user_id":"d"},{"user_id":"e"}],"features":["users:f00"]}`); strings.Contains(got, "cached_rows") {
			t.Errorf("many rows: %s, want them from the store", got)
		}
	}
	if got := n.take(); !slices.Equal(got, []int{1, 1, 1, 2, 2}) {
		t.Errorf("the store was asked for %v keys, want each row of the past and of the stream each time", got)
	}
}

// TestRowCacheHistory reads after each step of random histories of versions that are opened,
// shown while they are written (optimistic) or once they are closed, certified and taken
// back: always what the store holds then, of the versions that are shown then.
func TestRowCacheHistory(t *testing.T) {
	cached := 0
	for seed := range uint64(20) {
		f, n := cacheFixture(t)
		rng, open, last := rand.New(rand.NewPCG(seed, 6)), feature.Version(0), feature.Version(1)
		vector, at := feature.Vector{Generation: 3, Floor: 1}, 0
		view := f.registry.defs.View("users")
		for range 60 {
			was := vector.Generation
			switch step := rng.IntN(6); {
			case step == 0 && open == 0:
				last++
				open = last
				f.registry.infos[open] = feature.VersionInfo{Version: open, Step: feature.StepOpen}
				if rng.IntN(2) == 0 && len(vector.Visible) < 3 {
					vector.Visible, vector.Generation = append(slices.Clone(vector.Visible), open), was+1
				}
			case step < 3 && open != 0:
				at++
				f.write(t, "users", open, ago(-time.Duration(at)), user(string('a'+rune(rng.IntN(6)))), float(float64(100+at)))
			case step == 3 && open != 0:
				f.registry.infos[open] = feature.VersionInfo{Version: open, Step: feature.StepDecided}
				if !vector.Sees(open) && len(vector.Visible) < 3 {
					vector.Visible, vector.Generation = append(slices.Clone(vector.Visible), open), was+1
				}
				open = 0
			case step == 4 && len(vector.Visible) > 0 && vector.Visible[0] != open:
				vector.Floor, vector.Visible, vector.Generation = vector.Visible[0], vector.Visible[1:], was+1
			case step == 5 && len(vector.Visible) > 0:
				gone := rng.IntN(len(vector.Visible))
				vector.Visible, vector.Generation = slices.Delete(slices.Clone(vector.Visible), gone, gone+1), was+1
			}
			f.registry.vectors[view.ID] = vector
			f.renew(t)
			for range 3 {
				name := string('a' + rune(rng.IntN(6)))
				key, err := feature.NewKey(view, user(name))
				if err != nil {
					t.Fatal(err)
				}
				chains, err := f.rows.Read(t.Context(), view.ID, []feature.Key{key}, nil)
				if err != nil {
					t.Fatal(err)
				}
				want := `"values":{"f00":null}`
				if record, ok := vector.Resolve(chains[0]); ok {
					if err := feature.EachValue(record.Row, func(id uint32, value []byte) {
						if v, err := feature.DecodeValue(value); err == nil && id == view.Features[0].ID {
							want = fmt.Sprintf(`"values":{"f00":%.1f}`, v.Float())
						}
					}); err != nil {
						t.Fatal(err)
					}
				}
				_, got := f.post(t, "/api/v1/views/users/rows", fmt.Sprintf(`{"keys":[{"user_id":%q}],"features":["f00"]}`, name))
				if !strings.Contains(got, want) {
					t.Fatalf("seed %d, %+v, open %d: %s is %s, want %s", seed, vector, open, name, got, want)
				}
				if strings.Contains(got, "cached_rows") {
					cached++
				}
			}
		}
		n.take()
	}
	if cached < 500 {
		t.Errorf("%d of 3,600 reads were of the cache: too few to say anything", cached)
	}
}

// TestRowCacheGroup reads views of a group, of which some are in memory.
func TestRowCacheGroup(t *testing.T) {
	f, g := newGrouping(t, func(c *Config, _ *Deps) { c.CachedRows = 100 })
	f.registry.infos[1] = feature.VersionInfo{Version: 1, Step: feature.StepSwept}
	f.renew(t)
	for _, step := range []struct {
		views []string
		users []int
		reads []string
	}{
		{[]string{"ga"}, []int{0, 1}, []string{"11"}},
		{[]string{"ga"}, []int{1, 0}, nil},
		{[]string{"ga", "gb", "gc"}, []int{0, 1}, []string{"[12 13]"}},
		{[]string{"gb", "ga", "gc"}, []int{1, 0, 1}, nil},
		{[]string{"ga", "gb", "gc"}, []int{0, 2}, []string{"[11 12 13]"}},
		{[]string{"ga", "gb", "users"}, []int{3, 0}, []string{"2", "[11 12]"}},
		{[]string{"ga", "gb", "users"}, []int{0, 3}, nil},
	} {
		if got := slices.Sorted(slices.Values(g.ask(t, f, step.views, step.users...))); !slices.Equal(got, step.reads) {
			t.Errorf("%v of %v: read %v, want %v", step.views, step.users, got, step.reads)
		}
	}
}
