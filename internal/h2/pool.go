package h2

import "sync"

const (
	idleBuffer = 1 << 10              // bytes that a connection reads into until more comes than that
	fullBuffer = frameHead + maxFrame // bytes of a buffer that holds any frame
	keptBuffer = 256 << 10            // bytes of the largest buffer that is kept for others
)

// slabs are buffers between uses.
var slabs = sync.Pool{New: func() any {
	b := make([]byte, 0, fullBuffer)
	return &b
}}

// slab returns an empty buffer with room for n bytes.
func slab(n int) *[]byte {
	b := slabs.Get().(*[]byte)
	if cap(*b) < n {
		*b = make([]byte, 0, n)
	}
	*b = (*b)[:0]
	return b
}

func free(b *[]byte) {
	if b != nil && cap(*b) <= keptBuffer {
		slabs.Put(b)
	}
}

// workers run calls on goroutines that are kept for the next: their stacks have grown.
type workers struct {
	mu   sync.Mutex
	done bool
	idle []*worker // the last to have finished comes first again: its memory is warm
}

// keptWorkers are as many as wait for the next call, at most.
const keptWorkers = 256

type worker struct{ next chan *stream }

// run runs s, on a worker that waits or on a new one.
func (p *workers) run(s *stream) {
	p.mu.Lock()
	if n := len(p.idle); n > 0 {
		w := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		w.next <- s
		return
	}
	p.mu.Unlock()
	go p.work(&worker{next: make(chan *stream, 1)}, s)
}

func (p *workers) work(w *worker, s *stream) {
	for ok := true; ok; s, ok = <-w.next {
		s.answer()
		if !p.wait(w) {
			return
		}
	}
}

// wait puts w back, unless there are enough.
func (p *workers) wait(w *worker) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done || len(p.idle) >= keptWorkers {
		return false
	}
	p.idle = append(p.idle, w)
	return true
}

// end lets the workers that wait go.
func (p *workers) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done = true
	for _, w := range p.idle {
		close(w.next)
	}
	p.idle = nil
}
