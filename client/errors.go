package client

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// Error is what a server says is wrong, or that none answers.
type Error struct {
	Code    string // a word of the contract, such as unknown_view, limit or unavailable; internal for a failure of the server
	Message string // what is wrong
	Hint    string // what to do; may be empty

	cause error
}

// Error returns the message and the hint.
func (e *Error) Error() string {
	text := e.Code + ": " + e.Message
	if e.Hint != "" {
		text += " (" + e.Hint + ")"
	}
	return text
}

// Unwrap returns ErrRefused, ErrNoNews, context.DeadlineExceeded or another cause.
func (e *Error) Unwrap() error { return e.cause }

var (
	// ErrRefused reports rows that are too old for the request's policy, or a view that
	// refuses reads. Asking again soon does not help, and no kept row takes their place.
	ErrRefused = errors.New("read refused")
	// ErrNoNews reports that nothing happened in the time that was waited.
	ErrNoNews = errors.New("no news")
	// ErrNoValue reports a cell without a value; its status says why.
	ErrNoValue = errors.New("no value")
)

func invalid(hint, format string, args ...any) *Error {
	return &Error{Code: "invalid_argument", Message: fmt.Sprintf(format, args...), Hint: hint}
}

// outcome is the end of one try.
type outcome struct {
	err   error
	again bool          // another try may help, and does no harm
	after time.Duration // what the server wants waited before it
}

// down says whether err means that no server answers, or not now: rows of an earlier
// read may take the place of an answer.
func down(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == "unavailable" && !errors.Is(err, ErrRefused)
}

// words are the codes of statuses that come without an ErrorInfo.
var words = map[codes.Code]string{
	codes.InvalidArgument: "invalid_argument", codes.Unauthenticated: "unauthenticated", codes.PermissionDenied: "forbidden",
	codes.ResourceExhausted: "too_large", codes.Unavailable: "unavailable", codes.DeadlineExceeded: "unavailable",
}

// judgeGRPC says what the error of a call is. A call is worth another try if the
// server cannot be reached or says so, and if it shed the call; ctx is the whole call's.
//
// Source: gRPC proposal A6 for grpc-retry-pushback-ms.
func judgeGRPC(ctx context.Context, what string, err error, trailer metadata.MD) outcome {
	if err == nil {
		return outcome{}
	}
	if ctx.Err() != nil {
		return outcome{err: ended(ctx, what)}
	}
	st := status.Convert(err)
	e := &Error{Code: words[st.Code()], Message: st.Message()}
	if e.Code == "" {
		e.Code = "internal"
	}
	after, shed := time.Duration(0), false
	known := false
	for _, detail := range st.Details() {
		switch d := detail.(type) {
		case *errdetails.ErrorInfo:
			known = true
			e.Code, e.Hint = d.GetReason(), d.GetMetadata()["hint"]
			e.Message = strings.TrimSuffix(e.Message, " ("+e.Hint+")")
		case *errdetails.RetryInfo:
			after, shed = d.GetRetryDelay().AsDuration(), true
		}
	}
	if wish := trailer.Get("grpc-retry-pushback-ms"); len(wish) == 1 {
		ms, err := time.ParseDuration(wish[0] + "ms")
		if err != nil || ms < 0 {
			return outcome{err: e} // the server wants no other try
		}
		after, shed = max(after, ms), true
	}
	switch st.Code() {
	case codes.FailedPrecondition:
		if e.Code == "unavailable" {
			e.cause = ErrRefused
		}
	case codes.DeadlineExceeded: // of one try, since ctx has time left
		e.cause = context.DeadlineExceeded
		return outcome{err: e, again: true}
	case codes.Unavailable:
		if !known {
			e.Hint = "is it running? `sluice run` starts one, Config.GRPC or SLUICE_GRPC names another"
		}
		return outcome{err: e, again: true, after: after}
	case codes.ResourceExhausted:
		return outcome{err: e, again: shed, after: after}
	}
	return outcome{err: e}
}
