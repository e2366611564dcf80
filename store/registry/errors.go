package registry

import (
	"errors"
	"fmt"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Errors besides those of package feature. Callers test with errors.Is.
var (
	// ErrInvalid reports a request that no registry may carry out: a vector out of
	// order, a blob that is not what its name says, a list without a cursor.
	ErrInvalid = errors.New("invalid")
	// ErrForeign reports a file that is no registry, or one of a newer release.
	ErrForeign = errors.New("not a registry of this release")
	// ErrCorrupt reports a registry file that is damaged.
	ErrCorrupt = errors.New("damaged registry file")
)

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}

// explain names the file and what to do where SQLite found damage; other errors
// stay as they are.
func (s *SQLite) explain(err error) error {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	if code := e.Code() & 0xff; code != sqlite3.SQLITE_CORRUPT && code != sqlite3.SQLITE_NOTADB || errors.Is(err, ErrCorrupt) {
		return err
	}
	return fmt.Errorf("%s: %w: restore it from a backup, or move it away to start anew: %w", s.path, ErrCorrupt, err)
}

// taken reports whether err is a row that is there already.
func taken(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && (e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)
}

// damaged reports whether a check of the whole file found anything but "ok".
func damaged(report string) bool { return !strings.EqualFold(strings.TrimSpace(report), "ok") }
