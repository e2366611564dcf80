package redis

import (
	"errors"
	"sync/atomic"
	"time"
)

// ErrBreaker reports a read of a shard that has not answered lately: it was not
// asked.
var ErrBreaker = errors.New("the shard does not answer; it was not asked")

// A shard is not asked once it has been silent for so many reads in a row and for so
// long: a stall of this process, in which many reads run out of time at once, is no
// silence of the shard.
const (
	breakerFailures = 5
	breakerSilence  = 200 * time.Millisecond
	breakerRetry    = 100 * time.Millisecond // time between two reads that ask it all the same
)

// breaker keeps reads from waiting for a shard that does not answer: it lets one read
// through in breakerRetry, until that is answered. Together
// with the shard's own pool of connections it keeps one frozen primary from holding
// up what reads of the other shards need. The zero breaker lets all through.
type breaker struct {
	failures atomic.Int32 // since the last answer
	since    atomic.Int64 // of the first of them, Unix nanoseconds
	until    atomic.Int64 // Unix nanoseconds of the next read to let through; 0: all
}

// allow reports whether a read may ask the shard now.
func (b *breaker) allow(now time.Time) bool {
	until := b.until.Load()
	if until == 0 {
		return true
	}
	return now.UnixNano() >= until && b.until.CompareAndSwap(until, now.Add(breakerRetry).UnixNano())
}

// open reports whether reads are kept from the shard.
func (b *breaker) open() bool { return b.until.Load() != 0 }

// answered records that the shard gave an answer, whatever it was, and reports
// whether that ends a time without.
func (b *breaker) answered() bool {
	if b.failures.Load() != 0 {
		b.failures.Store(0)
		b.since.Store(0)
	}
	return b.until.Load() != 0 && b.until.Swap(0) != 0
}

// silent records that the shard gave none, and reports whether that begins a time
// in which it is not asked.
func (b *breaker) silent(now time.Time) bool {
	b.since.CompareAndSwap(0, now.UnixNano())
	if b.failures.Add(1) < breakerFailures || now.UnixNano()-b.since.Load() < int64(breakerSilence) {
		return false
	}
	return b.until.CompareAndSwap(0, now.Add(breakerRetry).UnixNano())
}
