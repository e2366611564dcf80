package h2

import (
	"fmt"

	"sluice/internal/connections"
)

// ErrClosed is what Serve returns once the server was closed or told to shut down.
var ErrClosed = connections.ErrClosed

// connError ends a connection: the peer is told code and why.
type connError struct {
	code code
	why  string
}

func (e connError) Error() string { return fmt.Sprintf("%s: %s", e.code, e.why) }

// streamError ends a stream, and leaves the connection as it is.
type streamError struct {
	stream uint32
	code   code
	why    string
}

func (e streamError) Error() string { return fmt.Sprintf("stream %d: %s: %s", e.stream, e.code, e.why) }

func offence(c code, format string, args ...any) error {
	return connError{c, fmt.Sprintf(format, args...)}
}

func fault(stream uint32, c code, format string, args ...any) error {
	return streamError{stream, c, fmt.Sprintf(format, args...)}
}
