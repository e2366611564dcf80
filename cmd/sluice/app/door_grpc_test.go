package app

import (
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"golang.org/x/net/http2"
)

// TestFloodIsCounted sends each server of the gRPC door frames that further no call, and
// wants the connection closed and counted, once.
func TestFloodIsCounted(t *testing.T) {
	for _, kind := range []string{grpcOwn, grpcGo} {
		t.Run(kind, func(t *testing.T) {
			cfg := DefaultConfig()
			cfg.Data = filepath.Join(t.TempDir(), "data")
			cfg.Listen.HTTP, cfg.Listen.GRPC, cfg.Listen.Kafka = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
			cfg.Serve.GRPCServer = kind
			metrics := prometheus.NewRegistry()
			a, err := New(context.WithoutCancel(t.Context()), cfg, Options{Target: "all", Clock: "manual", NoSync: true, Metrics: metrics})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
			ended := make(chan error, 1)
			go func() { ended <- a.Run(ctx) }()
			defer func() {
				cancel()
				if err := <-ended; err != nil {
					t.Errorf("platform: %v", err)
				}
			}()
			flood(t, a.grpc.Addr().String(), 2*cfg.Serve.MaxFrames)
			want := `
# HELP sluice_serve_http2_refused_total What the gRPC door refused, by reason: calls beyond those that a connection may have open (refused_stream) or with more bytes or headers than the limits (too_large), and connections ended because the client broke the protocol (protocol), sent more frames than calls need (calm), or did not read or answer (slow).
# TYPE sluice_serve_http2_refused_total counter
sluice_serve_http2_refused_total{reason="calm"} 1
sluice_serve_http2_refused_total{reason="protocol"} 0
sluice_serve_http2_refused_total{reason="refused_stream"} 0
sluice_serve_http2_refused_total{reason="slow"} 0
sluice_serve_http2_refused_total{reason="too_large"} 0
`
			if err := testutil.GatherAndCompare(metrics, strings.NewReader(want), "sluice_serve_http2_refused_total"); err != nil {
				t.Error(err)
			}
		})
	}
}

// flood sends up to n frames of settings, and returns once the server ended the connection.
func flood(t *testing.T, address string, n int) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	read := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, conn)
		read <- err
	}()
	framer := http2.NewFramer(conn, conn)
	_, err = io.WriteString(conn, http2.ClientPreface)
	for i := 0; err == nil && i < n; i++ {
		err = framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 16})
	}
	if err := <-read; errors.Is(err, net.ErrClosed) {
		t.Fatalf("%d frames: %v, want the server to end the connection", n, err)
	}
}
