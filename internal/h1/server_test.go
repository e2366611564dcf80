package h1

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// ask sends text on conn and returns the status and body of the next answer, and whether
// it is said to be the last.
func ask(t testing.TB, conn net.Conn, in *bufio.Reader, text string) (status int, body string, last bool) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	return answerOf(t, in)
}

func answerOf(t testing.TB, in *bufio.Reader) (status int, body string, last bool) {
	t.Helper()
	response, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(b), response.Close
}

// TestSplit sends two requests in two writes, split at each byte.
func TestSplit(t *testing.T) {
	at := newSite(t, config())
	text := post("/things/a/echo", "abc", "X-One: 1") + post("/echo", "def")
	want := "200 \"a\" \"1\" \"\" \"abc\" 200 \"\" \"\" \"\" \"def\""
	conn := dial(t, at.addr)
	in := bufio.NewReader(conn)
	for i := range len(text) {
		if _, err := io.WriteString(conn, text[:i]); err != nil {
			t.Fatal(err)
		}
		runtime.Gosched() // lets the server read that much, as a rule
		first, one, _ := ask(t, conn, in, text[i:])
		second, two, _ := answerOf(t, in)
		if got := fmt.Sprintf("%d %s %d %s", first, one, second, two); got != want {
			t.Fatalf("split at %d: %s, want %s", i, got, want)
		}
	}
	for what := range at.counts {
		if n := at.counts[what].Load(); n != 0 {
			t.Errorf("%d connections are counted as %s", n, Stat(what))
		}
	}
}

// TestPanic wants a panic to end its connection, and nothing else.
func TestPanic(t *testing.T) {
	at := newSite(t, config())
	other := dial(t, at.addr)
	in := bufio.NewReader(other)
	ask(t, other, in, post("/echo", "abc"))
	if got := converse(t, at.addr, post("/panic", "abc")); got != "EOF\n" && got != "" {
		t.Errorf("a panic is answered with %s", got)
	}
	if what := <-at.panics; what != "at the door" || at.counts[StatPanic].Load() != 1 {
		t.Errorf("told of %v, counted %d", what, at.counts[StatPanic].Load())
	}
	if status, _, _ := ask(t, other, in, post("/echo", "abc")); status != 200 {
		t.Errorf("another connection is answered with %d", status)
	}
}

// TestShutdown wants what is at work to be answered, as the last; what waits behind it as
// well; idle connections to end; and nothing new to begin.
func TestShutdown(t *testing.T) {
	at := newSite(t, config())
	idle, busy, rest, lent, half := dial(t, at.addr), dial(t, at.addr), dial(t, at.addr), dial(t, at.addr), dial(t, at.addr)
	idleIn, busyIn, restIn, lentIn, halfIn := bufio.NewReader(idle), bufio.NewReader(busy), bufio.NewReader(rest), bufio.NewReader(lent), bufio.NewReader(half)
	for conn, in := range map[net.Conn]*bufio.Reader{idle: idleIn, busy: busyIn, half: halfIn} {
		ask(t, conn, in, post("/echo", "abc"))
	}
	ask(t, rest, restIn, chunkExtension)
	if _, err := io.WriteString(busy, post("/park", "")+post("/echo", "abc")); err != nil {
		t.Fatal(err)
	}
	<-at.parked
	for conn, text := range map[net.Conn]string{rest: post("/park", ""), lent: post("/park", "", "TE: trailers")} {
		if _, err := io.WriteString(conn, text); err != nil {
			t.Fatal(err)
		}
		<-at.parked
	}
	if _, err := io.WriteString(half, "POST /echo HTTP/1.1\r\nHost: x\r\n"); err != nil {
		t.Fatal(err)
	}
	for len(at.waiting()) > 1 { // until that has arrived
		runtime.Gosched()
	}
	done := make(chan error, 1)
	go func() { done <- at.Shutdown(t.Context()) }()
	if _, err := idleIn.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("an idle connection reads %v", err)
	}
	if status, _, last := ask(t, half, halfIn, "Content-Length: 3\r\n\r\nabc"); status != 200 || !last {
		t.Errorf("a request that had begun is answered with %d, last: %v", status, last)
	}
	for range 3 {
		at.let <- struct{}{}
	}
	if status, _, _ := answerOf(t, busyIn); status != 200 {
		t.Errorf("a request at work is answered with %d", status)
	}
	if status, _, last := answerOf(t, busyIn); status != 200 || !last {
		t.Errorf("one behind it is answered with %d, last: %v", status, last)
	}
	for name, in := range map[string]*bufio.Reader{"for good": restIn, "for one request": lentIn} {
		if status, _, last := answerOf(t, in); status != 200 || !last {
			t.Errorf("one that net/http has %s is answered with %d, last: %v", name, status, last)
		}
	}
	if err := <-done; err != nil {
		t.Errorf("Shutdown = %v", err)
	}
	if conn, err := net.Dial("tcp", at.addr); err == nil {
		conn.Close()
		t.Error("a connection is taken after the shutdown")
	}
}

// waiting returns the connections that wait for a request.
func (s *Server) waiting() (list []*conn) {
	for _, c := range s.conns.Append(nil) {
		if c.waiting.Load() {
			list = append(list, c)
		}
	}
	return list
}

// TestClose ends what is at work, here and of net/http.
func TestClose(t *testing.T) {
	at := newSite(t, config())
	own, rest, lent := dial(t, at.addr), dial(t, at.addr), dial(t, at.addr)
	ask(t, rest, bufio.NewReader(rest), chunkExtension)
	for conn, text := range map[net.Conn]string{own: post("/park", ""), rest: post("/park", ""), lent: post("/park", "", "TE: trailers")} {
		if _, err := io.WriteString(conn, text); err != nil {
			t.Fatal(err)
		}
		<-at.parked
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := at.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Shutdown = %v, want that its time is over", err)
	}
	at.Close()
	for name, conn := range map[string]net.Conn{"own": own, "rest": rest, "lent": lent} {
		if _, err := io.ReadAll(conn); err != nil && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%s: a connection of a closed server reads %v", name, err)
		}
	}
}

// TestLeaving wants answers of a server that leaves to be the last of their connections,
// before it is shut down.
func TestLeaving(t *testing.T) {
	var leaving atomic.Bool
	c := config()
	c.Leaving = leaving.Load
	at := newSite(t, c)
	conn := dial(t, at.addr)
	in := bufio.NewReader(conn)
	if _, _, last := ask(t, conn, in, post("/echo", "abc")); last {
		t.Error("the first answer is the last")
	}
	leaving.Store(true)
	if status, _, last := ask(t, conn, in, post("/echo", "abc")); status != 200 || !last {
		t.Errorf("answered with %d, last: %v", status, last)
	}
	if _, err := in.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("and then %v", err)
	}
}

// TestDrain asks from many clients while servers say that they leave, end, and others come
// in their place: no request fails.
func TestDrain(t *testing.T) {
	var leaving atomic.Bool
	var addr atomic.Value
	c := config()
	c.Leaving = leaving.Load
	first, second := newSite(t, c), newSite(t, config())
	addr.Store(first.addr)
	var group sync.WaitGroup
	var asked atomic.Int64
	stop := make(chan struct{})
	for range 16 {
		group.Go(func() {
			transport := &http.Transport{MaxIdleConnsPerHost: 4}
			defer transport.CloseIdleConnections()
			client := &http.Client{Transport: transport}
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				path := []string{"/echo", "/things/a/echo", "/echo?x"}[i%3] // the last is net/http's
				response, err := client.Post("http://"+addr.Load().(string)+path, "text/plain", strings.NewReader("abc"))
				if err != nil {
					t.Errorf("request %d: %v", i, err)
					return
				}
				_, err = io.Copy(io.Discard, response.Body)
				response.Body.Close()
				if err != nil || response.StatusCode != 200 {
					t.Errorf("request %d: %d, %v", i, response.StatusCode, err)
				}
				asked.Add(1)
			}
		})
	}
	until := func(n int64) {
		for from := asked.Load(); asked.Load() < from+n; {
			runtime.Gosched()
		}
	}
	until(500)
	leaving.Store(true) // clients still come, and are asked to go
	until(200)
	addr.Store(second.addr) // as a balancer does
	until(200)
	if err := first.Shutdown(t.Context()); err != nil {
		t.Errorf("Shutdown = %v", err)
	}
	until(200)
	close(stop)
	group.Wait()
}

// TestIdleMemory wants connections that were used to hold little.
func TestIdleMemory(t *testing.T) {
	const clients = 1000
	at := newSite(t, config())
	before := held()
	for range clients {
		conn := dial(t, at.addr)
		// More than an idle connection's buffer holds.
		if status, _, _ := ask(t, conn, bufio.NewReaderSize(conn, 16), post("/echo", strings.Repeat("a", 8000))); status != 200 {
			t.Fatalf("answered with %d", status)
		}
	}
	if each := (int64(held()) - int64(before)) / clients; each > 40<<10 {
		t.Errorf("an idle connection holds %d bytes with its client's, want at most 40 KiB", each)
	} else {
		t.Logf("an idle connection holds %d bytes, with its client's", each)
	}
}

// held is the memory of objects and stacks after a collection.
func held() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// failing is a listener that fails at first.
type failing struct {
	net.Listener
	errs []error
}

func (f *failing) Accept() (net.Conn, error) {
	if len(f.errs) == 0 {
		return f.Listener.Accept()
	}
	err := f.errs[0]
	f.errs = f.errs[1:]
	return nil, err
}

// TestAccept wants a server to outlive that there are too many open files.
func TestAccept(t *testing.T) {
	at, _ := unserved(config())
	l := listener(t)
	full := &net.OpError{Op: "accept", Err: syscall.EMFILE}
	go func() { at.ended <- at.Serve(&failing{l, []error{full, full}}) }()
	conn := dial(t, l.Addr().String())
	if status, _, _ := ask(t, conn, bufio.NewReader(conn), post("/echo", "abc")); status != 200 {
		t.Errorf("answered with %d", status)
	}
	broken := errors.New("broken")
	if err := at.Serve(&failing{listener(t), []error{broken}}); !errors.Is(err, broken) {
		t.Errorf("Serve = %v, want that the listener is broken", err)
	}
	at.Close()
	if err := <-at.ended; !errors.Is(err, ErrClosed) {
		t.Errorf("Serve = %v", err)
	}
	if err := at.Serve(listener(t)); !errors.Is(err, ErrClosed) {
		t.Errorf("Serve of a closed server = %v", err)
	}
}
