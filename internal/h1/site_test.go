package h1

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"time"
)

// config is what the tests allow.
func config() Config {
	return Config{MaxHeader: 16 << 10, MaxFields: 50, MaxBody: 1 << 20, Handshake: 5 * time.Second, Arrive: 10 * time.Second, Idle: time.Minute, WriteTimeout: 5 * time.Second}
}

// asked is a request, whichever server took it.
type asked interface {
	Get(name string) string
	PathValue(name string) string
	Body() ([]byte, error)
}

// answers are what the tests ask, by pattern. Both servers answer by them.
func (at *site) answers() map[string]func(ctx context.Context, in asked) (int, http.Header, []byte) {
	plain := http.Header{"Content-Type": {"text/plain"}}
	echo := func(_ context.Context, in asked) (int, http.Header, []byte) {
		body, err := in.Body()
		if err != nil {
			return http.StatusUnprocessableEntity, plain, []byte(err.Error())
		}
		return http.StatusOK, plain, fmt.Appendf(nil, "%q %q %q %q", in.PathValue("thing"), in.Get("x-one"), in.Get("Connection"), body)
	}
	return map[string]func(ctx context.Context, in asked) (int, http.Header, []byte){
		"POST /echo":                echo,
		"POST /things/{thing}/echo": echo,
		"POST /refuse": func(context.Context, asked) (int, http.Header, []byte) {
			return http.StatusUnauthorized, http.Header{"Content-Type": {"text/plain"}, "Www-Authenticate": {`Bearer realm="x"`}}, []byte("no")
		},
		"POST /give": func(_ context.Context, in asked) (int, http.Header, []byte) {
			body, err := in.Body()
			n, bad := strconv.Atoi(string(body))
			if err != nil || bad != nil {
				return http.StatusBadRequest, plain, []byte("no")
			}
			return http.StatusOK, plain, make([]byte, n)
		},
		"POST /panic": func(context.Context, asked) (int, http.Header, []byte) { panic("at the door") },
		"POST /park": func(ctx context.Context, in asked) (int, http.Header, []byte) {
			at.parked <- struct{}{}
			select {
			case <-at.let:
			case <-ctx.Done():
				return http.StatusServiceUnavailable, plain, []byte("ended")
			}
			return http.StatusOK, plain, []byte("parked")
		},
	}
}

// site is a server, and the address of another that net/http alone has.
type site struct {
	*Server
	addr, plain string
	counts      [Stats]atomic.Int64
	own         atomic.Int64 // requests that were answered here
	panics      chan any
	parked      chan struct{} // told of each request of /park
	let         chan struct{} // lets one go
	ended       chan error    // of Serve
}

// viaNet answers as net/http does.
type viaNet struct {
	w     http.ResponseWriter
	r     *http.Request
	limit int
}

func (v viaNet) Get(name string) string       { return v.r.Header.Get(name) }
func (v viaNet) PathValue(name string) string { return v.r.PathValue(name) }
func (v viaNet) Body() ([]byte, error) {
	b, err := io.ReadAll(http.MaxBytesReader(v.w, v.r.Body, int64(v.limit)))
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("the body is no good") // the text has addresses
	}
	return b, err
}

type viaOwn struct{ *Request }

func (v viaOwn) Body() ([]byte, error) {
	b, err := v.Request.Body()
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("the body is no good")
	}
	return b, err
}

// newSite serves on loopback until the test ends.
func newSite(t testing.TB, c Config) *site {
	t.Helper()
	at, alone := unserved(c)
	l, beside := listener(t), listener(t)
	at.addr, at.plain = l.Addr().String(), beside.Addr().String()
	done := make(chan error, 1)
	go func() { at.ended <- at.Serve(l) }()
	go func() { done <- alone.Serve(beside) }()
	t.Cleanup(func() {
		alone.Close()
		at.Close()
		if err := <-at.ended; !errors.Is(err, ErrClosed) {
			t.Errorf("Serve: %v", err)
		}
		<-done
	})
	return at
}

// unserved returns a site that does not listen, and a server of net/http alone.
func unserved(c Config) (at *site, alone *http.Server) {
	at = &site{parked: make(chan struct{}, 1000), let: make(chan struct{}), panics: make(chan any, 100), ended: make(chan error, 1)}
	c.Panicked = func(what any, _ []byte, _ net.Addr) { at.panics <- what }
	handlers, mux := map[string]Handler{}, http.NewServeMux()
	for pattern, answer := range at.answers() {
		handlers[pattern] = func(ctx context.Context, r *Request, dst []byte) Answer {
			at.own.Add(1)
			status, header, body := answer(ctx, viaOwn{r})
			return Answer{Status: status, Header: header, Body: append(dst, body...)}
		}
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			status, header, body := answer(r.Context(), viaNet{w, r, c.MaxBody})
			for name, values := range header {
				w.Header()[name] = values
			}
			w.Header().Set("Content-Length", strconv.Itoa(len(body)))
			w.WriteHeader(status)
			_, _ = w.Write(body)
		})
	}
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "well") })
	rest := func() *http.Server {
		return &http.Server{Handler: mux, ReadHeaderTimeout: c.Handshake, ReadTimeout: c.Arrive, MaxHeaderBytes: c.MaxHeader, IdleTimeout: c.Idle, ErrorLog: log.New(io.Discard, "", 0)}
	}
	at.Server = New(c, handlers, rest(), func(s Stat, _ net.Addr) { at.counts[s].Add(1) })
	return at, rest()
}

func listener(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// dial connects, for as long as the test lasts and a while at most.
func dial(t testing.TB, addr string) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn.(*net.TCPConn)
}

// post is a request.
func post(path, body string, headers ...string) string {
	text := "POST " + path + " HTTP/1.1\r\nHost: x\r\n"
	for _, h := range headers {
		text += h + "\r\n"
	}
	return fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", text, len(body), body)
}
