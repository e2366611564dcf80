package app

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"sluice/internal/frames"
	"sluice/serving/feastregistry"
)

// The values of serve.grpc_server.
const (
	grpcOwn = "own"     // package h2 answers reads, and leaves the rest to grpc-go
	grpcGo  = "grpc-go" // grpc-go answers everything
)

// listenGRPC opens the listener of the gRPC door and adds what serves it.
func (a *App) listenGRPC() (err error) {
	if a.serving == nil {
		return nil
	}
	if a.grpc, err = net.Listen("tcp", a.cfg.Listen.GRPC); err != nil {
		return fmt.Errorf("listen.grpc: %w", err)
	}
	a.grpc = a.crowd("grpc", a.grpc)
	server := a.serving.NewGRPC()
	feastregistry.New(a.parts.catalog.InForce).Register(server)
	flooded := a.flooded()
	if a.cfg.Serve.GRPCServer == grpcGo {
		a.grpc = frames.Listen(a.grpc, a.cfg.Serve.MaxFrames, func(client net.Addr) {
			a.serving.Calmed()
			flooded(client)
		})
		a.add("grpc", func(ctx context.Context) error { return serveDoor(ctx, "gRPC", goGRPC{server}, a.grpc) })
		return nil
	}
	d := a.serving.NewDoor(server, flooded)
	a.add("grpc", func(ctx context.Context) error {
		defer server.Stop() // the door leaves calls to it
		return serveDoor(ctx, "gRPC", d, a.grpc)
	})
	return nil
}

// flooded returns what logs a connection that was ended because it sent more frames than
// calls need.
func (a *App) flooded() func(client net.Addr) {
	var logged atomic.Int64 // Unix nanoseconds
	return func(client net.Addr) {
		now, last := time.Now().UnixNano(), logged.Load()
		if now-last >= int64(time.Second) && logged.CompareAndSwap(last, now) {
			a.opts.Log.Warn("a gRPC connection was closed: it sent more frames than its calls need", "client", client.String(), "max_frames", a.cfg.Serve.MaxFrames)
		}
	}
}
