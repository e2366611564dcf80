// Package sketch holds what Sluice keeps of a window of writes: profiles, the
// layouts of bins they count in, and their binary forms.
//
// A Profile is commutative exact state: counts, sums of integers, maxima and a
// sample chosen by hash. However a window's writes are split over partitions,
// ordered, merged or interrupted by restarts, the profile has the same bytes.
// Statistics come from the counts of two profiles over the same Layout, so the
// bins' error is common to both sides and cancels.
//
// What is kept of a feature depends on its type:
//
//	int32, int64, float32, float64   numeric bins, moments, distinct count
//	timestamp                        the same over the age in seconds: start of the row's window minus the value
//	list                             the same over the length
//	string, bytes                    categories by keyed hash, the others in buckets of it, distinct count
//	bool                             the categories false and true, distinct count
//	json                             presence only
//
// Of three types more is kept, in a column of its own beside the feature's, the facet:
// of timestamps the hour of the week of their own time (168 counts, UTC), of lists their
// elements, as values of the element type are kept, and of json which paths hold a value,
// in how many rows.
//
// Nulls, not-a-number and the two infinities have counters of their own and
// never enter bins or moments; -0 is 0. Integers beyond 2^53 are binned after
// rounding to float64.
//
// A Layout is immutable and safe for concurrent use. A Profile belongs to one
// goroutine while it is changed. Package sketch imports feature only.
package sketch

import "errors"

// Errors of the package; test with errors.Is.
var (
	// ErrCorrupt reports bytes that no encoder of this package wrote.
	ErrCorrupt = errors.New("corrupt encoding")
	// ErrLayout reports profiles, or a profile and a layout, that do not belong together.
	ErrLayout = errors.New("different layout")
	// ErrKey reports profiles made under different hash keys.
	ErrKey = errors.New("different hash key")
	// ErrSample reports too few sampled rows to build a layout from.
	ErrSample = errors.New("too few rows")
)
