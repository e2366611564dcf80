//go:build services

package yardstick

import (
	"context"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"sluice/feature"
	"sluice/serving"
)

// registry is one view with one version that is visible.
type registry struct{ changed chan struct{} }

func (r registry) Definitions(context.Context) (feature.Definitions, uint64, error) {
	return feature.Definitions{Project: project, Views: []feature.View{view()}}, 1, nil
}

func (r registry) Vectors(context.Context) (map[feature.ViewID]feature.Vector, error) {
	return map[feature.ViewID]feature.Vector{1: {Generation: 3, Floor: 1}}, nil
}

func (r registry) Changed() <-chan struct{} { return r.changed }

// newSluice returns the server as the platform runs it: on Redis, with metrics,
// reads counted by version and sampled, and versions known for provenance.
func newSluice(ctx context.Context, addr string) (*serving.Server, error) {
	store, err := openStore(ctx, addr)
	if err != nil {
		return nil, err
	}
	s, err := serving.New(serving.DefaultConfig(), serving.Deps{
		Rows: store, Source: registry{make(chan struct{})},
		Version: func(_ context.Context, _ feature.ViewID, version feature.Version) (feature.VersionInfo, error) {
			return feature.VersionInfo{Version: version, Verdict: "v-1", Step: feature.StepSwept,
				Window: feature.Window{Start: written.Add(-time.Minute), End: written}}, nil
		},
		Exposed:    func(context.Context, uint64, []feature.Exposure) error { return nil },
		Served:     func(context.Context, []feature.ServedRow) error { return nil },
		Registerer: prometheus.NewRegistry(),
	})
	if err != nil {
		return nil, err
	}
	go func() {
		if err := s.Run(ctx); err != nil {
			panic(err)
		}
	}()
	for s.Ready() != nil {
		if err := s.Refresh(ctx); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// askSluice returns a function that asks s over gRPC, for the echo.
func askSluice(s *serving.Server) (func(context.Context, []byte) ([]byte, error), error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	server := s.NewGRPC()
	go func() {
		if err := server.Serve(l); err != nil {
			panic(err)
		}
	}()
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(rawCodec{})))
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, request []byte) (reply []byte, err error) {
		err = conn.Invoke(ctx, "/feast.serving.ServingService/GetOnlineFeatures", request, &reply)
		return reply, err
	}, nil
}
