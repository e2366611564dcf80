package h2

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
)

const (
	maxHeld      = 64 << 20 // bytes of answers that may wait for room
	maxWaiting   = 8 << 20  // bytes that may wait to be written; whoever lets more pile up does not read
	maxNuisance  = 10_000   // frames that further no call, beyond those that calls make up for
	callsWorth   = 100      // such frames that a call makes up for
	maxStrikes   = 2        // pings that come too early
	errorsTold   = 100 * time.Millisecond
	maxBlockPart = 64 // frames that a block of headers may come in
)

// conn is a connection. Fields of the first part are its reader's alone.
type conn struct {
	server  *Server
	raw     net.Conn
	ctx     context.Context // of calls without metadata: it knows the peer, and never ends
	born    time.Time
	age     time.Duration // after which it is asked to go
	in      *[]byte       // what was read and not taken apart
	small   []byte        // the buffer while little comes
	decoder *hpack.Decoder
	head    head
	block   block
	last    known // what is kept of the headers of the call before
	unread  int   // bytes of messages taken, for which the peer has not been given room again
	pinged  time.Time
	strikes int
	greeted bool // the preface and the first settings came

	heard    atomic.Int64 // when bytes came last, Unix nanoseconds
	asking   atomic.Int64 // when the peer was asked whether it is there; 0: it was not
	nuisance atomic.Int64
	answered atomic.Bool // something was sent since the last ping

	mu       sync.Mutex
	out      *[]byte // what is to be written
	writing  bool
	until    time.Time // the deadline of writes
	err      error     // why it is of no use any more
	streams  map[uint32]*stream
	newest   uint32 // the stream that the peer opened last
	held     int    // bytes of answers that wait for room
	running  int    // calls at work, also those whose stream is closed
	room     int64  // bytes that the peer takes on all streams
	window   int64  // that it takes of a new stream
	frame    int    // bytes of a frame that it takes
	settled  bool   // it was told what is allowed, which comes before all else
	leaving  bool   // it was asked to begin nothing new
	lastSeen uint32 // the last stream that is answered, once it leaves for good
	sealed   bool   // lastSeen is in force
	leftAt   time.Time
	more     sync.Cond // room, or an end, for those who wait to write
}

func newConn(s *Server, raw net.Conn, now time.Time) *conn {
	c := &conn{server: s, raw: raw, born: now, small: make([]byte, 0, idleBuffer),
		streams: map[uint32]*stream{}, room: firstWindow, window: firstWindow, frame: maxFrame}
	c.age = time.Duration(float64(s.config.MaxAge) * (.9 + .2*rand.Float64()))
	c.ctx = peer.NewContext(context.Background(), &peer.Peer{Addr: raw.RemoteAddr(), LocalAddr: raw.LocalAddr()})
	c.in = &c.small
	c.decoder = hpack.NewDecoder(headerTable, c.field)
	c.decoder.SetMaxStringLength(blockPerHeader * s.config.MaxHeader)
	c.more.L = &c.mu
	c.heard.Store(now.UnixNano())
	return c
}

// run reads until the connection ends, and waits for what is at work.
func (c *conn) run() {
	err := c.greet()
	for err == nil {
		err = c.turn()
	}
	c.end(err)
}

// otherDoor is the answer to a client that speaks HTTP/1.1, which reads no frame.
const otherDoor = `{"error":{"code":"invalid_argument","message":"this port speaks gRPC, over HTTP/2","hint":"REST and Feast's HTTP endpoints are at the address that listen.http names, port 6566 by default"}}` + "\n"

// tellHTTP1 answers a request of HTTP/1.1 where nothing was written yet.
func (c *conn) tellHTTP1() {
	line, _, _ := bytes.Cut(*c.in, []byte("\n"))
	if !bytes.Contains(line, []byte(" HTTP/1.")) {
		return
	}
	// It may be gone; there is nobody else to tell.
	_ = c.raw.SetWriteDeadline(time.Now().Add(c.server.config.WriteTimeout))
	_, _ = fmt.Fprintf(c.raw, "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(otherDoor), otherDoor)
}

// greet reads the preface and says what is allowed here.
func (c *conn) greet() error {
	if err := c.raw.SetReadDeadline(c.born.Add(c.server.config.Handshake)); err != nil {
		return fmt.Errorf("limit the handshake: %w", err)
	}
	for len(*c.in) < len(preface) {
		if err := c.read(); err != nil {
			return err
		}
		if n := min(len(*c.in), len(preface)); string((*c.in)[:n]) != preface[:n] {
			c.tellHTTP1()
			return offence(codeProtocol, "no preface of HTTP/2")
		}
	}
	c.used(len(preface))
	c.mu.Lock()
	c.settled = true
	out := c.buffer()
	*out = appendHead(*out, 18, frameSettings, 0, 0)
	*out = appendSetting(*out, settingStreams, uint32(c.server.config.MaxStreams))
	*out = appendSetting(*out, settingHeaderList, uint32(c.server.config.MaxHeader))
	*out = appendSetting(*out, settingWindow, streamWindow)
	*out = appendWindow(*out, 0, connWindow-firstWindow)
	return c.write()
}

// turn reads what has come, and handles each frame that is whole.
func (c *conn) turn() error {
	used := 0
	for {
		b := (*c.in)[used:]
		if len(b) < frameHead {
			break
		}
		n := frameLength(b)
		if n > maxFrame {
			return offence(codeSize, "a frame of %d bytes; %d may be sent", n, maxFrame)
		}
		if len(b) < frameHead+n {
			break
		}
		used += frameHead + n
		if err := c.handle(cutFrame(b)); err != nil {
			return err
		}
	}
	c.used(used)
	if err := c.giveBack(); err != nil {
		return err
	}
	return c.read()
}

// read reads once, into a larger buffer if what is there fills this one.
func (c *conn) read() error {
	b := *c.in
	if len(b) == cap(b) {
		next := slab(fullBuffer)
		*next = append(*next, b...)
		c.drop()
		c.in = next
		b = *next
	}
	n, err := c.raw.Read(b[len(b):cap(b)])
	*c.in = b[:len(b)+n]
	if n > 0 {
		c.heard.Store(time.Now().UnixNano())
		return nil
	}
	if err == nil {
		return nil
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.count(StatSlow)
		return fmt.Errorf("no settings within %s: %w", c.server.config.Handshake, err)
	}
	return fmt.Errorf("read: %w", err)
}

// used takes the first n bytes out of what was read; a large buffer is given up once
// what is left fits the small one.
func (c *conn) used(n int) {
	b := *c.in
	rest := b[n:]
	if c.in != &c.small && len(rest) < idleBuffer {
		large := c.in
		c.small = append(c.small[:0], rest...)
		c.in = &c.small
		free(large)
		return
	}
	*c.in = b[:copy(b, rest)]
}

func (c *conn) drop() {
	if c.in != &c.small {
		free(c.in)
	}
}

// handle handles a frame. Only errors that end the connection are returned.
func (c *conn) handle(f frame) error {
	if !c.greeted && f.kind != frameSettings {
		return offence(codeProtocol, "the first frame is not one of settings")
	}
	if c.block.open && (f.kind != frameContinuation || f.stream != c.block.stream) {
		return offence(codeProtocol, "a block of headers was interrupted")
	}
	err := c.dispatch(f)
	if bad := (streamError{}); errors.As(err, &bad) {
		return c.reset(bad)
	}
	return err
}

func (c *conn) dispatch(f frame) error {
	switch f.kind {
	case frameData:
		return c.data(f)
	case frameHeaders:
		return c.headers(f)
	case frameContinuation:
		return c.continuation(f)
	case framePriority:
		return c.priority(f)
	case frameReset:
		return c.resetByPeer(f)
	case frameSettings:
		return c.settings(f)
	case framePush:
		return offence(codeProtocol, "a client cannot push")
	case framePing:
		return c.ping(f)
	case frameGoAway:
		return c.goAway(f)
	case frameWindow:
		return c.windowUpdate(f)
	}
	return c.bother(1) // unknown ones are passed over
}

func (c *conn) count(what Stat) { c.server.count(what, c.raw.RemoteAddr()) }

// bother counts frames that further no call.
func (c *conn) bother(n int64) error {
	if c.nuisance.Add(n) > int64(c.server.config.MaxFrames) {
		c.count(StatCalm)
		return connError{codeCalm, "more frames than calls need; serve.max_frames sets the limit"}
	}
	return nil
}

// worth counts a call, which makes up for some of them.
func (c *conn) worth() {
	if n := c.nuisance.Load(); n > 0 {
		c.nuisance.Store(max(0, n-callsWorth))
	}
}

// end ends the connection because of err: the peer is told if it broke a rule, whatever
// is at work is cancelled, and waited for.
func (c *conn) end(err error) {
	if bad := (connError{}); errors.As(err, &bad) {
		if bad.code != codeCalm {
			c.count(StatProtocol)
		}
		c.mu.Lock()
		out := c.buffer()
		*out = appendGoAway(*out, c.newest, bad.code, bad.why)
		if c.write() == nil { // whoever cannot be told finds the connection closed
			c.farewell()
		}
	}
	c.fail(err)
	c.drop()
}

// fail makes the connection of no use, and cancels its calls.
func (c *conn) fail(err error) {
	c.mu.Lock()
	if c.err == nil {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.EOF
		}
		c.err = err
		for id, s := range c.streams {
			s.stop()
			delete(c.streams, id)
		}
		c.more.Broadcast()
	}
	c.mu.Unlock()
	_ = c.raw.Close() // it is given up
}

// look looks whether the peer is there and the connection young, and gives back spared
// frames.
func (c *conn) look(now time.Time, spared int64) {
	config := &c.server.config
	c.nuisance.Store(max(0, c.nuisance.Load()-spared))
	silent := now.Sub(time.Unix(0, c.heard.Load()))
	asked := c.asking.Load()
	switch {
	case asked != 0 && c.heard.Load() > asked:
		c.asking.Store(0)
	case asked != 0 && now.Sub(time.Unix(0, asked)) > config.Answer:
		c.count(StatSlow)
		c.fail(fmt.Errorf("silent for %s: %w", silent.Round(time.Second), os.ErrDeadlineExceeded))
		return
	case asked == 0 && silent > config.KeepAlive:
		c.asking.Store(now.UnixNano())
		c.ask(pingAlive)
	}
	c.mu.Lock()
	leaving, since := c.leaving, c.leftAt
	var late []*stream
	for _, s := range c.streams {
		if s.waits() && now.Sub(s.born) > config.Arrive {
			late = append(late, s)
		}
	}
	c.mu.Unlock()
	for _, s := range late {
		s.refuse(codes.DeadlineExceeded, "the message did not arrive within %s; serve.max_time sets the limit", config.Arrive)
	}
	switch {
	case !leaving && now.Sub(c.born) > c.age:
		c.drain(codeNo, "max_age")
	case leaving && now.Sub(since) > config.Grace:
		c.fail(fmt.Errorf("open for %s after it was asked to go: %w", config.Grace, os.ErrDeadlineExceeded))
	}
}
