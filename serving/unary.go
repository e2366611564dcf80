package serving

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"

	feastserving "sluice/api/feast/serving"
	sluicev1 "sluice/api/sluice/v1"
	"sluice/internal/h2"
	"sluice/serving/refusal"
)

// NewDoor returns the server of the gRPC door: reads are answered from their bytes, and
// everything else by rest, a grpc.Server made with GRPCOptions on which RegisterGRPC and
// whatever else was registered. Its GracefulStop must not be called: it is the door that
// is shut down. calm is told of each connection that sent more frames than calls need;
// nil tells nobody.
func (s *Server) NewDoor(rest http.Handler, calm func(client net.Addr)) *h2.Server {
	c := s.config
	config := h2.Config{
		MaxStreams: c.MaxStreams, MaxHeader: c.MaxHeader, MaxFields: c.MaxHeaders, MaxMessage: c.MaxBody, MaxFrames: c.MaxFrames,
		Handshake: c.Handshake, WriteTimeout: c.MaxTime, Arrive: c.MaxTime,
		MaxAge: c.MaxAge, Grace: ageGrace, KeepAlive: keepAlive, Answer: keepAliveAnswer, MinPing: minPing,
		Bound: s.bound,
	}
	return h2.New(config, s.Unary(), rest, func(what h2.Stat, client net.Addr) {
		s.refused[what].Inc()
		if what == h2.StatCalm && calm != nil {
			calm(client)
		}
	})
}

// Calmed counts a connection of a door other than NewDoor's that was ended because it sent
// more frames than calls need.
func (s *Server) Calmed() { s.refused[h2.StatCalm].Inc() }

// newRefused counts what the door refuses.
func newRefused(reg prometheus.Registerer) (counters [h2.Stats]prometheus.Counter) {
	vec := promauto.With(reg).NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Subsystem: "serve", Name: "http2_refused_total",
		Help: "What the gRPC door refused, by reason: calls beyond those that a connection may have open (refused_stream) or with more bytes or headers than the limits (too_large), and connections ended because the client broke the protocol (protocol), sent more frames than calls need (calm), or did not read or answer (slow).",
	}, []string{"reason"})
	for i := range h2.Stats {
		counters[i] = vec.WithLabelValues(i.String())
	}
	return counters
}

// Unary returns the reads by full method, for a server that calls them with the bytes of
// their messages.
func (s *Server) Unary() map[string]h2.Unary {
	return map[string]h2.Unary{
		sluicev1.FeatureService_GetFeatures_FullMethodName:              s.unary(sluicev1.FeatureService_GetFeatures_FullMethodName, true),
		feastserving.ServingService_GetOnlineFeatures_FullMethodName:    s.unary(feastserving.ServingService_GetOnlineFeatures_FullMethodName, false),
		feastserving.GrpcFeatureServer_GetOnlineFeatures_FullMethodName: s.unary(feastserving.GrpcFeatureServer_GetOnlineFeatures_FullMethodName, false),
	}
}

func (s *Server) unary(method string, own bool) h2.Unary {
	return func(ctx context.Context, message []byte) (mem.Buffer, error) {
		if s.deps.Authorize != nil {
			known, err := authorizeCall(ctx, s.deps.Authorize, method)
			if err != nil {
				return nil, refusal.GRPC(err)
			}
			ctx = known
		}
		return s.readCall(ctx, message, own)
	}
}

// readCall answers a read over gRPC, of the platform's own form or of Feast's. The error
// has a status, and is a retryError where the client may try again.
func (s *Server) readCall(ctx context.Context, message []byte, own bool) (reply mem.Buffer, err error) {
	begun, kind := time.Now(), methodFeastGRPC
	if own {
		kind = methodOwnGRPC
	}
	if err = s.door.charge(ctx); err == nil {
		reply, err = s.readWire(ctx, message, own)
	}
	s.observe(kind, begun, err)
	if err == nil {
		return reply, nil
	}
	return nil, callError(err)
}

// callError gives err a status, and says how long to wait if the request was shed.
func callError(err error) error {
	if shed := (*refusal.Shed)(nil); errors.As(err, &shed) {
		return retryError{refusal.GRPC(err), shed.After}
	}
	return refusal.GRPC(err)
}

// retryError is an error whose client is told how long to wait before it tries again.
//
// Source: gRPC proposal A6, grpc-retry-pushback-ms.
type retryError struct {
	error
	after time.Duration
}

// Unwrap returns the error that has the status.
func (e retryError) Unwrap() error { return e.error }

// Trailer returns what goes with the status.
func (e retryError) Trailer() metadata.MD {
	return metadata.Pairs("grpc-retry-pushback-ms", strconv.FormatInt(max(1, e.after.Milliseconds()), 10))
}
