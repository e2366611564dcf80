package refusal

import (
	"errors"
	"fmt"
	"time"

	"sluice/feature"
)

// ErrFinal reports a read that was refused because of what the view has left
// to show: too old for the request's policy, or refused by its vector. It comes
// with a *feature.Error of code unavailable; asking again soon does not help.
var ErrFinal = errors.New("read refused")

// Of returns the error of a code, with a message that is formatted as by fmt.Sprintf.
func Of(code feature.Code, hint, format string, args ...any) *feature.Error {
	return &feature.Error{Code: code, Message: fmt.Sprintf(format, args...), Hint: hint}
}

// Invalid is Of of invalid_argument.
func Invalid(hint, format string, args ...any) *feature.Error {
	return Of(feature.CodeInvalidArgument, hint, format, args...)
}

// Final is Of of unavailable that is ErrFinal as well.
func Final(hint, format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrFinal, Of(feature.CodeUnavailable, hint, format, args...))
}

// OverLimit names the limit that a request broke: it has got of what, more than most, and
// the key of the configuration is to be looked at.
func OverLimit(what string, got, most int, key string) *feature.Error {
	return Of(feature.CodeLimit, fmt.Sprintf("split the request; %s sets the limit", key),
		"%d %s are more than the limit of %d", got, what, most)
}

// Unknown says that name is none of known, and which it may have been. What says what
// names are of.
func Unknown(code feature.Code, what, name string, known []string) *feature.Error {
	hint := "none is defined"
	if near := feature.Nearest(name, known); near != "" {
		hint = fmt.Sprintf("did you mean %s?", near)
	} else if len(known) > 0 {
		hint = "defined are " + SomeOf(known)
	}
	return Of(code, hint, "%s %s is not defined", what, Quoted(name))
}

// Rows is a request of more rows than its door reads. Whoever gave the door another
// limit than serve.max_entities explains it anew.
type Rows struct{ Limit *feature.Error }

// Error returns the explanation.
func (e *Rows) Error() string { return e.Limit.Error() }

// Unwrap returns it as the error of the contract that callers look for.
func (e *Rows) Unwrap() error { return e.Limit }

// Shed is the answer to a request that was shed: unlike one that breaks a limit
// by itself, it may be sent again after a while.
type Shed struct {
	Problem *feature.Error
	After   time.Duration
}

// Error returns the message.
func (e *Shed) Error() string { return e.Problem.Message }

// Unwrap returns the error of the contract.
func (e *Shed) Unwrap() error { return e.Problem }

// HTTPStatus is what HTTP doors answer in place of the code's own status.
func (e *Shed) HTTPStatus() int { return 429 }

// RetryAfter is how long a client should wait.
func (e *Shed) RetryAfter() time.Duration { return e.After }

// HTTP returns problem as an error that HTTP doors answer with status, in place of the
// code's own.
func HTTP(status int, problem *feature.Error) error { return &withStatus{problem, status} }

type withStatus struct {
	problem *feature.Error
	status  int
}

func (e *withStatus) Error() string { return e.problem.Message }

func (e *withStatus) Unwrap() error { return e.problem }

func (e *withStatus) HTTPStatus() int { return e.status }

// Located is an error in one member of the body of a request.
type Located struct {
	Where string // the member's name; "body": the body itself
	Err   error
}

// Error returns what Err says.
func (l Located) Error() string { return l.Err.Error() }

// Unwrap returns Err.
func (l Located) Unwrap() error { return l.Err }

// At says in which member of the body err lies.
func At(where string, err error) error { return Located{where, err} }
