//go:build services

package registry_test

import (
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// proxy stands between a registry and its server, and fails as a network does.
type proxy struct {
	listener net.Listener
	server   string

	mu      sync.Mutex
	onQuery func(query string) fault // asked before a simple query is passed on
	frozen  chan struct{}            // nothing passes until it is closed
	refuse  bool                     // new connections
	conns   map[net.Conn]bool
}

// fault is what happens to a connection at a query.
type fault struct {
	cut   bool          // the client loses its connection
	after bool          // only once the server has answered
	late  time.Duration // without after: the server gets the query that much later; negative: never
}

// startProxy returns a proxy before the server of dsn, and the dsn of the proxy.
func startProxy(t *testing.T, dsn string) (*proxy, string) {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, server: u.Host, conns: map[net.Conn]bool{}}
	u.Host = l.Addr().String()
	go p.accept()
	t.Cleanup(p.close)
	return p, u.String()
}

func (p *proxy) close() {
	p.listener.Close()
	p.thaw()
	p.cutAll()
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		refuse := p.refuse
		p.mu.Unlock()
		if refuse {
			client.Close()
			continue
		}
		server, err := net.Dial("tcp", p.server)
		if err != nil {
			client.Close()
			continue
		}
		p.mu.Lock()
		p.conns[client] = true
		p.mu.Unlock()
		l := &link{proxy: p, client: client, server: server, answered: make(chan struct{})}
		go l.forth()
		go l.back()
	}
}

// at has do decide what happens at queries; nil: nothing does.
func (p *proxy) at(do func(query string) fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.onQuery = do
}

func (p *proxy) freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.frozen = make(chan struct{})
}

func (p *proxy) thaw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.frozen != nil {
		close(p.frozen)
		p.frozen = nil
	}
}

// setRefuse has new connections refused, or no longer.
func (p *proxy) setRefuse(refuse bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = refuse
}

func (p *proxy) cutAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
		delete(p.conns, c)
	}
}

func (p *proxy) wait() {
	p.mu.Lock()
	frozen := p.frozen
	p.mu.Unlock()
	if frozen != nil {
		<-frozen
	}
}

// link is one connection through the proxy.
type link struct {
	*proxy
	client, server net.Conn
	answered       chan struct{} // closed once the server has answered what is held

	mu      sync.Mutex
	holding bool // answers are kept from the client
}

// forth passes messages on to the server. The first has no kind.
func (l *link) forth() {
	defer l.server.Close()
	kind, head := make([]byte, 1), make([]byte, 4)
	for first := true; ; first = false {
		message := []byte{}
		if !first {
			if _, err := io.ReadFull(l.client, kind); err != nil {
				return
			}
			message = append(message, kind...)
		}
		if _, err := io.ReadFull(l.client, head); err != nil {
			return
		}
		body := make([]byte, binary.BigEndian.Uint32(head)-4)
		if _, err := io.ReadFull(l.client, body); err != nil {
			return
		}
		l.wait()
		message = append(append(message, head...), body...)
		if !first && kind[0] == 'Q' && !l.query(message, strings.TrimRight(string(body), "\x00")) {
			return
		}
		if first || kind[0] != 'Q' {
			if _, err := l.server.Write(message); err != nil {
				l.client.Close()
				return
			}
		}
	}
}

// query passes a simple query on, with the fault that it is to meet; false if the
// connection is over.
func (l *link) query(message []byte, query string) bool {
	l.proxy.mu.Lock()
	do := l.onQuery
	l.proxy.mu.Unlock()
	var f fault
	if do != nil {
		f = do(query)
	}
	if f.cut && !f.after {
		l.client.Close()
		if f.late < 0 {
			return false
		}
		<-time.After(f.late)
	}
	if f.cut {
		l.hold()
	}
	if _, err := l.server.Write(message); err != nil {
		l.client.Close()
		return false
	}
	if f.cut {
		<-l.answered
		l.client.Close()
		return false
	}
	return true
}

// hold keeps what the server answers from now on from the client.
func (l *link) hold() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.holding = true
}

func (l *link) held() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.holding
}

// back passes the server's answers on.
func (l *link) back() {
	defer l.client.Close()
	answered := sync.OnceFunc(func() { close(l.answered) })
	defer answered()
	buf := make([]byte, 64<<10)
	for {
		n, err := l.server.Read(buf)
		if err != nil {
			return
		}
		l.wait()
		if l.held() {
			answered()
			continue
		}
		l.client.Write(buf[:n]) // a client that is gone shows in forth
	}
}
