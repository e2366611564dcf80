package h1

import (
	"errors"
	"net"
	"sync"
	"time"
)

// handoff is the listener of the http.Server that takes over connections.
type handoff struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newHandoff() *handoff { return &handoff{conns: make(chan net.Conn), done: make(chan struct{})} }

// Accept returns the next connection that is handed over.
func (h *handoff) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.done:
		return nil, net.ErrClosed
	}
}

// Close ends Accept.
func (h *handoff) Close() error {
	h.once.Do(func() { close(h.done) })
	return nil
}

// Addr returns no address: what is handed over was accepted elsewhere.
func (h *handoff) Addr() net.Addr { return &net.TCPAddr{} }

// give hands c over; it is closed if nobody takes over any more.
func (h *handoff) give(c net.Conn) {
	select {
	case h.conns <- c:
	case <-h.done:
		_ = c.Close() // whoever is turned away is told nothing
	}
}

// handed is a connection of which bytes were read before it was handed over. The time
// that they took counts: the deadlines that net/http sets for the head that has begun,
// and then for all of its request, are no later than if it had read from the beginning.
type handed struct {
	net.Conn
	before []byte
	limits []time.Time // of the deadlines that are set next
}

// Read reads what was read before, and then from the connection.
func (h *handed) Read(b []byte) (int, error) {
	if len(h.before) == 0 {
		return h.Conn.Read(b)
	}
	n := copy(b, h.before)
	if h.before = h.before[n:]; len(h.before) == 0 {
		h.before = nil
	}
	return n, nil
}

// SetReadDeadline sets t, or the limit if that is earlier.
func (h *handed) SetReadDeadline(t time.Time) error {
	if len(h.limits) > 0 {
		if t.IsZero() || t.After(h.limits[0]) {
			t = h.limits[0]
		}
		h.limits = h.limits[1:]
	}
	return h.Conn.SetReadDeadline(t)
}

// CloseWrite says that nothing more is sent, where the connection can.
func (h *handed) CloseWrite() error { return closeWrite(h.Conn) }

func closeWrite(c net.Conn) error {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}
