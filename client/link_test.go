package client_test

import (
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
)

// link is a listener in front of the platform's gRPC port that can be cut.
type link struct {
	listener net.Listener
	accepted atomic.Int64 // connections
	budget   atomic.Int64 // bytes from the platform until every connection is cut; below 0: no end

	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]bool
}

func listen(t *testing.T) *link {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &link{listener: listener, conns: map[net.Conn]bool{}}
	l.budget.Store(-1)
	go l.serve()
	t.Cleanup(func() {
		listener.Close()
		l.set(true)
	})
	return l
}

func (l *link) address() string { return l.listener.Addr().String() }

func (l *link) serve() {
	for {
		near, err := l.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", os.Getenv("SLUICE_GRPC"))
		if err != nil || !l.hold(near, far) {
			near.Close()
			continue
		}
		l.accepted.Add(1)
		go func() { _, _ = io.Copy(far, near); far.Close() }()
		go func() { _, _ = io.Copy(near, &metered{far, l}); near.Close() }()
	}
}

// hold remembers connections; it closes them and is false if the link is cut.
func (l *link) hold(conns ...net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range conns {
		l.conns[c] = true
		if l.cut {
			c.Close()
		}
	}
	return !l.cut
}

// set cuts the link, which then drops every connection, or mends it.
func (l *link) set(cut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = cut
	for c := range l.conns {
		if cut {
			c.Close()
			delete(l.conns, c)
		}
	}
}

// metered reads until the link's budget is used up.
type metered struct {
	net.Conn
	link *link
}

func (m *metered) Read(p []byte) (int, error) {
	n, err := m.Conn.Read(p)
	if left := m.link.budget.Load(); left >= 0 {
		if left = m.link.budget.Add(-int64(n)); left <= 0 {
			m.link.budget.Store(-1)
			m.Close()
			return 0, io.EOF
		}
	}
	return n, err
}
