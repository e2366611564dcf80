package registry

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"

	"sluice/feature"
)

// SQLSTATE codes, and classes of two characters, as the server's manual lists them.
const (
	uniqueViolation    = "23505"
	untranslatable     = "22021" // text that is no UTF-8, or holds a zero byte
	serialization      = "40001"
	deadlock           = "40P01"
	lockTimeout        = "55P03"
	idleInTransaction  = "25P03"
	queryCanceled      = "57014" // by statement_timeout
	classConnection    = "08"
	classIntervention  = "57"
	classResources     = "53"
	classCorrupt       = "XX"
	dataCorrupted      = "XX001"
	indexCorrupted     = "XX002"
	diskFull           = "53100"
	tooManyConnections = "53300"
)

// code returns the SQLSTATE of err; empty if it did not come from the server.
func code(err error) string {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return ""
	}
	return e.Code
}

// taken reports whether err is a row that is there already.
func (p *postgres) taken(err error) bool { return code(err) == uniqueViolation }

// doubtful reports whether a commit with this error may have been carried out: if
// the server did not say that it was refused, in a session that goes on.
func (p *postgres) doubtful(err error) bool {
	var e *pgconn.PgError
	return !errors.As(err, &e) || e.SeverityUnlocalized != "ERROR" || strings.HasPrefix(e.Code, classIntervention)
}

// transient reports whether err is about the connection or about others at work.
// One that is about our own context is among them: of the caller's, the caller knows.
func (p *postgres) transient(err error) bool {
	switch c := code(err); c {
	case "":
		return lost(err)
	case serialization, deadlock, lockTimeout, idleInTransaction, tooManyConnections, queryCanceled:
		return true
	default:
		return strings.HasPrefix(c, classConnection) || strings.HasPrefix(c, classIntervention)
	}
}

// lost reports whether err, which is not the server's, is about the connection.
func lost(err error) bool {
	var network net.Error
	var connect *pgconn.ConnectError
	switch {
	case errors.Is(err, driver.ErrBadConn), errors.Is(err, sql.ErrConnDone), errors.Is(err, sql.ErrTxDone), errors.Is(err, pgconn.ErrConnClosed),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, context.DeadlineExceeded):
		return true
	}
	return errors.As(err, &network) || errors.As(err, &connect) || pgconn.Timeout(err) || pgconn.SafeToRetry(err)
}

// explain names the server where err comes from it or from the way there. Errors
// that say what a caller did stay as they are.
func (p *postgres) explain(err error) error {
	switch {
	case err == nil || errors.Is(err, ErrUnavailable) || errors.Is(err, ErrCorrupt) || errors.Is(err, ErrForeign):
		return p.server.mask(err)
	case errors.Is(err, ErrUncertain):
		return p.server.mask(fmt.Errorf("%s: %w", p.server.place, err))
	case errors.Is(err, context.Canceled):
		return err
	case p.transient(err):
		return p.server.mask(fmt.Errorf("%s: %w: %w", p.server.place, ErrUnavailable, err))
	}
	switch code(err) {
	case "":
		return p.server.mask(err)
	case untranslatable:
		return p.server.mask(fmt.Errorf("%w: text with a zero byte or no UTF-8: %w", ErrInvalid, err))
	case diskFull:
		return p.server.mask(fmt.Errorf("%s: %w: %w: make room there: %w", p.server.place, ErrUnavailable, feature.ErrFull, err))
	case dataCorrupted, indexCorrupted:
		return p.server.mask(fmt.Errorf("%s: %w: restore it from a backup: %w", p.server.place, ErrCorrupt, err))
	}
	return p.server.mask(fmt.Errorf("%s: %w", p.server.place, err))
}

// mask keeps the password out of an error's text, wherever it may come from: as a word of
// its own, since a letter masked in every word would tell it. One that the text names
// anyway, such as that of a user of the same name, is told by a mask, and stays.
func (s server) mask(err error) error {
	if err == nil || s.secret == "" || !strings.Contains(err.Error(), s.secret) {
		return err
	}
	if named := s.place + " " + s.config.User; strings.Contains(named, s.secret) {
		return err
	}
	return &masked{err: err, secret: s.secret}
}

type masked struct {
	err    error
	secret string
}

// Error is the text without the password.
func (m *masked) Error() string {
	var b strings.Builder
	text, last := m.err.Error(), ' '
	for text != "" {
		rest, here := strings.CutPrefix(text, m.secret)
		next, _ := utf8.DecodeRuneInString(rest)
		if here && !wordRune(last) && (rest == "" || !wordRune(next)) {
			b.WriteString("[password]")
			text, last = rest, ']'
			continue
		}
		r, n := utf8.DecodeRuneInString(text)
		b.WriteString(text[:n])
		text, last = text[n:], r
	}
	return b.String()
}

func wordRune(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// Is reports whether the masked error is target. What it wraps stays inside.
func (m *masked) Is(target error) bool { return errors.Is(m.err, target) }
