package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// Retry says how often calls are tried again. Pauses are uniform in [0, Base * 2^n] and
// at most Cap, on top of what a server asks for. Every call earns Ratio tries more, and
// no more than Burst are saved up, for all calls of a client together: a server that is
// down sees at most 1 + Ratio times the calls, whatever the number of callers.
type Retry struct {
	Attempts   int           // tries of a call, the first included; 1 never tries again. 0: 4
	Base       time.Duration // 0: 50 ms
	Cap        time.Duration // 0: 2 s
	Ratio      float64       // 0: 0.1
	Burst      float64       // 0: 10
	TryTimeout time.Duration // of one try; 0: what is left of the call's time
}

func (r Retry) withDefaults() Retry {
	if r.Base == 0 {
		r.Base = 50 * time.Millisecond
	}
	if r.Cap == 0 {
		r.Cap = 2 * time.Second
	}
	if r.Attempts == 0 {
		r.Attempts = 4
	}
	if r.Ratio == 0 {
		r.Ratio = .1
	}
	if r.Burst == 0 {
		r.Burst = 10
	}
	return r
}

func (r Retry) validate() error {
	var errs []error
	if r.Attempts < 0 || r.Attempts > 100 {
		errs = append(errs, fmt.Errorf("Retry.Attempts: %d is not in 1 to 100", r.Attempts))
	}
	if r.Base < 0 || r.Cap < 0 || r.TryTimeout < 0 {
		errs = append(errs, errors.New("Retry: a time is negative"))
	}
	if !(r.Ratio >= 0 && r.Burst >= 0) {
		errs = append(errs, fmt.Errorf("Retry: ratio %g or burst %g is not a number of tries", r.Ratio, r.Burst))
	}
	return errors.Join(errs...)
}

// budget is a bucket of tries.
type budget struct {
	mu    sync.Mutex
	saved float64
}

func (b *budget) earn(r Retry) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.saved = min(r.Burst, b.saved+r.Ratio)
}

func (b *budget) spend() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.saved < 1 {
		return false
	}
	b.saved--
	return true
}

// try calls once until it succeeds, another try would not help, or the time or the
// budget does not allow one. A try takes at most most, if that is not 0. The error is
// the last try's.
func (c *Client) try(ctx context.Context, most time.Duration, once func(context.Context) outcome) error {
	r := c.config.Retry
	c.budget.earn(r)
	for n := 0; ; n++ {
		out := attempt(ctx, most, once)
		if out.err == nil || !out.again || n+1 >= r.Attempts || !c.pause(ctx, n, out.after) {
			return out.err
		}
	}
}

func attempt(ctx context.Context, most time.Duration, once func(context.Context) outcome) outcome {
	if most > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, most)
		defer cancel()
	}
	return once(ctx)
}

// pause waits before try n + 2. It is false if there is to be none.
func (c *Client) pause(ctx context.Context, n int, after time.Duration) bool {
	r := c.config.Retry
	most := r.Cap
	if n < 20 {
		most = min(r.Cap, r.Base<<n)
	}
	wait := after + rand.N(most+1)
	if end, ok := ctx.Deadline(); ok && time.Until(end) <= wait || !c.budget.spend() {
		return false
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
