package refusal

import (
	"context"
	"errors"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"sluice/feature"
)

// domain is the domain of the google.rpc.ErrorInfo that gRPC errors carry.
const domain = "sluice"

// grpcCodes says which status goes with a code; the others are InvalidArgument.
var grpcCodes = map[feature.Code]codes.Code{
	feature.CodeUnknownView: codes.NotFound, feature.CodeUnknownFeature: codes.NotFound, feature.CodeUnknownService: codes.NotFound,
	feature.CodeLimit: codes.ResourceExhausted, feature.CodeTooLarge: codes.ResourceExhausted,
	feature.CodeConflict: codes.Aborted, feature.CodeFrozen: codes.FailedPrecondition, feature.CodeCertified: codes.FailedPrecondition,
	feature.CodeExpired: codes.FailedPrecondition, feature.CodeUnauthenticated: codes.Unauthenticated,
	feature.CodeForbidden: codes.PermissionDenied, feature.CodeUnavailable: codes.Unavailable,
}

// GRPCCode returns the status of err. A code of ours has its status also where a deadline of
// ours is the cause: to the caller, DeadlineExceeded says that its own time is over, and is
// not worth a retry.
func GRPCCode(err error) codes.Code {
	var known *feature.Error
	switch {
	case errors.Is(err, ErrFinal):
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

// GRPC returns err as a gRPC status with an ErrorInfo that names the contract's code and
// the hint. Only one with a RetryInfo is worth another try: the request was shed.
func GRPC(err error) error {
	var known *feature.Error
	if !errors.As(err, &known) {
		return status.Error(GRPCCode(err), err.Error())
	}
	info := &errdetails.ErrorInfo{Reason: string(known.Code), Domain: domain}
	message := known.Message
	if known.Hint != "" {
		info.Metadata = map[string]string{"hint": known.Hint}
		message += " (" + known.Hint + ")"
	}
	details := []protoadapt.MessageV1{info}
	if shed := (*Shed)(nil); errors.As(err, &shed) {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(shed.After)})
	}
	st := status.New(GRPCCode(err), message)
	if detailed, err := st.WithDetails(details...); err == nil {
		st = detailed
	}
	return st.Err()
}
