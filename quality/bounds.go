package quality

import (
	"fmt"
	"math"
	"strconv"

	"sluice/feature"
)

// bounds is an interval, both ends included.
type bounds struct{ min, max float64 }

// newBounds returns nil if f has neither min nor max.
func newBounds(f *feature.Feature) (*bounds, error) {
	e := f.Expect
	if e.Min == nil && e.Max == nil {
		return nil, nil
	}
	if !f.Type.Elem().Numeric() {
		return nil, fmt.Errorf("min, max: type %s has no order: %w", f.Type, ErrExpect)
	}
	b := &bounds{math.Inf(-1), math.Inf(1)}
	if e.Min != nil {
		b.min = *e.Min
	}
	if e.Max != nil {
		b.max = *e.Max
	}
	if !(b.min <= b.max) {
		return nil, fmt.Errorf("min %v, max %v: no value lies between: %w", b.min, b.max, ErrExpect)
	}
	return b, nil
}

// hold reports whether v is within; not-a-number never is.
func (b *bounds) hold(v float64) bool { return v >= b.min && v <= b.max }

// fault says which end v breaks.
func (b *bounds) fault(v float64) string {
	switch {
	case v < b.min:
		return "is below min " + number(b.min)
	case v > b.max:
		return "is above max " + number(b.max)
	}
	return fmt.Sprintf("is not between min %s and max %s", number(b.min), number(b.max))
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
