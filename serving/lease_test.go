package serving

import (
	"context"
	"errors"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sluice/feature"
)

const readA = `{"keys":[{"user_id":"a"}],"features":["f00"]}`

// running runs f's lease until the test ends.
func (f *fixture) running(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
	})
}

// TestLease takes the registry away: reads go on, then they are flagged, then
// refused, and all is well once it is back.
func TestLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.write(t, "users", 1, ago(time.Minute), user("a"), float(1))
		f.running(t)
		expect := func(when string, status int, want ...string) {
			t.Helper()
			got, text := f.post(t, "/api/v1/views/users/rows", readA)
			for _, w := range append(want, "") {
				if got != status || !strings.Contains(text, w) {
					t.Errorf("%s: %d %s, want %d with %s", when, got, text, status, w)
				}
			}
			if ready := f.Ready() == nil; ready != (status == 200) {
				t.Errorf("%s: Ready = %v, want as reads", when, f.Ready())
			}
			w := httptest.NewRecorder()
			f.HTTP().ServeHTTP(w, httptest.NewRequest("GET", "/health", nil))
			if w.Code != status || w.Body.Len() != 0 {
				t.Errorf("%s: GET /health = %d %s, want %d and nothing", when, w.Code, w.Body, status)
			}
		}
		fresh, stale := `"stale":false,"fallback":""`, `"stale":true,"fallback":"lease"`
		time.Sleep(10 * time.Second)
		expect("running", 200, fresh, "1.0")

		f.registry.change(func() { f.registry.err = errors.New("no registry") })
		time.Sleep(700 * time.Millisecond)
		expect("within the lease", 200, fresh)
		time.Sleep(600 * time.Millisecond)
		expect("past the lease", 200, stale, "1.0")
		time.Sleep(28 * time.Second)
		expect("at the end of the grace", 200, stale)
		time.Sleep(3 * time.Second)
		expect("past the grace", 503, `"unavailable"`, "longer than the grace of 30s")

		f.registry.change(func() { f.registry.err = nil })
		time.Sleep(300 * time.Millisecond)
		expect("back", 200, fresh)
	})
}

// TestLeaseFollows wants a change seen at once if the source says so, and within
// the renewal otherwise.
func TestLeaseFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.write(t, "users", 2, ago(time.Minute), user("a"), float(2))
		f.running(t)
		time.Sleep(time.Second)
		list := func() { f.registry.vectors[2] = feature.Vector{Generation: 4, Floor: 1, Visible: []feature.Version{2}} }
		unlist := func() { f.registry.vectors[2] = feature.Vector{Generation: 5, Floor: 1} }
		seen := func() bool {
			_, text := f.post(t, "/api/v1/views/users/rows", readA)
			return strings.Contains(text, "2.0")
		}
		f.registry.change(list)
		time.Sleep(20 * time.Millisecond)
		if !seen() {
			t.Error("a version is not visible 20 ms after it was listed")
		}
		f.registry.mu.Lock()
		unlist() // by somebody else: no notification
		f.registry.mu.Unlock()
		time.Sleep(260 * time.Millisecond)
		if seen() {
			t.Error("a version is visible 260 ms after it was taken off")
		}
	})
}

// TestLeaseBounds wants a flood of changes to cost a bounded number of readings.
func TestLeaseBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.running(t)
		time.Sleep(time.Second)
		first := f.lease.current.Load()
		renewals := 0
		for range 1000 {
			f.registry.change(func() {})
			time.Sleep(time.Millisecond)
			if now := f.lease.current.Load(); now != first {
				first, renewals = now, renewals+1
			}
		}
		if renewals < 50 || renewals > 110 {
			t.Errorf("%d renewals in a second of changes, want about 100", renewals)
		}
	})
}

// slow is a registry whose definitions take long to read.
type slow struct {
	*registry
	takes time.Duration
	reads atomic.Int64
}

func (s *slow) Definitions(ctx context.Context) (feature.Definitions, uint64, error) {
	s.reads.Add(1)
	time.Sleep(s.takes)
	return s.registry.Definitions(ctx)
}

// TestLargeDefinitions wants definitions that take long to be read seldom, and
// never so seldom that a change waits for more than about a second.
func TestLargeDefinitions(t *testing.T) {
	for name, tc := range map[string]struct {
		takes       time.Duration
		least, most int // readings in 10 s
	}{
		"quick": {0, 35, 45},
		"slow":  {20 * time.Millisecond, 15, 26},
		"worse": {200 * time.Millisecond, 7, 11},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &slow{takes: tc.takes}
				f := newFixture(t, func(_ *Config, d *Deps) {
					s.registry = d.Source.(*registry)
					d.Source = s
				})
				f.running(t)
				s.reads.Store(0)
				time.Sleep(10 * time.Second)
				if n := int(s.reads.Load()); n < tc.least || n > tc.most {
					t.Errorf("read %d times in 10 s, want %d to %d", n, tc.least, tc.most)
				}
				if status, got := f.post(t, "/api/v1/views/users/rows", readA); !strings.Contains(got, `"stale":false`) {
					t.Errorf("a read = %d %s, want it fresh", status, got)
				}
			})
		})
	}
}

// TestRefresh wants new definitions known to the request after Refresh, even
// where reading them takes so long that renewals do it once a second.
func TestRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slow{takes: 200 * time.Millisecond}
		f := newFixture(t, func(_ *Config, d *Deps) {
			s.registry = d.Source.(*registry)
			d.Source = s
		})
		known := func(refresh func(context.Context) error) bool {
			if err := refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			_, got := f.post(t, "/api/v1/views/renamed/rows", readA)
			return !strings.Contains(got, "unknown_view")
		}
		if known(f.lease.renew) {
			t.Fatal("the view is known before it is defined")
		}
		f.registry.change(func() {
			f.registry.defs.Views = slices.Clone(f.registry.defs.Views)
			f.registry.defs.Views[0].Name = "renamed"
			f.registry.generation++
		})
		if known(f.lease.renew) {
			t.Error("a renewal right after another reads definitions that take so long again")
		}
		if !known(f.Refresh) {
			t.Error("the view is unknown right after Refresh")
		}
	})
}

func TestNotYet(t *testing.T) {
	f := newFixture(t)
	f.lease.current.Store(nil)
	if status, got := f.post(t, "/api/v1/views/users/rows", readA); status != 503 || !strings.Contains(got, "not been read yet") {
		t.Errorf("before the first snapshot: %d %s, want 503", status, got)
	}
	if f.Ready() == nil {
		t.Error("ready before the first snapshot")
	}
}

// TestOneGeneration flips a view between two versions while reads go on: none
// may see both.
func TestOneGeneration(t *testing.T) {
	f := newFixture(t)
	const entities = 20
	keys := make([]string, entities)
	for i := range entities {
		keys[i] = `{"user_id":"u` + string('a'+rune(i)) + `"}`
		for version := feature.Version(2); version <= 3; version++ {
			f.write(t, "users", version, ago(time.Minute), user("u"+string('a'+rune(i))), float(float64(version)), float(float64(version)))
		}
	}
	f.running(t)
	stop := make(chan struct{})
	flipped := make(chan struct{})
	go func() {
		defer close(flipped)
		for generation := uint64(10); ; generation++ {
			select {
			case <-stop:
				return
			default:
			}
			visible := []feature.Version{2 + feature.Version(generation%2)}
			f.registry.change(func() { f.registry.vectors[2] = feature.Vector{Generation: generation, Visible: visible} })
			if err := f.lease.renew(t.Context()); err != nil {
				t.Error(err)
			}
		}
	}()
	body := `{"keys":[` + strings.Join(keys, ",") + `],"features":["f00","f01"]}`
	seen := [4]int{}
	for range 2000 {
		_, got := f.post(t, "/api/v1/views/users/rows", body)
		twos, threes := strings.Count(got, `:2.0`), strings.Count(got, `:3.0`)
		version := 2
		if threes > 0 {
			version = 3
		}
		none := strings.Contains(got, `"version":1,`) && twos+threes == 0 // before the first flip
		if !none && (twos+threes != 2*entities || twos*threes != 0 || !strings.Contains(got, `"version":`+string('0'+rune(version)))) {
			t.Fatalf("a read saw %d values of one version and %d of another: %s", twos, threes, got)
		}
		seen[version]++
	}
	close(stop)
	<-flipped
	t.Logf("reads by version: %v", seen[2:])
}
