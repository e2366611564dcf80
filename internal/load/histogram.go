package load

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// A bucket is at most 1/64 wide of what it holds; the last one begins above an hour.
const (
	histogramBits    = 6
	histogramBuckets = (36 + 1) << histogramBits
)

// Histogram counts latencies in microseconds. Adding takes no lock. The zero
// Histogram is empty.
type Histogram struct {
	counts [histogramBuckets]atomic.Uint64
	most   atomic.Int64 // microseconds
}

// Add counts one latency; a negative one is none.
func (h *Histogram) Add(d time.Duration) {
	us := max(d.Microseconds(), 0)
	h.counts[bucketOf(uint64(us))].Add(1)
	for {
		most := h.most.Load()
		if us <= most || h.most.CompareAndSwap(most, us) {
			return
		}
	}
}

// bucketOf returns the bucket of a number of microseconds: exact below 2^histogramBits.
func bucketOf(us uint64) int {
	shift := max(bits.Len64(us)-histogramBits-1, 0)
	return min(shift<<histogramBits+int(us>>shift), histogramBuckets-1)
}

// upperOf returns the largest number of microseconds of a bucket.
func upperOf(bucket int) uint64 {
	if bucket < 2<<histogramBits {
		return uint64(bucket)
	}
	shift := bucket>>histogramBits - 1
	return uint64(bucket-shift<<histogramBits+1)<<shift - 1
}

// Count returns how many latencies were added.
func (h *Histogram) Count() (n uint64) {
	for i := range h.counts {
		n += h.counts[i].Load()
	}
	return n
}

// Quantile returns the latency that a share q, 0 to 1, of all does not exceed, at
// most 1/64 too long; 0 if there are none.
func (h *Histogram) Quantile(q float64) time.Duration {
	count := h.Count()
	rank, seen := uint64(q*float64(count)+0.5), uint64(0)
	for i := range h.counts {
		n := h.counts[i].Load()
		if seen += n; n > 0 && seen >= max(rank, 1) {
			return min(time.Duration(upperOf(i))*time.Microsecond, h.Max())
		}
	}
	return h.Max()
}

// Max returns the longest latency, to the microsecond.
func (h *Histogram) Max() time.Duration { return time.Duration(h.most.Load()) * time.Microsecond }
