// Package connections takes connections of a server until it is told to leave, and knows
// which are open.
package connections

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// ErrClosed is why Serve ends of a set that was told to leave.
var ErrClosed = errors.New("the server is closed")

// Set is the connections of a server that are open, and the listeners that they come by. It
// is safe for concurrent use.
type Set[C comparable] struct {
	leaving atomic.Bool
	group   sync.WaitGroup // what runs connections

	mu        sync.Mutex
	listeners map[net.Listener]struct{}
	open      map[C]struct{}
	left      chan struct{} // closed when it was told to leave
	gone      chan struct{} // closed when it was, and no connection is open
}

// New returns a set without connections.
func New[C comparable]() *Set[C] {
	return &Set[C]{listeners: map[net.Listener]struct{}{}, open: map[C]struct{}{},
		left: make(chan struct{}), gone: make(chan struct{})}
}

// Serve gives the connections of l to serve, one after the other, until the set is told to
// leave, and closes l. The error is never nil, and ErrClosed then.
func (s *Set[C]) Serve(l net.Listener, serve func(net.Conn)) error {
	defer l.Close()
	if !s.listen(l) {
		return ErrClosed
	}
	defer s.unlisten(l)
	for wait := time.Duration(0); ; {
		raw, err := l.Accept()
		if err == nil {
			wait = 0
			serve(raw)
			continue
		}
		if s.Leaving() {
			return ErrClosed
		}
		if passing := (interface{ Temporary() bool })(nil); !errors.As(err, &passing) || !passing.Temporary() {
			return fmt.Errorf("accept on %s: %w", l.Addr(), err)
		}
		// There are too many open files, or the like: as net/http and grpc-go, wait for better times.
		wait = min(max(2*wait, 5*time.Millisecond), time.Second)
		select {
		case <-time.After(wait):
		case <-s.left:
		}
	}
}

// listen has l among the listeners, unless the set leaves.
func (s *Set[C]) listen(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leaving.Load() {
		return false
	}
	s.listeners[l] = struct{}{}
	return true
}

func (s *Set[C]) unlisten(l net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, l)
}

// Run has c among the open connections for as long as run takes, on a goroutine of its own.
// It reports whether it began: a set that leaves takes none.
func (s *Set[C]) Run(c C, run func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leaving.Load() {
		return false
	}
	s.open[c] = struct{}{}
	s.group.Go(func() {
		defer s.forget(c)
		run()
	})
	return true
}

func (s *Set[C]) forget(c C) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
	if s.leaving.Load() && len(s.open) == 0 {
		s.over()
	}
}

// over says once that no connection is open; s.mu is held.
func (s *Set[C]) over() {
	select {
	case <-s.gone:
	default:
		close(s.gone)
	}
}

// Append appends the open connections to list and returns it.
func (s *Set[C]) Append(list []C) []C {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.open {
		list = append(list, c)
	}
	return list
}

// Leave closes the listeners, has the set take no further connection, and returns those that
// are open. It may be called again.
func (s *Set[C]) Leave() []C {
	s.mu.Lock()
	first := !s.leaving.Swap(true)
	if first {
		close(s.left)
	}
	for l := range s.listeners {
		_ = l.Close() // whoever waits in Accept sees it
	}
	if len(s.open) == 0 {
		s.over()
	}
	s.mu.Unlock()
	return s.Append(nil)
}

// Leaving reports whether the set was told to leave.
func (s *Set[C]) Leaving() bool { return s.leaving.Load() }

// Empty returns when a set that was told to leave has no open connection. The error is
// ctx's, if that ends first.
func (s *Set[C]) Empty(ctx context.Context) error {
	select {
	case <-s.gone:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("shut down: %w", ctx.Err())
	}
}

// Wait returns when all that Run began has ended.
func (s *Set[C]) Wait() { s.group.Wait() }
