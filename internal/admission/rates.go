package admission

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// AnyName stands for every name that has no rate of its own.
const AnyName = "*"

// MaxRate is the highest rate of a name, in requests a second.
const MaxRate = 1e7

// Rates is a token bucket for each name: it fills at the name's rate, and holds what
// comes in a second. A nil Rates lets everybody through.
type Rates struct {
	any     float64 // rate of a name that has none; 0: none
	mu      sync.RWMutex
	buckets map[string]*rate.Limiter
}

// NewRates returns buckets for rates in requests a second, by name; nil if there are
// none. The error names every rate that is not in 0.001 to MaxRate.
func NewRates(perSecond map[string]float64) (*Rates, error) {
	if len(perSecond) == 0 {
		return nil, nil
	}
	r, errs := &Rates{buckets: map[string]*rate.Limiter{}}, []error(nil)
	for name, n := range perSecond {
		switch {
		case !(n >= 0.001 && n <= MaxRate):
			errs = append(errs, fmt.Errorf("rate of %.64q: %g is not in 0.001 to %g requests/s", name, n, MaxRate))
		case name == AnyName:
			r.any = n
		default:
			r.buckets[name] = bucketOf(n)
		}
	}
	return r, errors.Join(errs...)
}

func bucketOf(perSecond float64) *rate.Limiter {
	return rate.NewLimiter(rate.Limit(perSecond), int(math.Ceil(perSecond)))
}

// Take takes a token from the bucket of name; if there is none it returns how long it
// takes to come, and the rate. Names are those of a configuration: each keeps a bucket.
func (r *Rates) Take(name string) (after time.Duration, perSecond float64, ok bool) {
	if r == nil {
		return 0, 0, true
	}
	r.mu.RLock()
	bucket := r.buckets[name]
	r.mu.RUnlock()
	if bucket == nil {
		if r.any == 0 {
			return 0, 0, true
		}
		bucket = r.add(name)
	}
	now := time.Now()
	if bucket.AllowN(now, 1) {
		return 0, 0, true
	}
	missing := 1 - bucket.TokensAt(now)
	return time.Duration(missing / float64(bucket.Limit()) * float64(time.Second)), float64(bucket.Limit()), false
}

func (r *Rates) add(name string) *rate.Limiter {
	r.mu.Lock()
	defer r.mu.Unlock()
	bucket := r.buckets[name]
	if bucket == nil {
		bucket = bucketOf(r.any)
		r.buckets[name] = bucket
	}
	return bucket
}
