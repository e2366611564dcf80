package app

import (
	"context"
	"fmt"
	"net"
	"net/http"

	"google.golang.org/grpc"
)

// door is a server of one of the doors.
type door interface {
	Serve(l net.Listener) error
	// Shutdown takes nothing new and returns when what has begun has ended, or with ctx.
	Shutdown(ctx context.Context) error
	// Close ends what is left.
	Close()
}

// serveDoor serves on l until ctx ends, then lets what is in flight end. what is what it
// speaks.
func serveDoor(ctx context.Context, what string, d door, l net.Listener) error {
	failed := make(chan error, 1)
	go func() { failed <- d.Serve(l) }()
	select {
	case err := <-failed:
		d.Close()
		return fmt.Errorf("serve %s on %s: %w", what, l.Addr(), err)
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	if d.Shutdown(ending) != nil {
		d.Close() // whoever is still there has had its time
	}
	<-failed
	return nil
}

// goHTTP is net/http's server as a door.
type goHTTP struct{ *http.Server }

func (s goHTTP) Close() { _ = s.Server.Close() } // of connections, which are given up

// goGRPC is grpc-go's server as a door.
type goGRPC struct{ *grpc.Server }

func (s goGRPC) Shutdown(ctx context.Context) error {
	stopped := make(chan struct{})
	go func() {
		s.GracefulStop()
		close(stopped)
	}()
	select {
	case <-stopped:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s goGRPC) Close() { s.Stop() }
