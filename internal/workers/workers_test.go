package workers

import (
	"sync"
	"testing"
	"testing/synctest"
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
		for n := range 10 {
			p.Run(n)
			synctest.Wait()
		}
		if len(done) != 10 || len(p.idle) != 1 {
			t.Fatalf("10 jobs in turn: %v done, %d workers wait; want all, by one", done, len(p.idle))
		}
		for range Kept + 5 {
			p.Run(-1)
		}
		synctest.Wait()
		close(gate)
		synctest.Wait()
		if len(done) != 15+Kept || len(p.idle) != Kept {
			t.Fatalf("%d done, %d workers wait; want %d, %d", len(done), len(p.idle), 15+Kept, Kept)
		}
		p.End()
		p.Run(1)
		synctest.Wait()
		if len(done) != 16+Kept || len(p.idle) != 0 {
			t.Fatalf("after the end: %d done, %d workers wait; want %d, none", len(done), len(p.idle), 16+Kept)
		}
	}) // which fails if a goroutine is left
}
