package h2

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"google.golang.org/grpc/mem"

	"sluice/internal/workers"
)

// Unary answers a call from the bytes of its message, which are valid until it returns.
// The reply's buffer is the server's from then on. An error is answered by its gRPC
// status; if it, or one that it wraps, has a method Trailer() metadata.MD, what that
// returns goes with it. ctx knows the call's metadata and peer, and ends with the call's
// deadline, its stream or its connection.
type Unary func(ctx context.Context, message []byte) (mem.Buffer, error)

// Config says what a server allows its peers.
type Config struct {
	MaxStreams   int           // concurrent calls of a connection
	MaxHeader    int           // bytes of a request's headers, as RFC 9113 counts them (6.5.2)
	MaxFields    int           // headers of a request
	MaxMessage   int           // bytes of a unary call's message
	Handshake    time.Duration // for the preface and the first settings to arrive
	WriteTimeout time.Duration // for a write to a peer that does not read
	MaxAge       time.Duration // of a connection; then it is asked to go, give or take a tenth
	Grace        time.Duration // for what is open then
	KeepAlive    time.Duration // without a byte, after which the peer is asked whether it is there
	Answer       time.Duration // for it to say so

	// Bound returns the context of a request that is left to the handler of the rest; nil
	// leaves it without a bound.
	Bound func(ctx context.Context, path string) context.Context

	Arrive    time.Duration // for a unary call's message to arrive, and for the call
	MaxFrames int           // frames that further no call, at once; a tenth of them a second is given back
	MinPing   time.Duration // shortest time between two pings of a peer that gets no answers
}

// Stat is what a server has counted since it began.
type Stat uint8

// What is counted.
const (
	StatRefused  Stat = iota // streams beyond MaxStreams
	StatTooLarge             // requests whose headers or message were beyond the limits
	StatProtocol             // connections ended because the peer broke the protocol
	StatCalm                 // connections ended because the peer kept the server busy for nothing
	StatSlow                 // connections ended because the peer did not read, or did not answer
	Stats                    // how many there are
)

// String returns the statistic's label.
func (s Stat) String() string {
	return [...]string{"refused_stream", "too_large", "protocol", "calm", "slow"}[s]
}

// Server serves connections until it is shut down.
type Server struct {
	config Config
	calls  map[string]Unary
	rest   http.Handler
	count  func(Stat, net.Addr)
	pool   *workers.Pool[*stream]
	group  sync.WaitGroup // connections and calls

	mu        sync.Mutex
	listeners map[net.Listener]struct{}
	conns     map[*conn]struct{}
	leaving   bool
	gone      chan struct{} // closed when it leaves and the last connection is closed
}

// New returns a server that answers calls by their full method, and everything else by
// rest. count is told what there is to be counted; it must not block.
func New(config Config, calls map[string]Unary, rest http.Handler, count func(what Stat, client net.Addr)) *Server {
	return &Server{config: config, calls: calls, rest: rest, count: count,
		listeners: map[net.Listener]struct{}{}, conns: map[*conn]struct{}{}, gone: make(chan struct{}),
		pool: workers.New((*stream).answer)}
}

// Serve serves the connections of l until the server is told to end, and closes l. The
// error is never nil, and ErrClosed then.
func (s *Server) Serve(l net.Listener) error {
	defer l.Close()
	if !s.listen(l) {
		return ErrClosed
	}
	defer s.unlisten(l)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go s.look(ctx)
	for wait := time.Duration(0); ; {
		raw, err := l.Accept()
		if err == nil {
			wait = 0
			s.serve(raw)
			continue
		}
		if s.isLeaving() {
			return ErrClosed
		}
		if passing := (interface{ Temporary() bool })(nil); !errors.As(err, &passing) || !passing.Temporary() {
			return fmt.Errorf("accept on %s: %w", l.Addr(), err)
		}
		// There are too many open files, or the like: as net/http and grpc-go, wait for better times.
		wait = min(max(2*wait, 5*time.Millisecond), time.Second)
		time.Sleep(wait)
	}
}

// serve begins to serve a connection.
func (s *Server) serve(raw net.Conn) {
	c := newConn(s, raw, time.Now())
	s.mu.Lock()
	if s.leaving {
		s.mu.Unlock()
		_ = raw.Close() // it has not said anything yet
		return
	}
	s.conns[c] = struct{}{}
	s.group.Add(1)
	s.mu.Unlock()
	go func() {
		defer s.group.Done()
		c.run()
		s.forget(c)
	}()
}

func (s *Server) listen(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leaving {
		return false
	}
	s.listeners[l] = struct{}{}
	return true
}

func (s *Server) unlisten(l net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, l)
}

func (s *Server) isLeaving() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.leaving
}

func (s *Server) forget(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	if s.leaving && len(s.conns) == 0 {
		s.over()
	}
}

// over says once that the last connection is closed; s.mu is held.
func (s *Server) over() {
	select {
	case <-s.gone:
	default:
		close(s.gone)
	}
}

// leave closes the listeners and returns the connections.
func (s *Server) leave() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leaving = true
	for l := range s.listeners {
		_ = l.Close() // whoever waits in Accept sees it
	}
	list := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		list = append(list, c)
	}
	if len(list) == 0 {
		s.over()
	}
	return list
}

// Shutdown takes no new connection, asks peers to begin no new call, and returns when
// those that are open have ended. The error is ctx's, if that ends first; Close then.
func (s *Server) Shutdown(ctx context.Context) error {
	for _, c := range s.leave() {
		c.drain(codeNo, "")
	}
	select {
	case <-s.gone:
	case <-ctx.Done():
		return fmt.Errorf("shut down: %w", ctx.Err())
	}
	s.end()
	return nil
}

// Close ends all connections and calls at once, and returns when they have ended.
func (s *Server) Close() {
	for _, c := range s.leave() {
		c.fail(ErrClosed)
	}
	s.end()
}

func (s *Server) end() {
	s.group.Wait()
	s.pool.End()
}

// look looks after what connections do not notice by themselves, since they wait to
// read: that a peer is silent, that a connection is old.
func (s *Server) look(ctx context.Context) {
	every := min(s.config.Handshake, s.config.KeepAlive, s.config.Answer, s.config.MaxAge, s.config.Arrive, 4*time.Second) / 4
	ticker := time.NewTicker(max(every, 10*time.Millisecond))
	spared := int64(float64(s.config.MaxFrames) / 10 * max(every, 10*time.Millisecond).Seconds())
	defer ticker.Stop()
	var list []*conn
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			list = list[:0]
			s.mu.Lock()
			for c := range s.conns {
				list = append(list, c)
			}
			s.mu.Unlock()
			for _, c := range list {
				c.look(now, max(spared, 1))
			}
			clear(list)
		}
	}
}
