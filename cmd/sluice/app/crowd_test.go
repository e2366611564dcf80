package app

import (
	"io"
	"net"
	"syscall"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// TestCrowd opens one connection more than there is room for, twice.
func TestCrowd(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer inner.Close()
	c := &crowd{Listener: inner, most: 2, refused: prometheus.NewCounter(prometheus.CounterOpts{Name: "refused"})}
	accepted := make(chan net.Conn)
	go func() {
		for {
			conn, err := c.Accept()
			if err != nil {
				close(accepted)
				return
			}
			accepted <- conn
		}
	}()
	dial := func() net.Conn {
		conn, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	for round := range 2 {
		dial()
		one := <-accepted
		dial()
		two := <-accepted
		if _, err := dial().Read(make([]byte, 1)); err == nil || err != io.EOF && testutil.ToFloat64(c.refused) == 0 {
			t.Errorf("round %d: a third connection reads %v, want its end", round, err)
		}
		if socket, err := one.(syscall.Conn).SyscallConn(); err != nil || socket == nil {
			t.Errorf("round %d: the door is not given the socket: %v", round, err)
		}
		for range 2 { // a second close makes no more room
			one.Close()
			two.Close()
		}
		if n := c.open.Load(); n != 0 {
			t.Errorf("round %d: %d are open in the end, want 0", round, n)
		}
	}
	if n := testutil.ToFloat64(c.refused); n != 2 {
		t.Errorf("%g connections refused, want 2", n)
	}
}
