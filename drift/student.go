package drift

import (
	"math"
	"sync"

	"gonum.org/v1/gonum/stat/distuv"
)

// maxQuantiles bounds how many quantiles of Student's law are remembered; a level, which
// an installation has few of, needs some dozens for each number of windows.
const maxQuantiles = 1 << 14

// known holds quantiles of Student's law, which every run of a view asks for again: they
// are a third of what judging takes.
var known = quantileTable{at: map[tail]float64{}}

// quantileTable remembers a pure function. It is safe for concurrent use.
type quantileTable struct {
	mu sync.RWMutex
	at map[tail]float64
}

// of returns studentQuantile(at.p, at.df).
func (q *quantileTable) of(at tail) float64 {
	q.mu.RLock()
	t, ok := q.at[at]
	q.mu.RUnlock()
	if ok {
		return t
	}
	t = studentQuantile(at.p, float64(at.df))
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.at) >= maxQuantiles {
		clear(q.at)
	}
	q.at[at] = t
	return t
}

// latest holds the quantiles that one goroutine asked for last, in places that follow from
// what was asked: the table, which all share, is then seldom needed.
type latest [64]struct {
	at tail
	t  float64
}

// of returns known.of(at).
func (l *latest) of(at tail) float64 {
	slot := &l[(math.Float64bits(at.p)>>32^math.Float64bits(at.p)>>46^uint64(at.df)*31)%uint64(len(l))]
	if slot.at != at {
		slot.at, slot.t = at, known.of(at)
	}
	return slot.t
}

// studentTail returns P(T > t) for df degrees of freedom, at least leastP.
func studentTail(t, df float64) float64 {
	return max(leastP, distuv.StudentsT{Mu: 0, Sigma: 1, Nu: df}.Survival(t))
}

// studentQuantile returns the value that T exceeds with probability p, 0 < p < 1:
// Newton's method on the logarithm of the tail, kept inside a bracket.
func studentQuantile(p, df float64) float64 {
	if p > 0.5 {
		return -studentQuantile(1-p, df)
	}
	law, want := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: df}, math.Log(p)
	low, high := 0.0, math.Inf(1)
	for t := math.Abs(normalQuantile(p)); ; {
		tail := math.Log(studentTail(t, df))
		if tail > want {
			low = t
		} else {
			high = t
		}
		next := t + (tail-want)/math.Exp(law.LogProb(t)-tail)
		if !(next > low && next < high) {
			if next = (low + high) / 2; math.IsInf(high, 1) {
				next = 2*low + 1
			}
		}
		if math.Abs(next-t) <= 1e-12*t || next > 1e15 || low == high {
			return next
		}
		t = next
	}
}

func normalQuantile(p float64) float64 { return distuv.UnitNormal.Quantile(p) }

// valid reports whether a decoded spread can be judged with.
func (s *Spread) valid(summary Summary) bool {
	ok := s.Summary == summary && s.N >= 1 && s.DF >= 1 && s.DF < 1<<31 && s.SD > 0 && s.Rise >= 0 && s.Rise < 1
	for i := range s.Phases {
		ok = ok && s.Phases[i].N >= 1 && s.Phases[i].Wide >= 1
	}
	if h := s.Heavy; h != nil {
		ok = ok && h.N >= 1 && h.Mean > 0 && h.Share > 0
	}
	ok = ok && (s.Follow == nil || s.Follow.valid())
	return ok && (s.Rare == nil || s.Rare.valid())
}
