package serving

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"sluice/feature"
)

// ErrRefused reports a read that was refused because of what the view has left
// to show: too old for the request's policy, or refused by its vector. It comes
// with a *feature.Error of code unavailable; asking again soon does not help.
var ErrRefused = errors.New("read refused")

// domain is the domain of the google.rpc.ErrorInfo that gRPC errors carry.
const domain = "sluice"

func problem(code feature.Code, hint, format string, args ...any) *feature.Error {
	return &feature.Error{Code: code, Message: fmt.Sprintf(format, args...), Hint: hint}
}

func invalid(hint, format string, args ...any) *feature.Error {
	return problem(feature.CodeInvalidArgument, hint, format, args...)
}

func refused(hint, format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrRefused, problem(feature.CodeUnavailable, hint, format, args...))
}

// overLimit names the limit that a request broke.
func overLimit(what string, got, most int, key string) *feature.Error {
	return problem(feature.CodeLimit, fmt.Sprintf("split the request; %s sets the limit", key),
		"%d %s are more than the limit of %d", got, what, most)
}

// rowsError is a request of more rows than its door reads. Whoever gave the door another
// limit than serve.max_entities explains it anew.
type rowsError struct{ limit *feature.Error }

// Error returns the explanation.
func (e *rowsError) Error() string { return e.limit.Error() }

// Unwrap returns it as the error of the contract that callers look for.
func (e *rowsError) Unwrap() error { return e.limit }

// unknown says that name is none of known, and which it may have been.
func unknown(code feature.Code, what, name string, known []string) *feature.Error {
	hint := "none is defined"
	if near := feature.Nearest(name, known); near != "" {
		hint = fmt.Sprintf("did you mean %s?", near)
	} else if len(known) > 0 {
		hint = "defined are " + someOf(known)
	}
	return problem(code, hint, "%s %s is not defined", what, quoted(name))
}

// someOf lists up to ten names.
func someOf(names []string) string {
	text := ""
	for i, name := range names {
		if i == 10 {
			return fmt.Sprintf("%s and %d more", text, len(names)-i)
		}
		if i > 0 {
			text += ", "
		}
		text += name
	}
	return text
}

// quoted shows text from outside: escaped and cut to 64 bytes.
func quoted(text string) string {
	if len(text) > 64 {
		return fmt.Sprintf("%q...", text[:64])
	}
	return fmt.Sprintf("%q", text)
}

// grpcCodes says which status goes with a code; the others are InvalidArgument.
var grpcCodes = map[feature.Code]codes.Code{
	feature.CodeUnknownView: codes.NotFound, feature.CodeUnknownFeature: codes.NotFound, feature.CodeUnknownService: codes.NotFound,
	feature.CodeLimit: codes.ResourceExhausted, feature.CodeTooLarge: codes.ResourceExhausted,
	feature.CodeConflict: codes.Aborted, feature.CodeFrozen: codes.FailedPrecondition, feature.CodeCertified: codes.FailedPrecondition,
	feature.CodeExpired: codes.FailedPrecondition, feature.CodeUnauthenticated: codes.Unauthenticated,
	feature.CodeForbidden: codes.PermissionDenied, feature.CodeUnavailable: codes.Unavailable,
}

// grpcCode gives a code of ours its status, also where a deadline of ours is the cause: to
// the caller, DeadlineExceeded says that its own time is over, and is not worth a retry.
func grpcCode(err error) codes.Code {
	var known *feature.Error
	switch {
	case errors.Is(err, ErrRefused):
		return codes.FailedPrecondition
	case errors.As(err, &known):
		if code, ok := grpcCodes[known.Code]; ok {
			return code
		}
		return codes.InvalidArgument
	case errors.Is(err, context.DeadlineExceeded):
		return codes.DeadlineExceeded
	case errors.Is(err, context.Canceled):
		return codes.Canceled
	}
	return codes.Internal
}

// grpcError returns err as a gRPC status with an ErrorInfo that names the
// contract's code and the hint. Only one with a RetryInfo is worth another try: the
// request was shed.
func grpcError(err error) error {
	var known *feature.Error
	if !errors.As(err, &known) {
		return status.Error(grpcCode(err), err.Error())
	}
	info := &errdetails.ErrorInfo{Reason: string(known.Code), Domain: domain}
	message := known.Message
	if known.Hint != "" {
		info.Metadata = map[string]string{"hint": known.Hint}
		message += " (" + known.Hint + ")"
	}
	details := []protoadapt.MessageV1{info}
	if shed := (*shedError)(nil); errors.As(err, &shed) {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(shed.after)})
	}
	st := status.New(grpcCode(err), message)
	if detailed, err := st.WithDetails(details...); err == nil {
		st = detailed
	}
	return st.Err()
}
