package h1

import (
	"errors"
	"io"
	"net/http"
	"runtime/debug"
	"slices"
	"time"
)

// answer answers r and reports whether the connection goes on.
func (c *conn) answer(r *Request) bool {
	out := piece()
	c.atWork()
	a, ok := c.call(r, (*out)[:headRoom])
	whole := ok && c.finish(r)
	c.atRest()
	if !ok {
		c.in = &c.small
		return false // whoever panicked may still hold what it was given
	}
	size := r.head.size + int(r.head.length)
	last := r.head.close || !whole || c.server.goes() && len(*c.in) <= size
	err := c.write(&a, time.Now(), last)
	r.release()
	*out = a.Body
	freePiece(out)
	if err != nil {
		return false
	}
	if !whole {
		c.farewell()
	}
	if last {
		return false
	}
	c.used(size)
	c.answered, c.lines = true, true
	return true
}

// call calls what answers r; it returns false if that panicked.
func (c *conn) call(r *Request, dst []byte) (a Answer, ok bool) {
	defer func() {
		if ok {
			return
		}
		what := recover()
		if what == http.ErrAbortHandler {
			return
		}
		c.server.count(StatPanic, c.raw.RemoteAddr())
		if tell := c.server.config.Panicked; tell != nil {
			tell(what, debug.Stack(), c.raw.RemoteAddr())
		}
	}()
	a = r.route.handler(&c.ctx, r, dst)
	if len(a.Body) < headRoom {
		a.Body = dst // nothing was appended
	}
	return a, true
}

// finish reads what the handler left of the body, as the client may read the answer only
// once it has sent all. It reports whether the body is over.
func (c *conn) finish(r *Request) bool {
	if !r.taken && r.head.length <= passOver {
		_, _ = r.Body() // whether it came is what is looked at
	}
	return r.taken && r.err == nil
}

// collect reads a body of n bytes: behind the head if there is room, else into a piece
// that grows with what comes.
func (c *conn) collect(r *Request, n int) error {
	if len(*c.in) >= r.head.size+n {
		return nil
	}
	c.atRest()
	defer c.atWork()
	until := c.begun.Add(c.server.config.Arrive)
	if r.head.size+n <= fullBuffer {
		for len(*c.in) < r.head.size+n {
			if err := c.fill(until); err != nil {
				return c.cut(err)
			}
		}
		return nil
	}
	r.large = piece()
	b := append(*r.large, (*c.in)[r.head.size:]...)
	defer func() { *r.large = b }()
	for len(b) < n {
		b = slices.Grow(b, min(n-len(b), max(firstPiece, len(b))))
		got, err := c.readBody(b[len(b):min(cap(b), n)], until)
		if b = b[:len(b)+got]; err != nil {
			return c.cut(err)
		}
	}
	return nil
}

// readBody reads into b, and is woken like fill.
func (c *conn) readBody(b []byte, until time.Time) (int, error) {
	c.limit(until, 0)
	for {
		n, err := c.raw.Read(b)
		if n > 0 {
			return n, nil
		}
		if !c.spurious(err, until) {
			return 0, err
		}
		c.setLimit(until)
	}
}

// cut is the error of a body that ended with err.
func (c *conn) cut(err error) error {
	c.late(err)
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
