package admission

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func fixed(n, waiting int) Config {
	c := DefaultConfig()
	c.Least, c.Most, c.Start, c.Waiting = n, n, n, waiting
	return c
}

func newLimiter(t testing.TB, c Config) *Limiter {
	t.Helper()
	l, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestEnter holds one place, lets requests queue, and says in which order and with
// which error they come out.
func TestEnter(t *testing.T) {
	type request struct {
		priority Priority
		deadline time.Duration // 0: none
		leaves   bool          // the caller does, after 10 ms
	}
	for name, tc := range map[string]struct {
		waiting  int
		requests []request
		free     time.Duration // after which the place becomes free; each request holds it for 1 ms
		want     []string      // by the order in which they end
	}{
		"in order":             {9, []request{{priority: Default}, {priority: Default}}, 5 * time.Millisecond, []string{"0 in", "1 in"}},
		"critical first":       {9, []request{{priority: Sheddable}, {priority: Default}, {priority: Critical}}, 5 * time.Millisecond, []string{"2 in", "1 in", "0 in"}},
		"no room":              {1, []request{{priority: Default}, {priority: Default}}, 5 * time.Millisecond, []string{"1 " + ErrFull.Error(), "0 in"}},
		"lower makes room":     {1, []request{{priority: Sheddable}, {priority: Default}}, 5 * time.Millisecond, []string{"0 " + ErrFull.Error(), "1 in"}},
		"higher does not":      {1, []request{{priority: Critical}, {priority: Default}}, 5 * time.Millisecond, []string{"1 " + ErrFull.Error(), "0 in"}},
		"no queue":             {0, []request{{priority: Critical}}, 5 * time.Millisecond, []string{"0 " + ErrFull.Error()}},
		"waits 100 ms":         {9, []request{{priority: Default}}, 150 * time.Millisecond, []string{"0 " + ErrSlow.Error()}},
		"deadline before that": {9, []request{{priority: Default, deadline: 20 * time.Millisecond}, {priority: Default}}, 50 * time.Millisecond, []string{"0 " + ErrSlow.Error(), "1 in"}},
		"deadline over":        {9, []request{{priority: Default, deadline: -1}}, 50 * time.Millisecond, []string{"0 " + ErrLate.Error()}},
		"left":                 {9, []request{{priority: Default, leaves: true}, {priority: Default}}, 50 * time.Millisecond, []string{"0 " + context.Canceled.Error(), "1 in"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLimiter(t, fixed(1, tc.waiting))
				first, err := l.Enter(t.Context(), Default)
				if err != nil {
					t.Fatal(err)
				}
				var mu sync.Mutex
				var got []string
				for n, r := range tc.requests {
					ctx, cancel := context.WithCancel(t.Context())
					if r.deadline != 0 {
						ctx, cancel = context.WithTimeout(t.Context(), r.deadline)
					}
					defer cancel()
					go func() {
						ticket, err := l.Enter(ctx, r.priority)
						text := fmt.Sprint(n, " in")
						if err != nil {
							text = fmt.Sprint(n, " ", err)
						}
						mu.Lock()
						got = append(got, text)
						mu.Unlock()
						if err == nil {
							time.Sleep(time.Millisecond)
							l.Leave(ticket, 1, true)
						}
					}()
					synctest.Wait()
					if r.leaves {
						time.AfterFunc(10*time.Millisecond, cancel)
					}
				}
				time.Sleep(tc.free)
				l.Leave(first, 1, true)
				time.Sleep(time.Second)
				synctest.Wait()
				if !slices.Equal(got, tc.want) {
					t.Errorf("requests ended as %q, want %q", got, tc.want)
				}
				if _, running, waiting := l.Limit(); running != 0 || waiting != 0 {
					t.Errorf("%d at work and %d waiting in the end, want none", running, waiting)
				}
			})
		})
	}
}

// TestLate: a request whose deadline is before those ahead of it would be done is
// shed at once, not when its time is over.
func TestLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(t, fixed(1, 100))
		for range 20 { // each takes 10 ms
			ticket, err := l.Enter(t.Context(), Default)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Millisecond)
			l.Leave(ticket, 1, true)
		}
		hold, _ := l.Enter(t.Context(), Default)
		for range 5 {
			go l.Enter(t.Context(), Default)
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 40*time.Millisecond)
		defer cancel()
		begun := time.Now()
		if _, err := l.Enter(ctx, Default); !errors.Is(err, ErrLate) || time.Since(begun) > 0 {
			t.Errorf("Enter with 40 ms behind five of 10 ms = %v after %s, want ErrLate at once", err, time.Since(begun))
		}
		go l.Enter(ctx, Critical) // nobody is ahead of it
		synctest.Wait()
		if _, _, waiting := l.Limit(); waiting != 6 {
			t.Errorf("%d wait, want the five and the critical one", waiting)
		}
		l.Leave(hold, 1, true)
		time.Sleep(time.Second)
	})
}

// server is one that works on capacity requests at once, each for work, and lets the
// others wait: what a store or two processors are.
type server struct {
	slots chan struct{}
	work  time.Duration
}

func (s *server) serve(rows int) {
	s.slots <- struct{}{}
	time.Sleep(s.work * time.Duration(rows))
	<-s.slots
}

// load offers rate requests a second for a while, of rows each, and returns how many
// were answered, shed, and the latency of the slowest in a hundred that was answered.
func load(l *Limiter, s *server, rate int, rows func(i int) int, during time.Duration, p Priority) (done, shed int, p99 time.Duration) {
	var mu sync.Mutex
	var took []time.Duration
	var group sync.WaitGroup
	for i := range int(during.Seconds() * float64(rate)) {
		time.Sleep(time.Second / time.Duration(rate))
		group.Go(func() {
			begun := time.Now()
			ticket, err := l.Enter(context.Background(), p)
			if err == nil {
				n := rows(i)
				s.serve(n)
				l.Leave(ticket, n, true)
			}
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				shed++
				return
			}
			took = append(took, time.Since(begun))
		})
	}
	group.Wait()
	slices.Sort(took)
	if len(took) > 0 {
		p99 = took[len(took)*99/100]
	}
	return len(took), shed, p99
}

func one(int) int { return 1 }

// TestAdaptive offers a server of 8,000 requests/s too little and too much. A limit
// that is never reached, or one that never moves, fails it.
func TestAdaptive(t *testing.T) {
	config := DefaultConfig()
	config.Least = 8
	for name, tc := range map[string]struct {
		rate int
		rows func(i int) int
		shed [2]float64 // share of requests, at least and at most
		p99  time.Duration
	}{
		"half of what it can do":               {4000, one, [2]float64{0, 0}, 2 * time.Millisecond},
		"nine tenths, some requests 50 x more": {600, func(i int) int { return 1 + 49*(i%5/4) }, [2]float64{0, 0}, 300 * time.Millisecond},
		"twice what it can do":                 {16_000, one, [2]float64{0.4, 0.55}, 100 * time.Millisecond},
		"five times":                           {40_000, one, [2]float64{0.75, 0.83}, 100 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, s := newLimiter(t, config), &server{slots: make(chan struct{}, 8), work: time.Millisecond}
				load(l, s, 1000, one, 2*time.Second, Default)      // learns what a request takes
				load(l, s, tc.rate, tc.rows, time.Second, Default) // finds its limit
				done, shed, p99 := load(l, s, tc.rate, tc.rows, 3*time.Second, Default)
				share := float64(shed) / float64(done+shed)
				limit, running, waiting := l.Limit()
				t.Logf("%d answered, %.3f shed, p99 %s, limit %d", done, share, p99, limit)
				if share < tc.shed[0] || share > tc.shed[1] || p99 > tc.p99+20*time.Millisecond {
					t.Errorf("share of shed %.3f, p99 %s; want %.2f to %.2f, at most %s", share, p99, tc.shed[0], tc.shed[1], tc.p99)
				}
				if running != 0 || waiting != 0 {
					t.Errorf("%d at work, %d waiting in the end", running, waiting)
				}
			})
		})
	}
}

// TestPriorities offers three times what a server can do, a third of it of each
// priority: the critical third is answered, the others are shed from below.
func TestPriorities(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := DefaultConfig()
		config.Least = 8
		l, s := newLimiter(t, config), &server{slots: make(chan struct{}, 8), work: time.Millisecond}
		load(l, s, 1000, one, 2*time.Second, Default)
		var group sync.WaitGroup
		var done, shed [Priorities]int
		for p := range Priorities {
			group.Go(func() { done[p], shed[p], _ = load(l, s, 6000, one, 5*time.Second, p) })
		}
		group.Wait()
		t.Logf("answered %v, shed %v", done, shed)
		if shed[Critical] > done[Critical]/200 || done[Default] < shed[Default]/3 || done[Default] > shed[Default] || done[Sheddable] > shed[Sheddable]/10 {
			t.Errorf("answered %v, shed %v; want all critical, about a third of default, few sheddable", done, shed)
		}
	})
}

// TestNobodyIsLost hammers a small limiter: whoever waits is let in once there is a
// place, and places do not get lost.
func TestNobodyIsLost(t *testing.T) {
	config := fixed(2, 1000)
	config.Wait = time.Minute
	l := newLimiter(t, config)
	var most, now atomic.Int64
	var group sync.WaitGroup
	for g := range 16 {
		group.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(g), 1))
			for range 2000 {
				ctx, cancel := context.WithCancel(t.Context())
				if rng.IntN(8) == 0 {
					time.AfterFunc(time.Duration(rng.IntN(100))*time.Microsecond, cancel)
				}
				ticket, err := l.Enter(ctx, Priority(rng.IntN(3)))
				if err == nil {
					if n := now.Add(1); n > most.Load() {
						most.Store(n)
					}
					now.Add(-1)
					l.Leave(ticket, 1, true)
				} else if !errors.Is(err, context.Canceled) {
					t.Errorf("Enter = %v", err)
				}
				cancel()
			}
		})
	}
	group.Wait()
	if _, running, waiting := l.Limit(); running != 0 || waiting != 0 || most.Load() > 2 {
		t.Errorf("%d at work, %d waiting in the end, %d at most; want 0, 0, 2", running, waiting, most.Load())
	}
}

func TestPriorityNames(t *testing.T) {
	for p := range Priorities {
		if got, err := ParsePriority(p.String()); got != p || err != nil {
			t.Errorf("ParsePriority(%s) = %s, %v", p, got, err)
		}
	}
	if got, err := ParsePriority(""); got != Default || err != nil {
		t.Errorf(`ParsePriority("") = %s, %v, want default`, got, err)
	}
	if _, err := ParsePriority("urgent"); err == nil {
		t.Error("ParsePriority(urgent) is no error")
	}
}

func TestConfig(t *testing.T) {
	c := DefaultConfig()
	c.Start, c.Waiting, c.Wait = 1, -1, 0
	if _, err := New(c); err == nil {
		t.Error("New takes a start below least, a negative queue and no wait")
	}
}

func BenchmarkLimiter(b *testing.B) {
	b.Run("callers=1", func(b *testing.B) {
		l := newLimiter(b, DefaultConfig())
		ctx := b.Context()
		b.ReportAllocs()
		for b.Loop() {
			ticket, _ := l.Enter(ctx, Default)
			l.Leave(ticket, 1, true)
		}
	})
	b.Run("callers=procs", func(b *testing.B) {
		l := newLimiter(b, DefaultConfig())
		ctx := b.Context()
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				ticket, _ := l.Enter(ctx, Default)
				l.Leave(ticket, 1, true)
			}
		})
	})
	b.Run("waits", func(b *testing.B) {
		l := newLimiter(b, fixed(1, 1000))
		ctx := b.Context()
		b.SetParallelism(8)
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if ticket, err := l.Enter(ctx, Default); err == nil {
					l.Leave(ticket, 1, true)
				}
			}
		})
	})
}
