package app

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	"sluice/internal/frames"
	"sluice/internal/h2"
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
		a.add("grpc", func(ctx context.Context) error { return serveGo(ctx, server, a.grpc) })
		return nil
	}
	door := a.serving.NewDoor(server, flooded)
	a.add("grpc", func(ctx context.Context) error { return serveGRPC(ctx, door, server, a.grpc) })
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

// serveGRPC serves on l until ctx ends, then lets calls in flight end. rest is what the
// door leaves calls to.
func serveGRPC(ctx context.Context, door *h2.Server, rest *grpc.Server, l net.Listener) error {
	failed := make(chan error, 1)
	go func() { failed <- door.Serve(l) }()
	defer rest.Stop()
	select {
	case err := <-failed:
		door.Close()
		return fmt.Errorf("serve gRPC on %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	if door.Shutdown(ending) != nil {
		door.Close() // whoever is still there has had its time
	}
	<-failed
	return nil
}

// serveGo is serveGRPC where grpc-go has the door.
func serveGo(ctx context.Context, server *grpc.Server, l net.Listener) error {
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	select {
	case err := <-failed:
		server.Stop()
		return fmt.Errorf("serve gRPC on %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	stopped := make(chan struct{})
	go func() {
		server.GracefulStop()
		close(stopped)
	}()
	select {
	case <-stopped:
	case <-time.After(drain):
		server.Stop()
		<-stopped
	}
	<-failed
	return nil
}
