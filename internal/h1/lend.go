package h1

import (
	"io"
	"net"
	"net/http"
	"slices"
	"sync/atomic"
	"time"
)

// lent is a connection that net/http has for one request, whose extent is known. It reads
// no more than that, and once it has answered and waits for the next request, it finds the
// end of the connection and closes it: which gives it back.
type lent struct {
	handed
	extent extent
	beyond []byte         // what it has read of the next request while it worked on this one
	phase  atomic.Uint32  // a lentPhase
	done   chan lentPhase // told once what became of it: lentEnded, given back; lentKept; lentOver, closed
}

// lentPhase is where a connection is that is lent.
type lentPhase = uint32

const (
	lentOut   lentPhase = iota // net/http works on the request
	lentIdle                   // it has answered
	lentEnded                  // it has found the end
	lentKept                   // it keeps the connection
	lentOver                   // it is given back, or closed
)

// Read reads of the request, and waits for more after it, so that net/http finds out when
// the client hangs up.
func (l *lent) Read(b []byte) (int, error) {
	if l.phase.CompareAndSwap(lentIdle, lentEnded) {
		return 0, io.EOF
	}
	if l.phase.Load() == lentKept {
		return l.handed.Read(b)
	}
	if !l.extent.ended() {
		return l.readOf(b)
	}
	n, err := l.handed.Read(b[:min(1, len(b))])
	if l.beyond = append(l.beyond, b[:n]...); len(l.beyond) > 1 {
		l.keep() // it is not of our opinion on where the request ends
	}
	return n, err
}

// readOf reads of the request alone.
func (l *lent) readOf(b []byte) (int, error) {
	if e := &l.extent; e.state == over { // all that is left has a known length
		b = b[:min(int64(len(b)), e.left)]
	}
	n, err := l.handed.Read(b)
	if own := l.extent.take(b[:n]); own < n {
		l.before = slices.Concat(b[own:n], l.before)
		n = own
	}
	if l.extent.state == doubt {
		l.keep()
	}
	return n, err
}

// answered notes that net/http waits for the next request. Of a request that it did not
// read to its end somebody is wrong about that.
func (l *lent) answered() {
	if l.extent.ended() {
		l.phase.CompareAndSwap(lentOut, lentIdle)
	} else {
		l.keep()
	}
}

// keep leaves the connection to net/http for good.
func (l *lent) keep() {
	if l.phase.CompareAndSwap(lentOut, lentKept) {
		l.done <- lentKept
	}
}

// Close gives the connection back, or closes it.
func (l *lent) Close() error {
	switch l.phase.Swap(lentOver) {
	case lentEnded:
		l.done <- lentEnded
		return nil
	case lentOut, lentIdle:
		l.done <- lentOver
	case lentOver:
		return nil
	}
	return l.Conn.Close()
}

// notice tells connections that are lent when they are idle; also is called too.
func notice(also func(net.Conn, http.ConnState)) func(net.Conn, http.ConnState) {
	return func(c net.Conn, state http.ConnState) {
		if l, ok := c.(*lent); ok && state == http.StateIdle {
			l.answered()
		}
		if also != nil {
			also(c, state)
		}
	}
}

// lend has net/http answer the request at the front of what was read, and waits until that
// is done. It reports whether the connection came back.
func (c *conn) lend() bool {
	c.server.count(StatLent, c.raw.RemoteAddr())
	l := &lent{handed: c.hand(), extent: c.extent, done: make(chan lentPhase, 1)}
	c.server.handoff.give(l)
	select {
	case became := <-l.done:
		switch became {
		case lentEnded:
			c.takeBack(l)
		case lentKept:
			c.server.count(StatUnusual, c.raw.RemoteAddr())
		}
	case <-c.server.ctx.Done(): // the server is closed, and net/http closes what it has
	}
	return !c.passed
}

// takeBack goes on with what net/http has not answered.
func (c *conn) takeBack(l *lent) {
	rest := slices.Concat(l.beyond, l.before)
	if len(rest) > cap(c.small) {
		c.in = slab()
	}
	*c.in = append((*c.in)[:0], rest...)
	c.passed, c.answered, c.lines = false, true, c.extent.post
	c.armed, c.writeUntil = time.Time{}, time.Time{} // net/http has set others
}
