package admission

import (
	"math"
	"math/bits"
	"time"
)

// classes are the sizes of requests that are told apart, by their binary
// logarithm: one of 100 rows takes longer than one of one, and that is no sign of
// overload.
const classes = 16

// classOf returns the class of a request of n rows.
func classOf(n int) int { return min(bits.Len(uint(max(n, 0))), classes-1) }

const (
	tolerance = 2.0 // times the least latency that is no sign of overload
	smoothing = 0.4 // weight of a new limit
	fewest    = 16  // requests of a class, for a window to set its least latency
)

// window is what was measured of the requests that ended within a time.
type window struct {
	count [classes]int64
	nanos [classes]int64
	peak  int64 // most requests at work at once
}

// gradient moves a limit of requests at work by how much longer they take than
// they need. One goroutine at a time uses it.
//
// It is Netflix' gradient2 with another yardstick:
//
//	gradient = clamp(tolerance * least/latency, 0.5, 1)
//	limit    = (1-smoothing) * limit + smoothing * (limit*gradient + sqrt(limit))
//
// Gradient2's is a long moving average, which an overload that lasts a minute
// becomes. Here least is the lowest mean of a window in the last baseline to twice
// baseline, for each size of request, and least/latency the mean over the requests
// of a window. A limit of which not half was used stays: nothing is known of it.
//
// Source: github.com/Netflix/concurrency-limits, Gradient2Limit and GradientLimit.
type gradient struct {
	least, most float64 // bounds of limit
	baseline    time.Duration

	limit  float64
	turned time.Time           // when the halves of lowest were last turned
	lowest [2][classes]float64 // nanoseconds; 0: none. Of this half, and of the one before
}

// update takes a window that ended at now, and returns the limit.
func (g *gradient) update(w *window, now time.Time) float64 {
	if now.Sub(g.turned) >= g.baseline {
		g.lowest[1], g.lowest[0], g.turned = g.lowest[0], [classes]float64{}, now
	}
	requests, ratio := int64(0), 0.0
	for c, n := range w.count {
		if n == 0 {
			continue
		}
		mean := max(1, float64(w.nanos[c])/float64(n))
		if n >= fewest {
			g.lowest[0][c] = lower(g.lowest[0][c], mean)
		}
		if low := lower(g.lowest[0][c], g.lowest[1][c]); low > 0 {
			requests += n
			ratio += float64(n) * min(1, low/mean)
		}
	}
	if requests < fewest || 2*float64(w.peak) < g.limit {
		return g.limit
	}
	slope := min(1, max(0.5, tolerance*ratio/float64(requests)))
	next := g.limit*slope + math.Sqrt(g.limit)
	g.limit = min(g.most, max(g.least, g.limit*(1-smoothing)+next*smoothing))
	return g.limit
}

// lower returns the lower of two latencies, of which 0 is none.
func lower(a, b float64) float64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}
