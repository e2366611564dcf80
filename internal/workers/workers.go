// Package workers runs short jobs on goroutines that are kept for the next.
//
// A server that has thousands of connections and answers each on a goroutine of its own
// pays for that at every collection of garbage: the stacks, which have grown, are scanned,
// shrunk and grown again, and each goroutine that allocates meanwhile has to help with 64
// KiB of marking at least, which it is credited with and never comes to use. A few workers
// that do all the work keep stacks and credit.
package workers

import (
	"slices"
	"sync"
	"time"
)

const (
	// Kept is how many workers wait for the next job, at most.
	Kept = 256
	// Rest is how long a worker waits for one, about: those that were not needed for that
	// long go, so that a burst leaves nothing behind.
	Rest = 5 * time.Second
)

// Pool runs jobs of one kind. It is safe for concurrent use.
type Pool[T any] struct {
	do func(T)

	mu    sync.Mutex
	done  bool
	idle  []*worker[T] // the last to have finished comes first again: its memory is warm
	least int          // of them waited all the time since the timer was set; the first
	timer *time.Timer  // nil while nobody waits
}

type worker[T any] struct{ next chan T }

// New returns a pool whose jobs are done by do.
func New[T any](do func(T)) *Pool[T] { return &Pool[T]{do: do} }

// Run has job done by a worker that waits, or by a new one, and does not wait for it.
func (p *Pool[T]) Run(job T) {
	p.mu.Lock()
	if n := len(p.idle); n > 0 {
		w := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.least = min(p.least, n-1)
		p.mu.Unlock()
		w.next <- job
		return
	}
	p.mu.Unlock()
	go p.work(&worker[T]{next: make(chan T, 1)}, job)
}

func (p *Pool[T]) work(w *worker[T], job T) {
	for ok := true; ok; job, ok = <-w.next {
		p.do(job)
		if !p.wait(w) {
			return
		}
	}
}

// wait puts w back, unless there are enough.
func (p *Pool[T]) wait(w *worker[T]) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done || len(p.idle) >= Kept {
		return false
	}
	p.idle = append(p.idle, w)
	if p.timer == nil {
		p.timer = time.AfterFunc(Rest, p.trim)
	}
	return true
}

// trim lets the workers go that nobody needed since it was called last.
func (p *Pool[T]) trim() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done {
		return
	}
	for _, w := range p.idle[:p.least] {
		close(w.next)
	}
	p.idle = slices.Delete(p.idle, 0, p.least)
	if p.least = len(p.idle); p.least == 0 {
		p.timer = nil
		return
	}
	p.timer.Reset(Rest)
}

// End lets the workers that wait go, and the others once their job is done. Jobs that are
// given later are done all the same.
func (p *Pool[T]) End() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done = true
	for _, w := range p.idle {
		close(w.next)
	}
	p.idle, p.least = nil, 0
	if p.timer != nil {
		p.timer.Stop()
	}
}
