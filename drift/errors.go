package drift

import (
	"errors"

	"sluice/drift/binned"
)

// Errors of this package. Callers test with errors.Is.
var (
	// ErrBins reports counts that are not over the same bins, or over too few.
	ErrBins = binned.ErrBins
	// ErrSample reports a side with too few observations.
	ErrSample = binned.ErrSample
	// ErrCorrupt reports bytes that no encoder of this package wrote.
	ErrCorrupt = errors.New("corrupt encoding")
)
