package h1

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"testing"
	"time"
)

// TestHangUp has clients leave in the middle of a request: it is given up soon, and no
// other is.
func TestHangUp(t *testing.T) {
	for name, leave := range map[string]func(conn *net.TCPConn) error{
		"closes":            (*net.TCPConn).Close,
		"says no more":      (*net.TCPConn).CloseWrite,
		"cuts":              func(conn *net.TCPConn) error { return errors.Join(conn.SetLinger(0), conn.Close()) },
		"closes, second":    (*net.TCPConn).Close,
		"closes, pipelined": (*net.TCPConn).Close,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := newSite(t, config())
			stays, behind, leaves := dial(t, at.addr), dial(t, at.addr), dial(t, at.addr)
			text := post("/park", "")
			switch name {
			case "closes, second": // the connection is known from a request that was answered
				ask(t, leaves, bufio.NewReader(leaves), post("/echo", "abc"))
			case "closes, pipelined": // both are read at once
				text += post("/echo", "abc")
			}
			for conn, more := range map[net.Conn]string{stays: "", behind: "x"} { // behind has sent more, which nobody reads
				if _, err := io.WriteString(conn, post("/park", "")); err != nil {
					t.Fatal(err)
				}
				<-at.parked
				if _, err := io.WriteString(conn, more); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := io.WriteString(leaves, text); err != nil {
				t.Fatal(err)
			}
			<-at.parked
			if err := leave(leaves); err != nil {
				t.Fatal(err)
			}
			begun := time.Now()
			for at.counts[StatGone].Load() == 0 {
				runtime.Gosched()
			}
			took := time.Since(begun)
			if name == "says no more" { // it can still be told
				if status, body, _ := answerOf(t, bufio.NewReader(leaves)); status != 503 || body != "ended" {
					t.Errorf("a client that says no more is answered with %d %s", status, body)
				}
			}
			for range 2 { // those who stay are answered
				at.let <- struct{}{}
			}
			for _, conn := range []net.Conn{stays, behind} {
				if status, body, _ := answerOf(t, bufio.NewReader(conn)); status != 200 || body != "parked" {
					t.Errorf("a client that stays is answered with %d %s", status, body)
				}
			}
			if n := at.counts[StatGone].Load(); n != 1 {
				t.Errorf("%d connections are counted as gone, want 1", n)
			}
			t.Logf("given up after %s", took)
		})
	}
}

// TestWatchEnds wants connections that were looked at to be forgotten once they are at
// rest, and the looks to end.
func TestWatchEnds(t *testing.T) {
	at := newSite(t, config())
	for i := range 3 {
		conn := dial(t, at.addr)
		in := bufio.NewReader(conn)
		if _, err := io.WriteString(conn, post("/park", "")); err != nil {
			t.Fatal(err)
		}
		<-at.parked
		for at.watch.looksAt() == 0 {
			runtime.Gosched()
		}
		at.let <- struct{}{}
		if status, _, _ := answerOf(t, in); status != 200 {
			t.Fatalf("request %d is answered with %d", i, status)
		}
		for at.watch.looksAt() > 0 {
			runtime.Gosched()
		}
	}
	if n := at.counts[StatGone].Load(); n != 0 {
		t.Errorf("%d connections are counted as gone", n)
	}
}

// looksAt returns how many connections are looked at.
func (w *watch) looksAt() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.conns)
}

// BenchmarkWatch is what being looked after costs a request that waits: the second and
// further requests of a connection between two looks.
func BenchmarkWatch(b *testing.B) {
	for _, watched := range []bool{false, true} {
		b.Run(fmt.Sprintf("waits=%v", watched), func(b *testing.B) {
			c := newConn(&Server{ctx: b.Context()}, nil, time.Now())
			b.ReportAllocs()
			for b.Loop() {
				c.atWork()
				if watched {
					<-chosen(c.ctx.Done())
				}
				c.atRest()
			}
			c.cancel()
		})
	}
}

var closed = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// chosen stands for a wait that is over at once.
func chosen(<-chan struct{}) <-chan struct{} { return closed }
