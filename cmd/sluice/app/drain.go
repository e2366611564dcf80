package app

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"
)

// errLeaving is why a server that was told to stop is not ready.
var errLeaving = errors.New("the process is stopping")

// leaving is whether a server was told to stop. It answers on, but says that it is not
// ready and asks HTTP clients to close their connections, which a shutdown would cut under
// a request that is on its way.
type leaving struct{ begun atomic.Bool }

func (l *leaving) ready() error {
	if l.begun.Load() {
		return errLeaving
	}
	return nil
}

// polite adds the request to close the connection to the answers of a server that leaves.
func (l *leaving) polite(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if l.begun.Load() {
			w.Header()["Connection"] = closing
		}
		next.ServeHTTP(w, r)
	})
}

var closing = []string{"close"}

// outlast returns a context for the modules that ends a while after ctx, in which the
// process leaves. It ends at once if the modules' own does.
func (a *App) outlast(ctx context.Context) (modules context.Context, stop context.CancelFunc) {
	wait := time.Duration(a.cfg.Serve.Drain) * time.Second
	if a.opts.Target != "serve" || wait == 0 { // whoever runs everything has nobody who could take over
		return context.WithCancel(ctx)
	}
	modules, stop = context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		defer stop()
		select {
		case <-modules.Done():
			return
		case <-ctx.Done():
		}
		a.opts.Log.Info("stopping: answers on, not ready any more", "seconds", a.cfg.Serve.Drain)
		a.leaving.begun.Store(true)
		select {
		case <-modules.Done():
		case <-time.After(wait):
		}
	}()
	return modules, stop
}
