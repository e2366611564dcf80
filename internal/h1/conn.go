package h1

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"sync/atomic"
	"time"
)

const (
	idleSlack  = 15 * time.Second      // by which an idle connection may live longer, so that it seldom needs a new deadline
	lastLook   = 10 * time.Millisecond // for a request that is on its way when the server leaves
	told       = 500 * time.Millisecond
	passOver   = 256 << 10 // bytes of a body that nobody asked for, which are read all the same
	firstBytes = 4         // bytes of a request that are looked at first; line ends among them, which old clients send after a body, are passed over
)

// conn is a connection. All but the last four is of its goroutine alone, or of the worker
// that it waits for.
type conn struct {
	server *Server
	raw    net.Conn
	cancel context.CancelFunc // of ctx
	in     *[]byte            // what was read and not answered
	small  []byte             // the buffer while little comes
	done   chan bool          // the worker has answered; false: the connection is over

	begun      time.Time // when the head that is read began; the first begins with the connection
	armed      time.Time // the deadline of reads
	writeUntil time.Time // the deadline of writes
	answered   bool
	lines      bool   // the last request was a POST, which line ends may follow
	blank      int    // bytes of line ends that were passed over before the head
	passed     bool   // net/http has it
	extent     extent // of the request that net/http is to answer

	ctx     lifetime      // ends with the connection, or once its client has hung up
	waiting atomic.Bool   // for a request, and none has begun
	turn    atomic.Uint64 // odd while a request is at work; another for each
	watched atomic.Bool   // the server looks whether the client hangs up
}

func newConn(s *Server, raw net.Conn, now time.Time) *conn {
	c := &conn{server: s, raw: raw, begun: now, small: make([]byte, 0, idleBuffer), done: make(chan bool, 1)}
	ctx, cancel := context.WithCancel(s.ctx)
	c.ctx, c.cancel = lifetime{ctx, c}, cancel
	c.in = &c.small
	return c
}

// run answers requests until the connection ends, or is net/http's.
func (c *conn) run() {
	for {
		r := c.next()
		if r == nil {
			break
		}
		c.server.workers.Run(r)
		if !<-c.done {
			break
		}
	}
	c.cancel()
	if c.in != &c.small {
		freeSlab(c.in)
	}
	if !c.passed {
		_ = c.raw.Close() // it is given up
	}
}

// next waits for a request and returns it. It returns nil if the connection has ended,
// or was handed over for good.
func (c *conn) next() *Request {
	for {
		r, back := c.nextHere()
		if !back {
			return r
		}
	}
}

// nextHere does so until one is answered by net/http, and the connection comes back.
func (c *conn) nextHere() (r *Request, back bool) {
	if c.answered {
		if len(*c.in) == 0 && c.wait() != nil {
			return nil, false
		}
		c.begun, c.blank = time.Now(), 0
	}
	for seen := 0; ; {
		if c.begins() {
			switch r, what := c.look(seen); what {
			case here, left:
				return r, false
			case lendable:
				return nil, c.lend()
			}
			seen = len(*c.in)
		}
		err := c.fill(c.begun.Add(c.server.config.Handshake))
		if err == nil {
			continue
		}
		if slow := errors.Is(err, os.ErrDeadlineExceeded); len(*c.in) > 0 && c.begins() && (slow || errors.Is(err, io.EOF)) {
			c.pass(ended(slow)) // net/http has an answer to some of that
		}
		return nil, false
	}
}

// ended is why a connection is handed over whose head ended early.
func ended(slow bool) Stat {
	if slow {
		return StatSlow
	}
	return StatUnusual
}

// begins reports whether a request has begun: after an answer net/http looks at nothing
// shorter than this.
func (c *conn) begins() bool { return !c.answered || c.blank+len(*c.in) >= firstBytes }

// whose says who answers a request.
type whose uint8

const (
	unknown whose = iota // more of its head is to come
	here
	lendable // net/http, of which it is known where it ends
	left     // net/http, which has the connection by now
)

// look looks at what has come of a head, of which seen bytes were looked at before. r is
// the request if it is answered here.
func (c *conn) look(seen int) (r *Request, what whose) {
	c.skip()
	b := *c.in
	if len(b) == 0 || seen >= len(lineBegin) && bytes.IndexByte(b[seen:], '\n') < 0 && len(b) < c.server.config.MaxHeader {
		return nil, unknown
	}
	r = requests.Get().(*Request)
	r.conn = c
	if what = c.take(r, b); what == here {
		return r, here
	}
	r.release()
	return nil, what
}

// take reads the head of r from b. The connection of a request that is not answered here,
// of which it is not known where it ends, is handed over.
func (c *conn) take(r *Request, b []byte) whose {
	config := &c.server.config
	v := r.head.parse(b, config.MaxFields)
	switch {
	case v == more && len(b) >= config.MaxHeader, v == plain && (r.head.size > config.MaxHeader || r.head.length > int64(config.MaxBody)):
		v = large
	case v == plain:
		if r.route, r.wild = c.server.routes.find(b, r.head.target); r.route == nil {
			v = routed
		}
	}
	why := StatOther
	switch v {
	case plain:
		return here
	case more:
		return unknown
	case formed:
		why = StatUnusual
	case large:
		why = StatLarge
	}
	if v != large {
		switch v = c.extent.measure(b, config.MaxFields); {
		case v == plain:
			return lendable
		case v == more && len(b) < config.MaxHeader:
			return unknown
		}
	}
	c.pass(why)
	return left
}

// skip passes over line ends before a head, as net/http does after a POST.
func (c *conn) skip() {
	b, n := *c.in, 0
	for c.lines && c.blank < firstBytes && n < len(b) && (b[n] == '\r' || b[n] == '\n') {
		n++
		c.blank++
	}
	if n > 0 {
		*c.in = b[:copy(b, b[n:])]
	}
}

// pass hands the connection to net/http for good.
func (c *conn) pass(why Stat) {
	c.server.count(why, c.raw.RemoteAddr())
	h := c.hand()
	c.server.handoff.give(&h)
}

// hand returns what net/http gets, with what was read. c has nothing of it any more.
func (c *conn) hand() handed {
	config := &c.server.config
	c.passed = true
	_ = c.raw.SetWriteDeadline(time.Time{}) // net/http finds out by itself if it cannot be written to
	before := slices.Clone(*c.in)
	c.used(len(before))
	return handed{Conn: c.raw, before: before, limits: []time.Time{c.begun.Add(config.Handshake), c.begun.Add(config.Arrive)}}
}

// wait waits for the first bytes of a request. While the server leaves it does not wait,
// but takes what is on its way.
func (c *conn) wait() error {
	c.limit(time.Now().Add(c.server.config.Idle), idleSlack)
	c.waiting.Store(true)
	defer c.waiting.Store(false)
	if !c.server.conns.Leaving() {
		err := c.read()
		if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) || !c.server.conns.Leaving() {
			return err
		}
	}
	c.setLimit(time.Now().Add(lastLook))
	return c.read()
}

// fill reads more of a request, until the deadline. The server wakes those who wait when
// it leaves, which is no deadline of a request that has begun.
func (c *conn) fill(until time.Time) error {
	if b := *c.in; len(b) == cap(b) {
		next := slab()
		*next = append(*next, b...)
		c.in = next
	}
	c.limit(until, 0)
	err := c.read()
	for c.spurious(err, until) {
		c.setLimit(until)
		err = c.read()
	}
	return err
}

// spurious reports whether a read ended because the server leaves, and may go on.
func (c *conn) spurious(err error, until time.Time) bool {
	return errors.Is(err, os.ErrDeadlineExceeded) && c.server.conns.Leaving() && time.Now().Before(until)
}

// read reads once into the buffer, which has room.
func (c *conn) read() error {
	b := *c.in
	n, err := c.raw.Read(b[len(b):cap(b)])
	if *c.in = b[:len(b)+n]; n > 0 {
		return nil
	}
	return err
}

// limit lets reads wait until t, or by slack longer.
func (c *conn) limit(t time.Time, slack time.Duration) {
	if d := c.armed.Sub(t); d < 0 || d > slack {
		c.setLimit(t.Add(slack))
	}
}

func (c *conn) setLimit(t time.Time) {
	c.armed = t
	_ = c.raw.SetReadDeadline(t) // one that cannot be set is one of a connection that has ended
}

// late counts a body that did not come in time.
func (c *conn) late(err error) {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.server.count(StatSlow, c.raw.RemoteAddr())
	}
}

// used takes the first n bytes out of what was read; a large buffer is given up once what
// is left fits the small one.
func (c *conn) used(n int) {
	b := *c.in
	rest := b[min(n, len(b)):]
	if c.in != &c.small && len(rest) <= idleBuffer {
		full := c.in
		c.small = append(c.small[:0], rest...)
		c.in = &c.small
		freeSlab(full)
		return
	}
	*c.in = b[:copy(b, rest)]
}

// farewell lets the client read its answer: a connection that is closed while there is
// something unread in it is cut instead.
func (c *conn) farewell() {
	if closeWrite(c.raw) == nil {
		c.setLimit(time.Now().Add(told))
		_, _ = io.CopyN(io.Discard, c.raw, passOver) // whatever it is
	}
}
