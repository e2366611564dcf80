package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"sluice/internal/control"
	"sluice/internal/h1"
	"sluice/serving"
)

// The values of serve.http_server.
const (
	httpOwn = "own"      // package h1 answers reads, and leaves the rest to net/http
	httpGo  = "net-http" // net/http answers everything
)

// listenHTTP opens the listener of the HTTP door and adds what serves it.
func (a *App) listenHTTP(mux *http.ServeMux) (err error) {
	if a.http, err = net.Listen("tcp", a.cfg.Listen.HTTP); err != nil {
		return fmt.Errorf("listen.http: %w", err)
	}
	a.http = a.crowd("http", a.http)
	limits, err := a.cfg.Serve.serving()
	if err != nil {
		return err
	}
	limits.MaxBody = max(limits.MaxBody, control.MaxWrites) // every route has a limit of its own
	server := serving.NewHTTPServer(limits, a.leaving.polite(mux))
	if a.serving == nil || a.cfg.Serve.HTTPServer == httpGo {
		a.add("http", func(ctx context.Context) error { return serveHTTP(ctx, server, a.http) })
		return nil
	}
	door := a.serving.NewHTTPDoor(server)
	a.add("http", func(ctx context.Context) error { return serveDoor(ctx, door, server, a.http) })
	return nil
}

// serveDoor serves on l until ctx ends, then lets requests in flight end. rest is what the
// door leaves connections to.
func serveDoor(ctx context.Context, door *h1.Server, rest *http.Server, l net.Listener) error {
	// Long polls must not outlive the process: their requests end with ctx.
	rest.BaseContext = func(net.Listener) context.Context { return ctx }
	failed := make(chan error, 1)
	go func() { failed <- door.Serve(l) }()
	select {
	case err := <-failed:
		door.Close()
		return fmt.Errorf("serve HTTP on %s: %w", l.Addr(), err)
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

// serveHTTP is serveDoor where net/http has the door.
func serveHTTP(ctx context.Context, server *http.Server, l net.Listener) error {
	server.BaseContext = func(net.Listener) context.Context { return ctx }
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve HTTP on %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	if err := server.Shutdown(ending); err != nil {
		return errors.Join(server.Close(), <-failedOrNil(failed))
	}
	return nil
}

// failedOrNil waits for Serve to return, and passes over that it was closed.
func failedOrNil(failed chan error) <-chan error {
	out := make(chan error, 1)
	err := <-failed
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	out <- err
	return out
}
