package h1

import (
	"context"
	"net"
	"sync"
	"syscall"
	"time"
)

// lookEvery is how often requests that wait for something are looked at. One that is at
// work at two looks, and whose client has hung up by the second, is given up.
const lookEvery = 20 * time.Millisecond

// lifetime is the context of a connection's requests. Whoever asks it for its end may be
// about to wait, or to work for long: the connection is looked at until it is at rest, and
// a request that never asks costs nothing.
type lifetime struct {
	context.Context
	conn *conn
}

// Done returns the channel that is closed when the connection ends or its client hangs up.
func (l *lifetime) Done() <-chan struct{} {
	l.conn.watch()
	return l.Context.Done()
}

// Err returns why Done is closed.
func (l *lifetime) Err() error {
	l.conn.watch()
	return l.Context.Err()
}

// watch has c looked at, from several goroutines.
func (c *conn) watch() {
	if !c.watched.Load() && c.watched.CompareAndSwap(false, true) {
		c.server.watch.add(c)
	}
}

// atWork says that c works on a request, atRest that it does not: that it waits for its
// client, or is about to.
func (c *conn) atWork() { c.turn.Add(1) }
func (c *conn) atRest() { c.turn.Add(1) }

// watch is the connections that are looked at.
type watch struct {
	mu    sync.Mutex
	conns []watched
	spare []watched
	armed bool
	timer *time.Timer
}

// watched is a connection, and where it was at the last look.
type watched struct {
	conn *conn
	turn uint64
}

func (w *watch) add(c *conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conns = append(w.conns, watched{conn: c})
	w.arm()
}

// arm has the next look come; w.mu is held.
func (w *watch) arm() {
	switch {
	case w.armed || len(w.conns) == 0:
	case w.timer == nil:
		w.armed, w.timer = true, time.AfterFunc(lookEvery, w.look)
	default:
		w.armed = true
		w.timer.Reset(lookEvery)
	}
}

// look looks at every connection once, and keeps those that are at work.
func (w *watch) look() {
	w.mu.Lock()
	list := w.conns
	w.conns = w.spare[:0]
	w.mu.Unlock()
	kept := list[:0]
	for _, one := range list {
		if one.look() {
			kept = append(kept, one)
		}
	}
	clear(list[len(kept):])
	w.mu.Lock()
	defer w.mu.Unlock()
	kept = append(kept, w.conns...)
	clear(w.conns)
	w.conns, w.spare, w.armed = kept, w.conns, false
	w.arm()
}

// look gives up the request of a connection whose client has hung up, and reports whether
// the connection is to be looked at again.
func (w *watched) look() bool {
	c := w.conn
	switch turn := c.turn.Load(); {
	case turn%2 == 0: // at rest
		c.watched.Store(false)
		// A request that began meanwhile may have found it watched.
		return c.turn.Load()%2 != 0 && c.watched.CompareAndSwap(false, true)
	case turn != w.turn:
		w.turn = turn
	case gone(c.raw):
		c.cancel()
		c.server.count(StatGone, c.raw.RemoteAddr())
		return false
	}
	return true
}

// gone reports whether nothing more will come from the peer of c, which has said so or
// whose connection is broken. It is not where something has come that was not read, and
// not known of connections that are none of the operating system's.
func gone(c net.Conn) bool {
	of, ok := c.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := of.SyscallConn()
	if err != nil {
		return false
	}
	over := false
	err = raw.Control(func(fd uintptr) { over = hungUp(fd) })
	return err != nil || over
}
