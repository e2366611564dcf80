package serving

import (
	"context"
	"errors"
	"runtime"
	"time"

	"google.golang.org/grpc"
	_ "google.golang.org/grpc/encoding/gzip" // clients may compress
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"
	"google.golang.org/protobuf/proto"

	feastserving "sluice/api/feast/serving"
	sluicev1 "sluice/api/sluice/v1"
	"sluice/serving/refusal"
	"sluice/serving/wireform"
)

// readBuffer is what a connection reads at once, bytes.
const readBuffer = 8 << 10

const (
	ageGrace        = time.Minute      // for the calls of a connection that was asked to go
	keepAlive       = time.Minute      // of silence, after which a client is asked whether it is there
	keepAliveAnswer = 20 * time.Second // for it to answer
	minPing         = 10 * time.Second // shortest time between two pings of a client
)

// GRPCOptions returns what a grpc.Server needs for RegisterGRPC: the codec that
// passes encoded replies through, the limits of the configuration, and the check
// of tokens.
func (s *Server) GRPCOptions() []grpc.ServerOption {
	options := []grpc.ServerOption{
		grpc.ForceServerCodecV2(wireform.NewCodec()),
		grpc.MaxRecvMsgSize(s.config.MaxBody),
		grpc.MaxConcurrentStreams(uint32(s.config.MaxStreams)),
		grpc.MaxHeaderListSize(uint32(s.config.MaxHeader)),
		grpc.ConnectionTimeout(s.config.Handshake),
		grpc.InTapHandle(s.arrive),
		grpc.ReadBufferSize(readBuffer),                          // an idle connection holds no more than it must
		grpc.NumStreamWorkers(uint32(4 * runtime.GOMAXPROCS(0))), // keep grown stacks; calls beyond them get their own goroutine
		grpc.KeepaliveParams(keepalive.ServerParameters{
			MaxConnectionAge: s.config.MaxAge, MaxConnectionAgeGrace: ageGrace,
			Time: keepAlive, Timeout: keepAliveAnswer,
		}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: minPing, PermitWithoutStream: true}),
	}
	if s.deps.Authorize != nil {
		options = append(options, grpc.UnaryInterceptor(AuthorizeUnary(s.deps.Authorize)), grpc.StreamInterceptor(AuthorizeStream(s.deps.Authorize)))
	}
	return options
}

// NewGRPC returns a server with GRPCOptions and options, and every service
// registered.
func (s *Server) NewGRPC(options ...grpc.ServerOption) *grpc.Server {
	server := grpc.NewServer(append(s.GRPCOptions(), options...)...)
	s.RegisterGRPC(server)
	return server
}

// RegisterGRPC registers sluice.v1, Feast's two services, health and reflection
// with server, which must have been made with GRPCOptions.
func (s *Server) RegisterGRPC(server *grpc.Server) {
	server.RegisterService(&ownService, s)
	server.RegisterService(&feastService, s)
	server.RegisterService(&feastPythonService, s)
	healthpb.RegisterHealthServer(server, &health{ready: s.Ready})
	reflection.Register(server)
}

// The services are described by hand: their reads take and give encoded bytes.
var (
	ownService = grpc.ServiceDesc{
		ServiceName: sluicev1.FeatureService_ServiceDesc.ServiceName, HandlerType: (*any)(nil), Metadata: sluicev1.FeatureService_ServiceDesc.Metadata,
		Methods: []grpc.MethodDesc{readMethod("GetFeatures", sluicev1.FeatureService_GetFeatures_FullMethodName, true)},
		Streams: []grpc.StreamDesc{streamMethod},
	}
	feastService = grpc.ServiceDesc{
		ServiceName: feastserving.ServingService_ServiceDesc.ServiceName, HandlerType: (*any)(nil), Metadata: feastserving.ServingService_ServiceDesc.Metadata,
		Methods: []grpc.MethodDesc{
			readMethod("GetOnlineFeatures", feastserving.ServingService_GetOnlineFeatures_FullMethodName, false),
			typedMethod("GetFeastServingInfo", feastserving.ServingService_GetFeastServingInfo_FullMethodName, (*Server).feastInfo),
		},
	}
	feastPythonService = grpc.ServiceDesc{
		ServiceName: feastserving.GrpcFeatureServer_ServiceDesc.ServiceName, HandlerType: (*any)(nil), Metadata: feastserving.GrpcFeatureServer_ServiceDesc.Metadata,
		Methods: []grpc.MethodDesc{
			readMethod("GetOnlineFeatures", feastserving.GrpcFeatureServer_GetOnlineFeatures_FullMethodName, false),
			typedMethod("Push", feastserving.GrpcFeatureServer_Push_FullMethodName, (*Server).pushGRPC),
			typedMethod("WriteToOnlineStore", feastserving.GrpcFeatureServer_WriteToOnlineStore_FullMethodName, (*Server).writeGRPC),
		},
	}
)

// readMethod describes a read that is answered from the request's bytes.
func readMethod(name, full string, own bool) grpc.MethodDesc {
	return grpc.MethodDesc{MethodName: name, Handler: func(srv any, ctx context.Context, decode func(any) error, around grpc.UnaryServerInterceptor) (any, error) {
		request := &wireform.RawRequest{}
		if err := decode(request); err != nil {
			return nil, err
		}
		defer request.Free()
		handle := func(ctx context.Context, _ any) (any, error) {
			buffer, err := srv.(*Server).readCall(ctx, request.Data, own)
			if err != nil {
				return nil, told(ctx, err)
			}
			return wireform.RawReply{Buffer: buffer}, nil
		}
		if around == nil {
			return handle(ctx, nil)
		}
		return around(ctx, request, &grpc.UnaryServerInfo{Server: srv, FullMethod: full}, handle)
	}}
}

// told returns err, of callError, as grpc-go wants it: with what goes beside its status
// given to the stream of ctx.
func told(ctx context.Context, err error) error {
	if retry := (retryError{}); errors.As(err, &retry) {
		// Without a stream, as in tests, there is nobody to tell.
		_ = grpc.SetTrailer(ctx, retry.Trailer())
		return retry.error
	}
	return err
}

// typedMethod describes a call of decoded messages.
func typedMethod[In, Out any](name, full string, call func(*Server, context.Context, *In) (*Out, error)) grpc.MethodDesc {
	return grpc.MethodDesc{MethodName: name, Handler: func(srv any, ctx context.Context, decode func(any) error, around grpc.UnaryServerInterceptor) (any, error) {
		request := new(In)
		if err := decodeTyped(decode, any(request).(proto.Message)); err != nil {
			return nil, err
		}
		handle := func(ctx context.Context, in any) (any, error) {
			s := srv.(*Server)
			err := s.door.charge(ctx)
			if err != nil {
				return nil, told(ctx, callError(err))
			}
			out, err := call(s, ctx, in.(*In))
			if err != nil {
				return nil, refusal.GRPC(err)
			}
			return out, nil
		}
		if around == nil {
			return handle(ctx, request)
		}
		return around(ctx, request, &grpc.UnaryServerInfo{Server: srv, FullMethod: full}, handle)
	}}
}

// decodeTyped reads a message. Were it left to grpc's codec, bytes that are none
// would be answered as Internal, a failure of ours.
func decodeTyped(decode func(any) error, to proto.Message) error {
	raw := &wireform.RawRequest{}
	if err := decode(raw); err != nil {
		return err
	}
	defer raw.Free()
	if err := proto.Unmarshal(raw.Data, to); err != nil {
		return refusal.GRPC(refusal.Invalid("send the message that the .proto file describes", "the request cannot be decoded"))
	}
	return nil
}

// servingVersion is what Feast's clients are told.
const servingVersion = "sluice/1"

func (s *Server) feastInfo(context.Context, *feastserving.GetFeastServingInfoRequest) (*feastserving.GetFeastServingInfoResponse, error) {
	return &feastserving.GetFeastServingInfoResponse{Version: servingVersion}, nil
}
