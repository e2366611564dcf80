package h2

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// raw is a client that keeps no rule.
type raw struct {
	net.Conn
	t      testing.TB
	framer *http2.Framer
	block  bytes.Buffer
	enc    *hpack.Encoder
}

func (at *site) raw(t testing.TB) *raw {
	t.Helper()
	conn, err := net.Dial("tcp", at.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	r := &raw{Conn: conn, t: t, framer: http2.NewFramer(conn, conn)}
	r.framer.AllowIllegalWrites = true
	r.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	r.enc = hpack.NewEncoder(&r.block)
	return r
}

func (at *site) greeted(t testing.TB) *raw {
	r := at.raw(t)
	_, err := io.WriteString(r, preface)
	if err := errors.Join(err, r.framer.WriteSettings(), r.framer.WriteSettingsAck()); err != nil {
		t.Fatal(err)
	}
	return r
}

// head returns the block of a call's headers.
func (r *raw) head(method string, more ...string) []byte {
	r.block.Reset()
	fields := append([]string{":method", "POST", ":scheme", "http", ":path", method, ":authority", "x", "content-type", "application/grpc", "te", "trailers"}, more...)
	for i := 0; i < len(fields); i += 2 {
		if err := r.enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}); err != nil {
			r.t.Fatal(err)
		}
	}
	return r.block.Bytes()
}

// open begins a call and says its message.
func (r *raw) open(id uint32, method string, message []byte, more ...string) error {
	return errors.Join(
		r.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: r.head(method, more...), EndHeaders: true}),
		r.framer.WriteData(id, true, appendMessage(nil, message)))
}

// until reads frames until want says so, or the connection ends; then the error is that
// of the GOAWAY that came before, if one did.
func (r *raw) until(want func(http2.Frame) bool) error {
	r.t.Helper()
	if err := r.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		r.t.Fatal(err)
	}
	var told error
	for {
		f, err := r.framer.ReadFrame()
		if err != nil {
			return errors.Join(told, err)
		}
		if away, ok := f.(*http2.GoAwayFrame); ok {
			told = fmt.Errorf("%s %s", away.ErrCode, away.DebugData())
		}
		if want(f) {
			return nil
		}
	}
}

func never(http2.Frame) bool { return false }

// status waits for the status of a call, as grpc-status and grpc-message.
func (r *raw) status(id uint32) string {
	r.t.Helper()
	got := ""
	if err := r.until(func(f http2.Frame) bool {
		h, ok := f.(*http2.MetaHeadersFrame)
		if !ok || h.StreamID != id || !h.StreamEnded() {
			return false
		}
		for _, f := range h.RegularFields() {
			if strings.HasPrefix(f.Name, "grpc-") {
				got += f.Value + " "
			}
		}
		return true
	}); err != nil {
		r.t.Fatalf("stream %d: %v", id, err)
	}
	return got
}

// TestFloods sends what furthers no call, as fast as it goes, and wants the connection
// ended with a reason, and the next one served as if nothing had been.
func TestFloods(t *testing.T) {
	zero := [8]byte{}
	for name, flood := range map[string]func(r *raw, i int) error{
		"pings": func(r *raw, _ int) error { return r.framer.WritePing(false, zero) },
		"pongs": func(r *raw, _ int) error { return r.framer.WritePing(true, zero) },
		"settings": func(r *raw, _ int) error {
			return r.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1})
		},
		"resets": func(r *raw, i int) error {
			return errors.Join(r.open(uint32(2*i+1), "/t.Hot/Park", nil), r.framer.WriteRSTStream(uint32(2*i+1), http2.ErrCodeCancel))
		},
		"resets before the message": func(r *raw, i int) error {
			id := uint32(2*i + 1)
			return errors.Join(r.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: r.head("/t.Hot/Park"), EndHeaders: true}),
				r.framer.WriteRSTStream(id, http2.ErrCodeCancel))
		},
		"own mistakes": func(r *raw, i int) error { // each is answered with a reset
			return r.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: uint32(2*i + 1), BlockFragment: r.head("/t.Hot/Echo", "connection", "close"), EndHeaders: true})
		},
		"priorities": func(r *raw, _ int) error { return r.framer.WritePriority(9, http2.PriorityParam{Weight: 1}) },
		"windows":    func(r *raw, _ int) error { return r.framer.WriteWindowUpdate(0, 1) },
		"empty data": func(r *raw, i int) error {
			if i == 0 {
				return r.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: r.head("/t.Hot/Echo"), EndHeaders: true})
			}
			return r.framer.WriteData(1, false, nil)
		},
		"continuations": func(r *raw, i int) error {
			if i == 0 {
				return r.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: r.head("/t.Hot/Echo")})
			}
			return r.framer.WriteContinuation(1, false, nil)
		},
		"unknown frames": func(r *raw, _ int) error { return r.framer.WriteRawFrame(99, 0, 0, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			at := newSite(t, config())
			r := at.greeted(t)
			if err := r.SetWriteDeadline(time.Now().Add(30 * time.Second)); err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 1)
			go func() {
				for i := 0; ; i++ {
					if err := flood(r, i); err != nil {
						done <- err
						return
					}
				}
			}()
			told := r.until(never)
			if err := <-done; !errors.Is(err, io.EOF) && !strings.Contains(err.Error(), "broken pipe") && !strings.Contains(err.Error(), "reset by peer") {
				t.Errorf("the flood ended with %v", err)
			}
			if at.counts[StatCalm].Load()+at.counts[StatTooLarge].Load() == 0 {
				t.Errorf("it ended with %v, and is counted as nothing", told)
			}
			if n := at.most.Load(); n > int64(config().MaxStreams) {
				t.Errorf("%d calls were at work at once", n)
			}
			if reply, err := call(t.Context(), at.dial(t), "/t.Hot/Echo", []byte("x")); err != nil || string(reply) != "x" {
				t.Errorf("the next one: %q, %v", reply, err)
			}
		})
	}
}

// TestBounds wants each bound to be told of, and the connection to go on.
func TestBounds(t *testing.T) {
	c := config()
	c.MaxStreams = 3
	at := newSite(t, c)
	r := at.greeted(t)
	many := []string{}
	for i := range 60 {
		many = append(many, fmt.Sprintf("n%d", i), "x")
	}
	check := func(id uint32, want string, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if got := r.status(id); !strings.Contains(got, want) {
			t.Errorf("stream %d: %q, want %q", id, got, want)
		}
	}
	check(3, "8 the headers have more than 16384 bytes; serve.max_header", r.open(3, "/t.Hot/Echo", nil, "a", strings.Repeat("b", 9000), "c", strings.Repeat("d", 9000)))
	check(5, "8 there are more than 50 headers; serve.max_headers", r.open(5, "/t.Hot/Echo", nil, many...))
	start := func(id uint32, end bool, data []byte) error {
		return errors.Join(r.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: r.head("/t.Hot/Echo"), EndHeaders: true}), r.framer.WriteData(id, end, data))
	}
	check(7, "8 the message of 4294967295 bytes is larger than max_body", start(7, false, []byte{0, 255, 255, 255, 255}))
	check(9, "13 the call ended before", start(9, true, []byte{0, 0, 0, 0, 9, 1}))
	check(11, "13 more than one message", start(11, true, []byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0}))
	check(13, "13 the message is compressed", start(13, true, []byte{1, 0, 0, 0, 0}))
	for id := uint32(15); id < 21; id += 2 {
		if err := r.open(id, "/t.Hot/Park", nil); err != nil {
			t.Fatal(err)
		}
		<-at.parked
	}
	if err := r.open(21, "/t.Hot/Echo", nil); err != nil {
		t.Fatal(err)
	}
	if err := r.until(func(f http2.Frame) bool {
		reset, ok := f.(*http2.RSTStreamFrame)
		return ok && reset.StreamID == 21 && reset.ErrCode == http2.ErrCodeRefusedStream
	}); err != nil {
		t.Errorf("a call too many: %v", err)
	}
	at.let <- struct{}{}
	if err := r.until(func(f http2.Frame) bool {
		return f.Header().Flags.Has(http2.FlagHeadersEndStream) && f.Header().Type == http2.FrameHeaders
	}); err != nil {
		t.Error(err)
	}
	check(23, "0", r.open(23, "/t.Hot/Echo", nil))
}

// TestSlowPeers wants connections ended whose peers say nothing, do not read, or are
// not there any more.
func TestSlowPeers(t *testing.T) {
	c := config()
	c.Handshake, c.KeepAlive, c.Answer, c.WriteTimeout = 200*time.Millisecond, 300*time.Millisecond, 200*time.Millisecond, 300*time.Millisecond
	at := newSite(t, c)
	ends := func(name string, r *raw) {
		t.Helper()
		if err := r.until(never); !errors.Is(err, io.EOF) && !strings.Contains(err.Error(), "reset by peer") {
			t.Errorf("%s: %v", name, err)
		}
	}
	ends("says nothing", at.raw(t))
	half := at.raw(t)
	if _, err := io.WriteString(half, preface[:10]); err != nil {
		t.Fatal(err)
	}
	ends("half a preface", half)
	http1 := at.raw(t)
	if _, err := io.WriteString(http1, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if response, err := http.ReadResponse(bufio.NewReader(http1), nil); err != nil {
		t.Errorf("HTTP/1.1: %v", err)
	} else if text, err := io.ReadAll(response.Body); err != nil || response.StatusCode != 400 || !response.Close || !strings.Contains(string(text), "listen.http") {
		t.Errorf("HTTP/1.1 is answered with %s %s, %v, want 400 that names the other port", response.Status, text, err)
	}
	neither := at.raw(t)
	if _, err := io.WriteString(neither, "INVALID CONNECTION PREFACE\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if err := neither.until(never); err == nil || !strings.Contains(err.Error(), "no preface") {
		t.Errorf("neither HTTP/1.1 nor HTTP/2: %v", err)
	}
	ends("answers no ping", at.greeted(t))
	deaf := at.greeted(t)
	if err := deaf.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 30}); err != nil {
		t.Fatal(err)
	}
	if err := deaf.framer.WriteWindowUpdate(0, 1<<30); err != nil {
		t.Fatal(err)
	}
	for i := range uint32(100) {
		if deaf.open(2*i+1, "/t.Hot/Give", binary.BigEndian.AppendUint32(nil, 3<<20)) != nil {
			break
		}
	}
	for at.open() > 0 { // it does not read: only the write, or the ping, shows it
		runtime.Gosched()
	}
	if at.counts[StatSlow].Load() == 0 {
		t.Error("none is counted as slow")
	}
}

// TestShutdownOfSilent shuts down while a client has not said anything: it is told nothing,
// since settings come first, and is not waited for.
func TestShutdownOfSilent(t *testing.T) {
	at := newSite(t, config())
	r := at.raw(t)
	for at.open() == 0 {
		runtime.Gosched()
	}
	if err := at.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if b, err := io.ReadAll(r); len(b) > 0 || err != nil {
		t.Errorf("it is told %q, %v", b, err)
	}
}

// TestSlowMessage wants a call answered whose message does not arrive, and one that ended
// with its headers not taken for such.
func TestSlowMessage(t *testing.T) {
	c := config()
	c.Arrive = 50 * time.Millisecond
	r := newSite(t, c).greeted(t)
	if err := r.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: r.head("/t.Hot/Echo"), EndHeaders: true}); err != nil {
		t.Fatal(err)
	}
	if got := r.status(1); !strings.Contains(got, "4 the message did not arrive within 50ms; serve.max_time") {
		t.Errorf("it ends with %q", got)
	}
	if (&stream{call: echo}).waits() {
		t.Error("a call that the peer said at once waits for its message")
	}
}

func (at *site) open() int {
	return len(at.conns.Append(nil))
}

// TestHeld wants a peer ended that asks for much and gives no room for it.
func TestHeld(t *testing.T) {
	at := newSite(t, config())
	r := at.greeted(t)
	for i := range uint32(90) {
		if r.open(2*i+1, "/t.Hot/Give", binary.BigEndian.AppendUint32(nil, 3<<20)) != nil {
			break
		}
	}
	if err := r.until(never); err == nil {
		t.Error("it goes on")
	}
	if at.counts[StatSlow].Load() == 0 {
		t.Error("it is not counted as slow")
	}
}

// FuzzConn sends any bytes after a preface. The server must neither panic nor stay: once
// the client has closed, the connection ends; and what it writes are frames.
func FuzzConn(f *testing.F) {
	var b bytes.Buffer
	framer := http2.NewFramer(&b, nil)
	r := &raw{t: f, framer: framer}
	r.enc = hpack.NewEncoder(&r.block)
	_ = framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 3})
	_ = r.open(1, "/t.Hot/Echo", []byte("hello"))
	_ = framer.WriteWindowUpdate(1, 100)
	_ = framer.WritePing(false, [8]byte{})
	_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: r.head("/t.Rest/Many", "a-bin", "AAE"), EndHeaders: true})
	_ = framer.WriteDataPadded(3, false, appendMessage(nil, []byte("x")), make([]byte, 7))
	_ = framer.WriteRSTStream(3, http2.ErrCodeCancel)
	_ = framer.WriteGoAway(0, 0, nil)
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		at := newSite(t, config())
		r := at.raw(t)
		written := make(chan error, 1)
		go func() {
			_, err := r.Write(append([]byte(preface), data...))
			if half, ok := r.Conn.(*net.TCPConn); ok {
				err = errors.Join(err, half.CloseWrite())
			}
			written <- err
		}()
		err := r.until(never)
		if passing := net.Error(nil); errors.As(err, &passing) && passing.Timeout() {
			t.Fatalf("it stays: %v", err)
		}
		if bad := (http2.ConnectionError(0)); errors.As(err, &bad) {
			t.Fatalf("what it writes is not HTTP/2: %v", err)
		}
		<-written // an error is that the server ended first
	})
}
