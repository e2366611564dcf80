package connections

import (
	"context"
	"errors"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// listener gives what it is told to give.
type listener struct {
	net.Listener
	next   chan any // a connection or an error
	closed chan struct{}
}

func newListener() *listener {
	return &listener{next: make(chan any), closed: make(chan struct{})}
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case <-l.closed:
		return nil, net.ErrClosed
	case what := <-l.next:
		if err, ok := what.(error); ok {
			return nil, err
		}
		return what.(net.Conn), nil
	}
}

func (l *listener) Close() error {
	select {
	case <-l.closed:
	default:
		close(l.closed)
	}
	return nil
}

func (l *listener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

// begin serves l with a set whose connections last until they are closed by the other side.
func begin(t *testing.T, s *Set[net.Conn], l net.Listener) <-chan error {
	t.Helper()
	ended := make(chan error, 1)
	go func() {
		ended <- s.Serve(l, func(c net.Conn) {
			if !s.Run(c, func() { _, _ = c.Read(make([]byte, 1)) }) {
				c.Close()
			}
		})
	}()
	return ended
}

// TestLeave wants a set that leaves to take nothing more, and to be empty when the last
// connection has ended and no sooner.
func TestLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, l := New[net.Conn](), newListener()
		ended := begin(t, s, l)
		here, there := net.Pipe()
		l.next <- here
		synctest.Wait()
		if open := s.Append(nil); len(open) != 1 || open[0] != here {
			t.Fatalf("open are %v", open)
		}
		if list := s.Leave(); len(list) != 1 || !s.Leaving() {
			t.Fatalf("Leave = %v", list)
		}
		if err := <-ended; !errors.Is(err, ErrClosed) {
			t.Errorf("Serve = %v, want %v", err, ErrClosed)
		}
		if s.Run(there, func() { t.Error("a connection is run by a set that leaves") }) {
			t.Error("a set that leaves takes a connection")
		}
		if err := s.Serve(newListener(), nil); !errors.Is(err, ErrClosed) {
			t.Errorf("Serve of a set that leaves = %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Empty(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Empty = %v while one is open", err)
		}
		there.Close()
		s.Wait()
		if err := s.Empty(t.Context()); err != nil || len(s.Leave()) != 0 {
			t.Errorf("Empty = %v of none", err)
		}
	})
}

// TestTooManyFiles wants a listener that cannot take a connection now to be asked again, less
// and less often, and the wait to end when the set is told to leave.
func TestTooManyFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, l := New[net.Conn](), newListener()
		ended := begin(t, s, l)
		full := &net.OpError{Op: "accept", Err: syscall.EMFILE}
		start := time.Now()
		for range 10 {
			l.next <- full
		}
		if took := time.Since(start); took < 2*time.Second || took > 5*time.Second {
			t.Errorf("it was asked ten times within %s", took)
		}
		here, there := net.Pipe()
		l.next <- here
		synctest.Wait()
		if len(s.Append(nil)) != 1 {
			t.Error("it takes none any more")
		}
		for range 9 {
			l.next <- full
		}
		synctest.Wait()
		start = time.Now()
		s.Leave()
		if err := <-ended; !errors.Is(err, ErrClosed) || time.Since(start) != 0 {
			t.Errorf("Serve = %v, %s after it was told to leave", err, time.Since(start))
		}
		there.Close()
		s.Wait()
	})
}

// TestBroken wants a listener that fails for good to be told.
func TestBroken(t *testing.T) {
	s, l := New[net.Conn](), newListener()
	ended := begin(t, s, l)
	l.next <- syscall.EINVAL
	if err := <-ended; !errors.Is(err, syscall.EINVAL) || errors.Is(err, ErrClosed) {
		t.Errorf("Serve = %v, want %v", err, syscall.EINVAL)
	}
	select {
	case <-l.closed:
	default:
		t.Error("the listener is left open")
	}
}
