package load

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// TestHistogram wants quantiles that are at most 1/64 above the exact ones.
func TestHistogram(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var h Histogram
	exact := make([]time.Duration, 10_000)
	for i := range exact {
		exact[i] = time.Duration(rng.ExpFloat64()*1e6) * time.Microsecond
		h.Add(exact[i])
	}
	slices.Sort(exact)
	for _, q := range []float64{0, .5, .9, .95, .99, .999, 1} {
		want := exact[max(int(q*float64(len(exact))+0.5), 1)-1]
		if got := h.Quantile(q); got < want || got > want+want/64+time.Microsecond {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	if h.Count() != uint64(len(exact)) || h.Max() != exact[len(exact)-1] {
		t.Errorf("%d values up to %v, want %d up to %v", h.Count(), h.Max(), len(exact), exact[len(exact)-1])
	}
}

func TestHistogramBuckets(t *testing.T) {
	last := -1
	for us := uint64(0); us < 1<<20; us++ {
		b := bucketOf(us)
		if b != last && b != last+1 || us > upperOf(b) || b > 0 && us <= upperOf(b-1) {
			t.Fatalf("%d µs in bucket %d up to %d, the one before up to %d", us, b, upperOf(b), upperOf(max(b-1, 0)))
		}
		last = b
	}
	if b := bucketOf(1 << 63); b != histogramBuckets-1 {
		t.Errorf("a longest latency in bucket %d", b)
	}
}
