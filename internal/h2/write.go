package h2

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// errDone ends a connection that was asked to go and has nothing open.
var errDone = errors.New("all calls have ended")

// buffer is what is to be written; c.mu is held, and write is to follow.
func (c *conn) buffer() *[]byte {
	if c.out == nil {
		c.out = slab(fullBuffer)
	}
	return c.out
}

// write writes what is in the buffer, or leaves it to whoever writes now. It takes over
// c.mu, and gives it back.
func (c *conn) write() error {
	switch {
	case c.err != nil:
		err := c.err
		c.mu.Unlock()
		return err
	case c.held > maxHeld || c.out != nil && len(*c.out) > maxWaiting:
		held := c.held + len(*c.buffer())
		c.mu.Unlock()
		c.count(StatSlow)
		err := fmt.Errorf("%d bytes wait for it: %w", held, os.ErrDeadlineExceeded)
		c.fail(err)
		return err
	case c.writing:
		c.mu.Unlock()
		return nil
	}
	c.writing = true
	return c.flush()
}

// flush writes until nothing is left. It takes over c.mu, and gives it back.
func (c *conn) flush() error {
	for {
		out := c.out
		if out == nil || len(*out) == 0 || c.err != nil {
			c.writing, c.out = false, nil
			err, done := c.err, c.idleEnd()
			c.mu.Unlock()
			free(out)
			if err == nil && done != nil {
				c.fail(io.EOF)
			}
			return err
		}
		c.out = nil
		late := false
		if now := time.Now(); c.until.Sub(now) < c.server.config.WriteTimeout {
			c.until, late = now.Add(2*c.server.config.WriteTimeout), true
		}
		until := c.until
		c.mu.Unlock()
		if late {
			// One that cannot be set is one of a connection that cannot be written to.
			_ = c.raw.SetWriteDeadline(until)
		}
		_, err := c.raw.Write(*out)
		free(out)
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				c.count(StatSlow)
			}
			c.fail(fmt.Errorf("write: %w", err))
		}
		c.mu.Lock()
	}
}

// farewell lets the peer read what it was told last: a connection that is closed while
// there is something unread in it is cut instead.
func (c *conn) farewell() {
	half, ok := c.raw.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	if c.raw.SetReadDeadline(time.Now().Add(errorsTold)) == nil {
		_, _ = io.CopyN(io.Discard, c.raw, 256<<10) // whatever it is
	}
}
