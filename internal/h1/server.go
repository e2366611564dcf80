package h1

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"sluice/internal/connections"
	"sluice/internal/workers"
)

// ErrClosed is why Serve ends of a server that was told to.
var ErrClosed = connections.ErrClosed

// Config says what a server allows its clients. Requests that are beyond MaxHeader,
// MaxFields or MaxBody are handed over, so that net/http refuses them.
type Config struct {
	MaxHeader    int           // bytes of a head that is taken apart here; at most 16 KiB are
	MaxFields    int           // headers of a request
	MaxBody      int           // bytes of a body
	Handshake    time.Duration // for a head to arrive, since the connection or its first byte
	Arrive       time.Duration // for the whole request to arrive, likewise
	Idle         time.Duration // between two requests, at least
	WriteTimeout time.Duration // for an answer to be taken, at least

	Leaving  func() bool                                   // clients are to go elsewhere: answers say that they are the last; nil: they are not
	Panicked func(what any, stack []byte, client net.Addr) // a handler panicked; nil: nobody is told
}

// Stat is what a server counts.
type Stat uint8

// What is counted.
const (
	StatOther   Stat = iota // connections handed over for good because of the method or path of a request
	StatUnusual             // likewise, because of something in its head
	StatLarge               // likewise, because of how long head or body are
	StatSlow                // connections ended because a request did not come in time
	StatPanic               // connections ended because a handler panicked
	StatGone                // connections whose client hung up while a request was at work, which was given up
	StatLent                // requests that net/http answered before the connection came back
	Stats                   // how many there are
)

// String returns the statistic's label.
func (s Stat) String() string {
	return [...]string{"other", "unusual", "large", "slow", "panic", "gone", "lent"}[s]
}

// Server serves connections until it is shut down.
type Server struct {
	config  Config
	routes  routes
	rest    *http.Server
	handoff *handoff
	count   func(Stat, net.Addr)
	dates   dates
	watch   watch
	workers *workers.Pool[*Request] // their stacks grow, those of connections stay small
	ctx     context.Context         // ends when the server is closed
	cancel  context.CancelFunc
	conns   *connections.Set[*conn]
	first   sync.Once     // begins the server of the rest
	ended   chan struct{} // closed when that has ended
}

// New returns a server that answers requests by patterns, written as those of
// http.ServeMux: POST, a path and at most one wildcard, and leaves connections with others
// to rest, which it serves and ends. count is told what there is to be counted; it must
// not block.
func New(config Config, handlers map[string]Handler, rest *http.Server, count func(what Stat, client net.Addr)) *Server {
	config.MaxHeader = min(config.MaxHeader, maxHead)
	s := &Server{config: config, routes: newRoutes(handlers), rest: rest, handoff: newHandoff(), count: count,
		conns: connections.New[*conn](), ended: make(chan struct{}),
		workers: workers.New(func(r *Request) { c := r.conn; c.done <- c.answer(r) })}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	rest.ConnState = notice(rest.ConnState)
	return s
}

// Serve serves the connections of l until the server is told to end, and closes l. The
// error is never nil, and ErrClosed then.
func (s *Server) Serve(l net.Listener) error {
	s.first.Do(func() {
		go func() {
			defer close(s.ended)
			_ = s.rest.Serve(s.handoff) // it ends when it is told to, for no other reason
		}()
	})
	return s.conns.Serve(l, s.serve)
}

// serve begins to serve a connection.
func (s *Server) serve(raw net.Conn) {
	c := newConn(s, raw, time.Now())
	if !s.conns.Run(c, c.run) {
		c.cancel()
		_ = raw.Close() // it has not said anything yet
	}
}

// goes reports whether clients are to go elsewhere.
func (s *Server) goes() bool {
	return s.conns.Leaving() || s.config.Leaving != nil && s.config.Leaving()
}

// Shutdown takes no new connection, closes those that are idle, and returns when requests
// that have begun are answered, here and by the server of the rest. One that was just
// connected has the time of its first head. The error is ctx's, if that ends first; Close
// then.
func (s *Server) Shutdown(ctx context.Context) error {
	s.rest.SetKeepAlivesEnabled(false)
	for _, c := range s.conns.Leave() {
		if c.waiting.Load() {
			_ = c.raw.SetReadDeadline(time.Now()) // wakes it; of one that has ended nothing is wanted
		}
	}
	if err := s.conns.Empty(ctx); err != nil {
		return err
	}
	if err := s.rest.Shutdown(ctx); err != nil {
		return fmt.Errorf("shut down the server of the rest: %w", err)
	}
	s.end()
	return nil
}

// Close ends all connections and requests at once, and returns when those that were not
// handed over have ended.
func (s *Server) Close() {
	list := s.conns.Leave()
	s.cancel()
	for _, c := range list {
		_ = c.raw.Close() // it is given up
	}
	_ = s.handoff.Close()
	_ = s.rest.Close() // of its connections, which are given up
	s.end()
}

func (s *Server) end() {
	s.cancel()
	_ = s.handoff.Close()
	s.conns.Wait()
	s.first.Do(func() { close(s.ended) }) // it was never begun
	<-s.ended
	s.workers.End()
}
