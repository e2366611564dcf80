package redis

import (
	"sync"
	"sync/atomic"
	"time"
)

// budgetTime is for how long what was not spent of a budget is kept, about.
const budgetTime = 30 * time.Second

// budget bounds how many reads are asked twice: a share of all reads, so that where
// everything is slow the servers are not given more than that share more. What was not
// spent fades away over budgetTime, so that a burst is bounded by the load as well.
type budget struct {
	share float64
	reads atomic.Uint64 // in all

	mu   sync.Mutex
	at   time.Time // of the last call of take
	seen uint64    // reads by then
	left float64   // that may be asked twice
}

func newBudget(share float64, now time.Time) *budget { return &budget{share: share, at: now} }

// read takes in a read.
func (b *budget) read() { b.reads.Add(1) }

// take reports whether one more read may be asked twice, and counts it.
func (b *budget) take(now time.Time) bool {
	reads := b.reads.Load()
	b.mu.Lock()
	defer b.mu.Unlock()
	fresh, passed := float64(reads-b.seen), now.Sub(b.at)
	b.seen, b.at = reads, now
	if passed >= budgetTime {
		b.left, fresh = 0, fresh*(budgetTime.Seconds()/passed.Seconds())
	}
	b.left = b.left*(1-max(0, passed.Seconds())/budgetTime.Seconds()) + b.share*fresh
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}
