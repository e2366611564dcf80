package workers

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Jobs that come one after the other are done by one worker; those that wait end with the
// pool, and what is given later is done.
func TestPool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var done []int
		gate := make(chan struct{})
		p := New(func(n int) {
			if n < 0 {
				<-gate
			}
			mu.Lock()
			defer mu.Unlock()
			done = append(done, n)
		})
		idle := func() int {
			p.mu.Lock()
			defer p.mu.Unlock()
			return len(p.idle)
		}
		for n := range 10 {
			p.Run(n)
			synctest.Wait()
		}
		if len(done) != 10 || idle() != 1 {
			t.Fatalf("10 jobs in turn: %v done, %d workers wait; want all, by one", done, idle())
		}
		for range Kept + 5 {
			p.Run(-1)
		}
		synctest.Wait()
		close(gate)
		synctest.Wait()
		if len(done) != 15+Kept || idle() != Kept {
			t.Fatalf("%d done, %d workers wait; want %d, %d", len(done), idle(), 15+Kept, Kept)
		}
		// Those that a burst has made go, but for the one that is needed.
		for range 3 {
			time.Sleep(Rest / 2)
			p.Run(2)
			synctest.Wait()
		}
		if len(done) != 18+Kept || idle() != Kept {
			t.Fatalf("%d done, %d workers wait; want %d, %d until one time of rest is over", len(done), idle(), 18+Kept, Kept)
		}
		for range 3 {
			time.Sleep(Rest / 2)
			p.Run(2)
			synctest.Wait()
		}
		if len(done) != 21+Kept || idle() != 1 {
			t.Fatalf("%d done, %d workers wait; want %d, one", len(done), idle(), 21+Kept)
		}
		time.Sleep(3 * Rest)
		synctest.Wait()
		if idle() != 0 {
			t.Fatalf("%d workers wait for ever", idle())
		}
		p.Run(2)
		synctest.Wait()
		p.End()
		p.Run(1)
		synctest.Wait()
		if len(done) != 23+Kept || idle() != 0 {
			t.Fatalf("after the end: %d done, %d workers wait; want %d, none", len(done), idle(), 23+Kept)
		}
	}) // which fails if a goroutine is left
}
