package scenario

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// poller reads all the while and notes rows of windows that must not be visible.
type poller struct {
	forbidden atomic.Int64 // window + 1; 0: none
	reads     atomic.Int64
	mu        sync.Mutex
	seen      []string
	wait      sync.WaitGroup
	stop      context.CancelFunc
}

// watch starts a poller on the accounts of the scenario. While the server is
// down its reads fail, which is not the poller's concern.
func watch(t *testing.T, base func() *server) *poller {
	ctx, cancel := context.WithCancel(t.Context())
	p := &poller{stop: cancel}
	var names []string
	for i := range 40 {
		names = append(names, fmt.Sprintf("a%03d", i))
	}
	p.wait.Go(func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			bad := int(p.forbidden.Load()) - 1
			rows, err := base().read(append(names, only(max(bad, 0)))...)
			if err != nil {
				continue
			}
			p.reads.Add(1)
			for _, r := range rows {
				if bad >= 0 && r.in() == bad && int(p.forbidden.Load())-1 == bad {
					p.mu.Lock()
					p.seen = append(p.seen, fmt.Sprintf("%v of window %d: %v", r.Key, bad, r.Values))
					p.mu.Unlock()
				}
			}
		}
	})
	return p
}

// forbid makes rows of window i a fault; -1 allows all.
func (p *poller) forbid(i int) { p.forbidden.Store(int64(i) + 1) }

// end stops the poller and returns what it saw and must not have.
func (p *poller) end() []string {
	p.stop()
	p.wait.Wait()
	return p.seen
}
