package redis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"

	goredis "github.com/redis/go-redis/v9"
)

// Errors of a store. Callers test with errors.Is.
var (
	// ErrCorrupt reports bytes in Redis that no release of the store wrote.
	ErrCorrupt = errors.New("damaged row store")
	// ErrClosed reports a store that was closed.
	ErrClosed = errors.New("closed")
	// ErrVersion reports a version of 0 or above MaxVersion.
	ErrVersion = errors.New("version out of range")
	// ErrServer reports a server whose settings do not suit; see CheckServer.
	ErrServer = errors.New("server settings do not suit")
	// ErrLost reports that a failover lost rows that were acknowledged; see Lost.
	ErrLost = errors.New("acknowledged rows were lost")
	// ErrGroup reports views that are to be read together and are not in one group.
	ErrGroup = errors.New("the views are not in one group")
	// ErrUnowned reports a marked write for a source that was not taken over.
	ErrUnowned = errors.New("source was not taken over")
)

// PartialError says which of a call's keys or rows failed; the others were read or
// written. Unwrap gives the errors of the shards.
type PartialError struct {
	Failed []int // positions in the call's keys or rows, rising
	Behind []int // of keys whose primary did not answer and a replica did, rising: it may lack what was written last
	Of     int   // how many there were
	Errs   []error
}

func (e *PartialError) Error() string {
	texts := make([]string, len(e.Errs))
	for i, err := range e.Errs {
		texts[i] = err.Error()
	}
	replicas := ""
	if n := len(e.Behind); n > 0 {
		replicas = fmt.Sprintf(", %d were read from a replica", n)
	}
	return fmt.Sprintf("%d of %d failed%s: %s", len(e.Failed), e.Of, replicas, strings.Join(texts, "; "))
}

// Missing returns Failed: readers that do not know this package ask by it.
func (e *PartialError) Missing() []int { return e.Failed }

// Lagging returns Behind, for the same readers.
func (e *PartialError) Lagging() []int { return e.Behind }

func (e *PartialError) Unwrap() []error { return e.Errs }

// partial makes a PartialError; nil if nothing failed.
func partial(failed []int, of int, errs []error) error {
	if len(errs) == 0 {
		return nil
	}
	slices.Sort(failed)
	return &PartialError{Failed: failed, Of: of, Errs: errs}
}

// isElsewhere reports whether a server says that a key's place is another, or may be.
func isElsewhere(err error) bool {
	return hasPrefix(err, "MOVED ", "ASK ", "TRYAGAIN ", "CLUSTERDOWN ", "READONLY ", "MASTERDOWN ", "LOADING ") ||
		err != nil && strings.Contains(err.Error(), "-READONLY") || isCrossed(err)
}

// isCrossed is what a Function meets whose keys move to another server meanwhile.
func isCrossed(err error) bool {
	return err != nil && strings.Contains(err.Error(), "non local key")
}

func hasPrefix(err error, prefixes ...string) bool {
	if err == nil {
		return false
	}
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(err.Error(), p) })
}

// isConnection reports whether a call failed for want of an answer, so that the map
// of the Cluster may be out of date.
func isConnection(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, goredis.ErrPoolTimeout) || errors.Is(err, goredis.ErrPoolExhausted) || errors.Is(err, context.DeadlineExceeded)
}

// explain gives what the Functions report as damage its name.
func explain(err error) error {
	if text, ok := strings.CutPrefix(fmt.Sprint(err), "SLUICECORRUPT "); ok && err != nil {
		return fmt.Errorf("key %s: %w: delete it and replay the log", text, ErrCorrupt)
	}
	return err
}
