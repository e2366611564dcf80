package registry

import (
	"errors"
	"fmt"

	"sluice/feature"
)

// Errors besides those of package feature. Callers test with errors.Is.
var (
	// ErrInvalid reports a request that no registry may carry out: a vector out of
	// order, a blob that is not what its name says, a list without a cursor.
	ErrInvalid = errors.New("invalid")
	// ErrForeign reports a file or schema that is no registry, or one of a newer
	// release.
	ErrForeign = errors.New("not a registry of this release")
	// ErrCorrupt reports a registry that is damaged.
	ErrCorrupt = errors.New("damaged registry")
	// ErrUnavailable reports a server that cannot be reached, does not answer in
	// time, or is busy with others. Nothing was changed.
	ErrUnavailable = feature.ErrUnavailable
	// ErrUncertain reports a server that was lost during a commit and stayed away:
	// the change was made as a whole or not at all, and who wants to know which reads
	// again. Making it again is refused with feature.ErrConflict where it would
	// count twice: a decision by its generation, a verdict by its id.
	ErrUncertain = feature.ErrUncertain
	// ErrRestoring reports a registry that a restore has put in and not finished: what the
	// taps have read, and the rows, may be of another time, so nobody leads and no window
	// begins.
	ErrRestoring = errors.New("a restore has not come to its end: when none runs any more repeat it with sluice restore FILE --force")
)

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}
