package serving

import (
	"context"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	feastserving "sluice/api/feast/serving"
	"sluice/internal/auth"
	"sluice/serving/refusal"
)

// AuthorizeUnary lets through the calls that the token in the metadata key
// authorization may make: pushes need a writer, other calls a reader, health
// checks nobody.
func AuthorizeUnary(authorize auth.Authorize) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
		ctx, err := authorizeCall(ctx, authorize, info.FullMethod)
		if err != nil && strings.HasPrefix(info.FullMethod, feastRegistry) {
			return nil, feastGRPCError(err)
		}
		if err != nil {
			return nil, refusal.GRPC(err)
		}
		return handle(ctx, request)
	}
}

// AuthorizeStream is AuthorizeUnary for streams.
func AuthorizeStream(authorize auth.Authorize) grpc.StreamServerInterceptor {
	return func(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
		ctx, err := authorizeCall(stream.Context(), authorize, info.FullMethod)
		if err != nil {
			return refusal.GRPC(err)
		}
		return handle(srv, knownStream{stream, ctx})
	}
}

// knownStream is a stream whose context knows whose token opened it.
type knownStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s knownStream) Context() context.Context { return s.ctx }

func authorizeCall(ctx context.Context, authorize auth.Authorize, method string) (context.Context, error) {
	need := auth.Reader
	switch {
	case strings.HasPrefix(method, "/grpc.health.v1.Health/"):
		return ctx, nil
	case method == feastserving.GrpcFeatureServer_Push_FullMethodName, method == feastserving.GrpcFeatureServer_WriteToOnlineStore_FullMethodName:
		need = auth.Writer
	}
	token := ""
	if values := metadata.ValueFromIncomingContext(ctx, "authorization"); len(values) > 0 {
		token = auth.Bearer(values[0])
	}
	name, err := authorize(token, need)
	if err != nil {
		return ctx, err
	}
	return auth.WithName(ctx, name), nil
}
