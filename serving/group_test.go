package serving

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/feature"
)

// grouping is a store that keeps groups together, over one that does not; it counts what
// it is asked for, and does not give the rows of keys with lost in them.
type grouping struct {
	broken
	mu    sync.Mutex
	reads []string
	whole []time.Time
}

func (g *grouping) Together(view feature.ViewID) bool { return view < apart }

// apart is the first of the views whose group is in a store that does not keep them
// together.
const apart = feature.ViewID(14)

func (g *grouping) note(what string, whole time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.reads, g.whole = append(g.reads, what), append(g.whole, whole)
}

func (g *grouping) Read(ctx context.Context, view feature.ViewID, keys []feature.Key, dst [][]feature.Record) ([][]feature.Record, error) {
	g.note(fmt.Sprint(view), time.Time{})
	return g.broken.Read(ctx, view, keys, dst)
}

func (g *grouping) ReadViews(ctx context.Context, views []feature.ViewID, keys []feature.Key, whole time.Time, dst [][]feature.Record) ([][]feature.Record, error) {
	g.note(fmt.Sprint(views), whole)
	var failed error
	for n, view := range views {
		chains, err := g.broken.Read(ctx, view, keys, nil)
		for i, chain := range chains { // into dst's memory, as a store may
			at := n*len(keys) + i
			dst[at] = dst[at][:0]
			for _, r := range chain {
				var row []byte
				if len(dst[at]) < cap(dst[at]) {
					row = dst[at][:len(dst[at])+1][len(dst[at])].Row[:0]
				}
				r.Row = append(row, r.Row...)
				dst[at] = append(dst[at], r)
			}
		}
		if err != nil {
			failed = err
		}
	}
	return dst, failed
}

func newGrouping(t *testing.T, change ...func(*Config, *Deps)) (*fixture, *grouping) {
	g := &grouping{}
	f := newFixture(t, append(change, func(c *Config, d *Deps) { g.Rows, d.Rows, c.KeptRows = d.Rows, g, 100 })...)
	add := func(id feature.ViewID, name, group string) {
		user := []feature.Entity{{Name: "user_id", Type: feature.String}}
		f.registry.defs.Views = append(f.registry.defs.Views, feature.View{ID: id, Name: name, Group: group, Entities: user,
			Features: []feature.Feature{{ID: 1, Name: "x", Type: feature.Float64}, {ID: 2, Name: "y", Type: feature.String}}})
		f.registry.vectors[id] = feature.Vector{Generation: 3, Floor: 1}
	}
	f.registry.change(func() {
		add(11, "ga", "people")
		add(12, "gb", "people")
		add(13, "gc", "people")
		add(apart, "gd", "elsewhere")
		add(15, "ge", "elsewhere")
		f.registry.generation++
	})
	f.renew(t)
	for n, user := range []string{"u0", "u1", "u2", "u3"} {
		for v, name := range []string{"ga", "gb", "gc", "gd", "ge", "users"} {
			values := []feature.Value{float(float64(10*v + n)), feature.StringValue(strings.Repeat(name+user, n+1))}
			if name == "users" {
				values = []feature.Value{float(float64(10*v + n)), float(float64(10*v + n)), float(0), float(0), float(0)}
			}
			f.write(t, name, 1, ago(time.Hour), []feature.Value{feature.StringValue(user)}, values...)
		}
	}
	return f, g
}

// ask reads views x of users, and compares the values with those that were written.
func (g *grouping) ask(t *testing.T, f *fixture, views []string, users ...int) (reads []string) {
	t.Helper()
	g.reads = nil
	var refs, keys, want []string
	for _, v := range views {
		name := "x"
		if v == "users" {
			name = "f01"
		}
		refs = append(refs, fmt.Sprintf("%q", v+":"+name))
	}
	for _, n := range users {
		keys = append(keys, fmt.Sprintf(`"u%d"`, n))
	}
	order := []string{"ga", "gb", "gc", "gd", "ge", "users"}
	for _, v := range views {
		var values []string
		for _, n := range users {
			for at, name := range order {
				if name == v {
					values = append(values, fmt.Sprintf("%d.0", 10*at+n))
				}
			}
		}
		want = append(want, `{"values":[`+strings.Join(values, ",")+`]`)
	}
	code, got := f.post(t, "/get-online-features", fmt.Sprintf(`{"features":[%s],"full_feature_names":true,"entities":{"user_id":[%s]}}`, strings.Join(refs, ","), strings.Join(keys, ",")))
	if code != http.StatusOK {
		t.Fatalf("%d %s", code, got)
	}
	rest := got
	for _, text := range want {
		_, after, found := strings.Cut(rest, text)
		if !found {
			t.Errorf("views %v of users %v: no %s in its place in %s", views, users, text, got)
		}
		rest = after
	}
	return g.reads
}

// TestGroupIsReadAtOnce asks for views of a group with and without others, again and again
// in the memory of the requests before: one read a group, and every view has its own rows.
func TestGroupIsReadAtOnce(t *testing.T) {
	f, g := newGrouping(t)
	for range 20 {
		for _, tc := range []struct {
			views []string
			users []int
			want  int
		}{
			{[]string{"ga", "gb", "gc"}, []int{0, 1, 2, 3}, 1},
			{[]string{"gc", "ga"}, []int{3}, 1},
			{[]string{"gb"}, []int{2, 0}, 1},
			{[]string{"ga", "users", "gb"}, []int{1, 3, 0}, 2},
			{[]string{"gd", "ge", "users"}, []int{3, 2}, 3}, // in a store without groups each by itself
			{[]string{"users"}, []int{1}, 1},
		} {
			if reads := g.ask(t, f, tc.views, tc.users...); len(reads) != tc.want {
				t.Errorf("views %v were read by %v, want %d reads", tc.views, reads, tc.want)
			}
		}
	}
}

// TestGroupViewsShowTheirOwn: each view of a group shows what its own vector does.
func TestGroupViewsShowTheirOwn(t *testing.T) {
	f, g := newGrouping(t)
	for _, name := range []string{"ga", "gb"} {
		f.write(t, name, 2, ago(time.Minute), []feature.Value{feature.StringValue("u1")}, float(77), feature.StringValue("new"))
	}
	values := func(want string) {
		t.Helper()
		_, got := f.post(t, "/get-online-features", `{"features":["ga:x","gb:x","gc:x"],"full_feature_names":true,"entities":{"user_id":["u1"]}}`)
		var all []string
		for _, part := range strings.Split(got, `"values":[`)[1:] {
			value, _, _ := strings.Cut(part, "]")
			all = append(all, value)
		}
		if text := strings.Join(all[len(all)-3:], " "); text != want {
			t.Errorf("values %s, want %s: %s", text, want, got)
		}
	}
	list := func(view feature.ViewID, generation uint64, visible ...feature.Version) {
		f.registry.change(func() { f.registry.vectors[view] = feature.Vector{Generation: generation, Floor: 1, Visible: visible} })
		f.renew(t)
	}
	values("1.0 11.0 21.0")
	list(11, 4, 2)
	values("77.0 11.0 21.0")
	list(12, 4, 2)
	values("77.0 77.0 21.0")
	list(11, 5) // rolled back
	values("1.0 77.0 21.0")
	if len(g.reads) != 4 {
		t.Errorf("reads %v, want one a request", g.reads)
	}
}

// TestGroupUnread: keys that cannot be read are unread in every view of the group, those
// that were kept stand in for them view by view, and the other views are answered.
func TestGroupUnread(t *testing.T) {
	f, g := newGrouping(t)
	g.ask(t, f, []string{"ga"}, 1) // ga of u1 is kept
	g.lost = "u1"
	code, got := f.post(t, "/get-online-features", `{"features":["ga:x","gb:x"],"full_feature_names":true,"entities":{"user_id":["u0","u1"]}}`)
	for _, want := range []string{`"values":[0.0,1.0]`, `"values":[10.0,null]`} {
		if code != http.StatusOK || !strings.Contains(got, want) {
			t.Errorf("%d %s, want %s", code, got, want)
		}
	}
	if n := strings.Count(got, "INVALID"); n != 1 {
		t.Errorf("%d values are INVALID, want the one that nothing stands in for: %s", n, got)
	}
	g.lost = ""
	g.ask(t, f, []string{"ga", "gb"}, 0, 1, 2)
}

// TestGroupWhole: a group is whole by when all of its views that are asked for are.
func TestGroupWhole(t *testing.T) {
	early, late := start, start.Add(time.Second)
	for _, tc := range []struct{ a, b, want time.Time }{
		{early, late, late}, {late, early, late}, {early, time.Time{}, time.Time{}}, {time.Time{}, late, time.Time{}},
	} {
		if got := wholeOf(tc.a, tc.b); !got.Equal(tc.want) {
			t.Errorf("wholeOf(%v, %v) = %v, want %v", tc.a, tc.b, got, tc.want)
		}
	}
}
