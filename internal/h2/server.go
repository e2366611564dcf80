package h2

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	"google.golang.org/grpc/mem"

	"sluice/internal/connections"
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
	conns  *connections.Set[*conn]
	group  sync.WaitGroup // calls
}

// New returns a server that answers calls by their full method, and everything else by
// rest. count is told what there is to be counted; it must not block.
func New(config Config, calls map[string]Unary, rest http.Handler, count func(what Stat, client net.Addr)) *Server {
	return &Server{config: config, calls: calls, rest: rest, count: count,
		conns: connections.New[*conn](),
		pool:  workers.New((*stream).answer)}
}

// Serve serves the connections of l until the server is told to end, and closes l. The
// error is never nil, and ErrClosed then.
func (s *Server) Serve(l net.Listener) error {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go s.look(ctx)
	return s.conns.Serve(l, s.serve)
}

// serve begins to serve a connection.
func (s *Server) serve(raw net.Conn) {
	c := newConn(s, raw, time.Now())
	if !s.conns.Run(c, c.run) {
		_ = raw.Close() // it has not said anything yet
	}
}

// Shutdown takes no new connection, asks peers to begin no new call, and returns when
// those that are open have ended. The error is ctx's, if that ends first; Close then.
func (s *Server) Shutdown(ctx context.Context) error {
	for _, c := range s.conns.Leave() {
		c.drain(codeNo, "")
	}
	if err := s.conns.Empty(ctx); err != nil {
		return err
	}
	s.end()
	return nil
}

// Close ends all connections and calls at once, and returns when they have ended.
func (s *Server) Close() {
	for _, c := range s.conns.Leave() {
		c.fail(ErrClosed)
	}
	s.end()
}

func (s *Server) end() {
	s.conns.Wait()
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
			list = s.conns.Append(list[:0])
			for _, c := range list {
				c.look(now, max(spared, 1))
			}
			clear(list)
		}
	}
}
