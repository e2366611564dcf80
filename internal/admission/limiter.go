package admission

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Reasons for which Enter sheds a request.
var (
	ErrFull = errors.New("too many requests wait")                        // or one of a higher priority took the place
	ErrSlow = errors.New("too many requests are at work")                 // and the wait was over
	ErrLate = errors.New("the request would not be answered in its time") // by its deadline, as far as can be told
)

// Config says how many requests are let in. Times are of the machine's own clock.
type Config struct {
	Least    int           // requests at work that are always let in
	Most     int           // requests at work, whatever their latency
	Start    int           // limit before anything is known
	Waiting  int           // requests that wait
	Wait     time.Duration // longest wait of a request
	Window   time.Duration // between two changes of the limit
	Baseline time.Duration // how long the least latency is remembered, at least
}

// DefaultConfig returns limits for reads of a store that answers within milliseconds.
// Least is enough for a machine to be busy, so that a latency which rises for another
// reason than load costs no throughput.
func DefaultConfig() Config {
	return Config{
		Least: 64, Most: 4096, Start: 1024, Waiting: 4096, Wait: 100 * time.Millisecond,
		Window: 100 * time.Millisecond, Baseline: 5 * time.Minute,
	}
}

// Validate returns every problem of c, joined, each with its key and value.
func (c Config) Validate() error {
	var errs []error
	if c.Least < 1 || c.Most < c.Least || c.Start < c.Least || c.Start > c.Most {
		errs = append(errs, fmt.Errorf("limit: want 1 <= least (%d) <= start (%d) <= most (%d)", c.Least, c.Start, c.Most))
	}
	if c.Waiting < 0 {
		errs = append(errs, fmt.Errorf("waiting: %d is negative", c.Waiting))
	}
	for _, d := range []struct {
		key   string
		value time.Duration
	}{{"wait", c.Wait}, {"window", c.Window}, {"baseline", c.Baseline}} {
		if d.value <= 0 {
			errs = append(errs, fmt.Errorf("%s: %s is not positive", d.key, d.value))
		}
	}
	return errors.Join(errs...)
}

// Limiter lets in as many requests at once as do not slow each other down. While
// nobody waits, a request costs a few atomic additions and no memory.
type Limiter struct {
	config Config
	born   time.Time

	limit   atomic.Int64
	running atomic.Int64
	queued  atomic.Int64 // a copy of waiting.n, or one more

	count [classes]atomic.Int64 // of the window
	nanos [classes]atomic.Int64
	peak  atomic.Int64
	next  atomic.Int64 // end of the window, nanoseconds since born
	mean  atomic.Int64 // of the last window, nanoseconds

	mu       sync.Mutex
	waiting  queue
	waiters  sync.Pool // of *waiter
	measure  sync.Mutex
	gradient gradient
}

// New returns a limiter; the error names every problem of config.
func New(config Config) (*Limiter, error) {
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("admission: %w", err)
	}
	l := &Limiter{config: config, born: time.Now(), waiters: sync.Pool{New: newWaiter}}
	l.gradient = gradient{least: float64(config.Least), most: float64(config.Most), limit: float64(config.Start), baseline: config.Baseline, turned: l.born}
	l.limit.Store(int64(config.Start))
	l.next.Store(int64(config.Window))
	return l, nil
}

// Ticket is a request that was let in. It is given back by Leave, once.
type Ticket struct{ begun int64 }

// Limit returns how many requests may be at work, how many are, and how many wait.
func (l *Limiter) Limit() (limit, running, waiting int) {
	return int(l.limit.Load()), int(l.running.Load()), int(l.queued.Load())
}

// Enter lets a request in, at once or when one that is at work leaves. The error is
// ErrFull, ErrSlow or ErrLate for one that is shed, and that of ctx if it ends first.
func (l *Limiter) Enter(ctx context.Context, p Priority) (Ticket, error) {
	p = min(p, Priorities-1)
	if l.queued.Load() == 0 && l.take() {
		return l.ticket(), nil
	}
	if err := l.wait(ctx, p); err != nil {
		return Ticket{}, err
	}
	return l.ticket(), nil
}

func (l *Limiter) ticket() Ticket {
	if n := l.running.Load(); n > l.peak.Load() {
		l.peak.Store(n) // about: two at once may lose one
	}
	return Ticket{int64(time.Since(l.born))}
}

// take takes a place at work if one is free. Nobody sees one taken that is not: a
// place that was free for a moment would be missed by those who wait.
func (l *Limiter) take() bool {
	for {
		n := l.running.Load()
		if n >= l.limit.Load() {
			return false
		}
		if l.running.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// Leave gives t back. rows is the size of the request, measured whether its time
// tells how loaded the machine is: not if it waited for something that was broken.
func (l *Limiter) Leave(t Ticket, rows int, measured bool) {
	now := int64(time.Since(l.born))
	if measured {
		c := classOf(rows)
		l.count[c].Add(1)
		l.nanos[c].Add(now - t.begun)
	}
	l.running.Add(-1)
	l.nextIn()
	if end := l.next.Load(); now >= end && l.next.CompareAndSwap(end, now+int64(l.config.Window)) {
		l.adapt(now)
	}
}

// wait queues a request until it is let in or shed.
func (l *Limiter) wait(ctx context.Context, p Priority) error {
	l.mu.Lock()
	l.queued.Add(1) // before the last look: whoever leaves from now on looks here
	if l.waiting.n == 0 && l.take() {
		l.queued.Add(-1)
		l.mu.Unlock()
		return nil
	}
	longest, err := l.patience(ctx, p)
	if err == nil && l.waiting.n >= l.config.Waiting {
		if worse := l.waiting.last(p); worse != nil {
			l.dismiss(worse, ErrFull)
		} else {
			err = ErrFull
		}
	}
	if err != nil {
		l.queued.Add(-1)
		l.mu.Unlock()
		return err
	}
	w := l.waiters.Get().(*waiter)
	w.priority = p
	l.waiting.push(w)
	l.admit()
	l.mu.Unlock()
	w.timer.Reset(longest)
	defer func() {
		w.timer.Stop()
		l.waiters.Put(w)
	}()
	select {
	case err := <-w.told:
		return err
	case <-w.timer.C:
		return l.giveUp(w, ErrSlow)
	case <-ctx.Done():
		return l.giveUp(w, ctx.Err())
	}
}

// patience returns how long a request may wait, by the configuration and by its
// deadline, before which it must also be answered. ErrLate says that it would not
// be: those ahead of it take too long.
func (l *Limiter) patience(ctx context.Context, p Priority) (time.Duration, error) {
	longest := l.config.Wait
	end, ok := ctx.Deadline()
	if !ok {
		return longest, nil
	}
	mean := l.mean.Load()
	rest := time.Until(end) - time.Duration(mean)
	if needed := mean * int64(l.waiting.ahead(p)) / max(1, l.limit.Load()); rest <= time.Duration(needed) {
		return 0, ErrLate
	}
	return min(longest, rest), nil
}

// giveUp takes w out of the queue, unless it was told by now.
func (l *Limiter) giveUp(w *waiter, why error) error {
	l.mu.Lock()
	if w.place != nil {
		l.waiting.remove(w)
		l.queued.Add(-1)
		l.mu.Unlock()
		return why
	}
	l.mu.Unlock()
	return <-w.told
}

// dismiss takes w out of the queue and tells it; l.mu is held.
func (l *Limiter) dismiss(w *waiter, why error) {
	l.waiting.remove(w)
	l.queued.Add(-1)
	w.told <- why
}

// admit lets in those who wait while there are places; l.mu is held.
func (l *Limiter) admit() {
	for w := l.waiting.first(); w != nil && l.take(); w = l.waiting.first() {
		l.dismiss(w, nil)
	}
}

// nextIn lets in those for whom there are places now.
func (l *Limiter) nextIn() {
	if l.queued.Load() == 0 {
		return
	}
	l.mu.Lock()
	l.admit()
	l.mu.Unlock()
}

// adapt ends a window and sets the limit.
func (l *Limiter) adapt(now int64) {
	l.measure.Lock()
	w := window{peak: l.peak.Swap(l.running.Load())}
	total, nanos := int64(0), int64(0)
	for c := range w.count {
		w.count[c], w.nanos[c] = l.count[c].Swap(0), l.nanos[c].Swap(0)
		total, nanos = total+w.count[c], nanos+w.nanos[c]
	}
	if total > 0 {
		l.mean.Store(nanos / total)
	}
	limit := l.gradient.update(&w, l.born.Add(time.Duration(now)))
	l.limit.Store(int64(limit))
	l.measure.Unlock()
	l.nextIn()
}
