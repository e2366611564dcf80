package client_test

import (
	"context"
	"net"
	"sync/atomic"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"

	sluicev1 "sluice/api/sluice/v1"
)

// scripted answers reads with one error after another, and then with an empty answer.
type scripted struct {
	sluicev1.UnimplementedFeatureServiceServer
	calls  atomic.Int64
	answer func(ctx context.Context, n int64) error
	stream func(n int64, request *sluicev1.GetFeaturesRequest, out grpc.ServerStreamingServer[sluicev1.FeaturesPart]) error
}

func (s *scripted) StreamFeatures(request *sluicev1.GetFeaturesRequest, out grpc.ServerStreamingServer[sluicev1.FeaturesPart]) error {
	return s.stream(s.calls.Add(1), request, out)
}

func (s *scripted) GetFeatures(ctx context.Context, _ *sluicev1.GetFeaturesRequest) (*sluicev1.GetFeaturesResponse, error) {
	if err := s.answer(ctx, s.calls.Add(1)); err != nil {
		return nil, err
	}
	return &sluicev1.GetFeaturesResponse{}, nil
}

// script serves on a real port.
func script(t *testing.T, answer func(ctx context.Context, n int64) error, options ...grpc.ServerOption) (*scripted, string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, server := &scripted{answer: answer}, grpc.NewServer(options...)
	sluicev1.RegisterFeatureServiceServer(server, s)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s, listener.Addr().String()
}

func failure(c codes.Code, details ...protoadapt.MessageV1) error {
	st, err := status.New(c, "no (try later)").WithDetails(details...)
	if err != nil {
		panic(err)
	}
	return st.Err()
}

func info(reason string) *errdetails.ErrorInfo {
	return &errdetails.ErrorInfo{Reason: reason, Domain: "sluice", Metadata: map[string]string{"hint": "try later"}}
}
