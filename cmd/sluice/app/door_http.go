package app

import (
	"context"
	"fmt"
	"net"
	"net/http"

	"sluice/internal/control"
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
	var d door = goHTTP{server}
	if a.serving != nil && a.cfg.Serve.HTTPServer != httpGo {
		d = a.serving.NewHTTPDoor(server)
	}
	a.add("http", func(ctx context.Context) error {
		// Long polls must not outlive the process: their requests end with ctx.
		server.BaseContext = func(net.Listener) context.Context { return ctx }
		return serveDoor(ctx, "HTTP", d, a.http)
	})
	return nil
}
