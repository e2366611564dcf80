package app

import (
	"errors"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"
)

// crowd is a listener with a limit of open connections. One beyond it is closed at once:
// left in the backlog, its client would wait for a server that does not look.
type crowd struct {
	net.Listener
	most    int64
	open    atomic.Int64
	refused prometheus.Counter
}

// crowd gives the listener of a door its limit, and metrics.
func (a *App) crowd(door string, l net.Listener) net.Listener {
	c := &crowd{Listener: l, most: int64(a.cfg.Serve.MaxConnections)}
	labels := prometheus.Labels{"door": door}
	c.refused = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "sluice_serve_connections_refused_total", ConstLabels: labels,
		Help: "Connections closed at once because too many were open, by door (http, grpc).",
	})
	open := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "sluice_serve_connections", ConstLabels: labels, Help: "Open connections, by door (http, grpc).",
	}, func() float64 { return float64(c.open.Load()) })
	a.metrics.MustRegister(c.refused, open)
	return c
}

// Accept returns the next connection that there is room for.
func (c *crowd) Accept() (net.Conn, error) {
	for {
		conn, err := c.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if c.open.Add(1) <= c.most {
			return &counted{Conn: conn, crowd: c}, nil
		}
		c.open.Add(-1)
		c.refused.Inc()
		_ = conn.Close() // whoever is turned away is told nothing
	}
}

// counted is a connection that is counted until it is closed.
type counted struct {
	net.Conn
	crowd *crowd
	once  sync.Once
}

// muchInput is a buffer, in bytes, that a connection fills only if its client has sent more
// than a request or two.
const muchInput = 1 << 10

// Read reads from the connection. One that has more to read at once lets others go first:
// its goroutine would never wait, and so keep a processor for as long as the scheduler
// allows, 10 ms, again and again.
func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n == len(b) && n >= muchInput {
		runtime.Gosched()
	}
	return n, err
}

// CloseWrite says that nothing more is sent, where the connection can: what was sent last
// arrives although there is something unread.
func (c *counted) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// SyscallConn returns the socket, where there is one: the door looks whether its client
// hangs up.
func (c *counted) SyscallConn() (syscall.RawConn, error) {
	if socket, ok := c.Conn.(syscall.Conn); ok {
		return socket.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}

// Close closes the connection and makes room for another.
func (c *counted) Close() error {
	c.once.Do(func() { c.crowd.open.Add(-1) })
	return c.Conn.Close()
}
