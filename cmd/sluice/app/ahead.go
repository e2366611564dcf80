package app

import (
	"context"
	"fmt"
	"time"

	"sluice/feature"
)

// ahead refuses rows at the door that the tap would refuse: by its bound, which most is.
type ahead struct {
	clock *clock
	most  time.Duration
}

// check is a serving.AheadFunc.
func (a ahead) check(ctx context.Context, at time.Time) error {
	now, beyond := a.beyond(at)
	if beyond && a.clock.manual {
		// Another process may have moved it since this one looked.
		if err := a.clock.read(ctx); err != nil {
			p := &feature.Error{Code: feature.CodeUnavailable, Message: "the clock cannot be read", Hint: "push again with the same rows"}
			return fmt.Errorf("%w: %w", p, err)
		}
		now, beyond = a.beyond(at)
	}
	if !beyond {
		return nil
	}
	return &feature.Error{
		Code:    feature.CodeFuture,
		Message: fmt.Sprintf("event time %s is more than %s ahead of the clock, %s", at.Format(time.RFC3339), a.most, now.UTC().Format(time.RFC3339)),
		Hint:    "check the producer's clock and unit",
	}
}

// beyond reports whether at is further ahead of now than the tap takes it.
func (a ahead) beyond(at time.Time) (now time.Time, yes bool) {
	now, set := a.clock.Now()
	return now, set && at.After(now.Add(a.most))
}
