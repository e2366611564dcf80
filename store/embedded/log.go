package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"syscall"
)

// logger hands Pebble's messages over: its course of business as debug messages.
type logger struct{ log *slog.Logger }

func (l logger) Infof(format string, args ...any) {
	if l.log.Enabled(context.Background(), slog.LevelDebug) {
		l.log.Debug("row store: " + fmt.Sprintf(format, args...))
	}
}

func (l logger) Errorf(format string, args ...any) {
	l.log.Error("row store: " + fmt.Sprintf(format, args...))
}

// Fatalf ends the process, as Pebble requires: its log can no longer be written, so
// nothing staged from here on would survive.
func (l logger) Fatalf(format string, args ...any) {
	message := "row store: " + fmt.Sprintf(format, args...)
	l.log.Error(message)
	fmt.Fprintln(os.Stderr, message)
	os.Exit(1)
}

// isLocked reports whether the folder's lock is held: by another process, or by
// this one, for which Pebble has no named error.
func isLocked(err error) bool {
	return errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EACCES) || strings.Contains(err.Error(), "lock held by current process")
}
