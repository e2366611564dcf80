package h2

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
)

// stream is one request. Fields of the first part are the reader's until the request
// runs; those of the last are guarded by the connection's mu.
type stream struct {
	conn   *conn
	id     uint32
	call   Unary
	ctx    context.Context
	cancel context.CancelFunc
	body   *[]byte      // the message of a call, with its prefix
	length int64        // content-length; -1 if it was not said
	got    int64        // bytes of the body that came
	ended  atomic.Bool  // the peer has said all
	begun  atomic.Bool  // it is at work, or was answered without; whoever says so first answers
	born   time.Time    // zero: the peer said all at once
	given  atomic.Int64 // bytes that came, for which the peer was not given room on the stream again
	feed   *feed        // the body of a request for the handler of the rest
	gone   atomic.Bool

	room    int64   // bytes that the peer takes
	pending *[]byte // of the body of the answer, that wait for room
	sent    int     // of them
	trailer []byte  // the block of headers that ends the answer, once it is known
	closing bool    // trailer is to follow pending
}

// waits reports whether it is a call whose message has not arrived. One that ended with
// its headers never waits, though it may not have begun yet.
func (s *stream) waits() bool { return s.call != nil && !s.born.IsZero() && !s.begun.Load() }

// stop cancels the request; c.mu may be held.
func (s *stream) stop() {
	if s.gone.Swap(true) {
		return
	}
	s.cancel()
	if s.feed != nil {
		s.feed.fail(errReset)
	}
}

// open begins a stream with the headers that were read.
func (c *conn) open(id uint32, ended bool) error {
	s := &stream{conn: c, id: id, length: c.head.length}
	if !ended {
		s.born = time.Now()
	}
	s.ended.Store(ended)
	if call := c.server.calls[c.head.path]; call != nil && c.head.plain() && c.head.tooLarge == "" {
		s.call = call
		s.ctx, s.cancel = c.head.context(c.base(), c.server.config.Arrive)
	} else {
		s.ctx, s.cancel = context.WithCancel(c.ctx)
		s.feed = newFeed(s)
	}
	if known, err := c.admit(s); !known {
		s.cancel()
		return err
	}
	switch {
	case c.head.tooLarge != "":
		c.count(StatTooLarge)
		s.refuse(codes.ResourceExhausted, "%s", c.head.tooLarge)
		return c.bother(callsWorth)
	case ended && s.length > 0:
		return fault(id, codeProtocol, "content-length is %d, and there is no content", s.length)
	case s.call == nil:
		return c.pass(s)
	case ended:
		return c.complete(s)
	}
	return nil
}

// admit counts s in, unless there are too many or the peer was told that it would not count.
func (c *conn) admit(s *stream) (known bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	most := c.server.config.MaxStreams
	switch {
	case c.err != nil:
		return false, c.err
	case c.sealed:
		return false, nil
	case c.running >= most || len(c.streams) >= most:
		c.count(StatRefused)
		return false, fault(s.id, codeRefused, "more than %d calls at once", most)
	}
	s.room = c.window
	c.streams[s.id] = s
	c.running++
	return true, nil
}

// refuse answers a request that nobody works on.
func (s *stream) refuse(code codes.Code, format string, args ...any) {
	if s.begun.CompareAndSwap(false, true) {
		s.cancel()
		s.finish(nil, status.Newf(code, format, args...), nil)
	}
}

// find returns the stream of a frame; nil if it is closed already. The error is that of
// a frame which must not come.
func (c *conn) find(f frame, what string) (*stream, error) {
	if f.stream == 0 {
		return nil, offence(codeProtocol, "%s of stream 0", what)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.streams[f.stream]; s != nil {
		return s, nil
	}
	if f.stream > c.newest || f.stream%2 == 0 {
		return nil, offence(codeProtocol, "%s of stream %d, which is not open", what, f.stream)
	}
	return nil, nil
}

// data takes a part of a body.
func (c *conn) data(f frame) error {
	s, err := c.find(f, "data")
	if err != nil {
		return err
	}
	c.unread += len(f.payload)
	if c.unread > connWindow {
		return offence(codeFlow, "more than was given room for")
	}
	body, err := unpad(f)
	if err != nil {
		return err
	}
	if len(body) == 0 && !f.has(flagEndStream) {
		if err := c.bother(1); err != nil {
			return err
		}
	}
	if s == nil || s.ended.Load() {
		if err := c.bother(1); err != nil {
			return err
		}
		return fault(f.stream, codeClosed, "data of a stream that is closed")
	}
	if s.given.Add(int64(len(f.payload))) > streamWindow {
		return fault(f.stream, codeFlow, "more than was given room for")
	}
	s.got += int64(len(body))
	ended := f.has(flagEndStream)
	if s.length >= 0 && (s.got > s.length || ended && s.got != s.length) {
		return fault(f.stream, codeProtocol, "content-length is %d, and %d bytes came", s.length, s.got)
	}
	s.ended.Store(ended)
	switch {
	case s.feed != nil:
		return c.forward(s, body)
	case s.begun.Load():
		return c.makeRoom(s) // answered before it was complete; what comes is passed over
	}
	return c.collect(s, body)
}

// unpad returns the payload without its padding.
func unpad(f frame) ([]byte, error) {
	if !f.has(flagPadded) {
		return f.payload, nil
	}
	if len(f.payload) < paddedPrefix {
		return nil, offence(codeSize, "no length of the padding")
	}
	n, b := int(f.payload[0]), f.payload[1:]
	if n > len(b) {
		return nil, offence(codeProtocol, "%d bytes of padding in a frame of %d", n, len(f.payload))
	}
	return b[:len(b)-n], nil
}

const messagePrefix = 5 // bytes before a message: whether it is compressed, and its length

// collect gathers the message of a call, and begins the call once it is complete.
func (c *conn) collect(s *stream, part []byte) error {
	if s.body == nil {
		s.body = slab(len(part))
	}
	*s.body = append(*s.body, part...)
	if len(*s.body) >= messagePrefix {
		n := int64(binary.BigEndian.Uint32((*s.body)[1:]))
		if most := c.server.config.MaxMessage; n > int64(most) {
			c.count(StatTooLarge)
			s.refuse(codes.ResourceExhausted, "the message of %d bytes is larger than max_body, %d; serve.max_body sets the limit", n, most)
			return nil
		}
		if int64(len(*s.body)) > messagePrefix+n {
			s.refuse(codes.Internal, "more than one message in a unary call")
			return nil
		}
	}
	if s.ended.Load() {
		return c.complete(s)
	}
	return c.makeRoom(s)
}

// complete begins a call whose request has come.
func (c *conn) complete(s *stream) error {
	switch {
	case s.body == nil, len(*s.body) < messagePrefix, len(*s.body) != messagePrefix+int(binary.BigEndian.Uint32((*s.body)[1:])):
		s.refuse(codes.Internal, "the call ended before its message was complete")
	case (*s.body)[0] != 0:
		s.refuse(codes.Internal, "the message is compressed, and no grpc-encoding says how")
	case s.begun.CompareAndSwap(false, true):
		c.server.group.Add(1)
		c.server.pool.Run(s)
	}
	return nil
}

// makeRoom lets the peer send more on s and on the connection, once half of it is used.
func (c *conn) makeRoom(s *stream) error {
	n := int(s.given.Load())
	if s.ended.Load() || n < streamWindow/2 {
		return nil
	}
	s.given.Store(0)
	c.mu.Lock()
	out := c.buffer()
	*out = appendWindow(*out, s.id, n)
	return c.write()
}

// giveBack lets the peer send more on the connection, once half of it is used.
func (c *conn) giveBack() error {
	if c.unread < connWindow/2 {
		return nil
	}
	n := c.unread
	c.unread = 0
	c.mu.Lock()
	out := c.buffer()
	*out = appendWindow(*out, 0, n)
	return c.write()
}

// answer runs the call, on a worker.
func (s *stream) answer() {
	defer s.conn.server.group.Done()
	reply, trailer, why := s.handle()
	s.cancel()
	free(s.body)
	s.body = nil
	s.finish(reply, why, trailer)
}

// handle calls the handler. As in grpc-go, a panic of it takes the process down.
func (s *stream) handle() (mem.Buffer, []byte, *status.Status) {
	reply, err := s.call(s.ctx, (*s.body)[messagePrefix:])
	if err == nil {
		return reply, nil, nil
	}
	if reply != nil {
		reply.Free()
	}
	st := statusOf(s.ctx, err)
	return nil, appendTrailerOf(nil, err), st
}

// finish answers with a message, or with a status and more headers beside it, and
// closes the stream. reply is freed.
func (s *stream) finish(reply mem.Buffer, why *status.Status, more []byte) {
	if reply != nil {
		defer reply.Free()
	}
	c := s.conn
	c.answered.Store(true)
	c.mu.Lock()
	if c.streams[s.id] != s { // reset meanwhile
		c.leaveRunning()
		return
	}
	if s.ctx.Err() == nil || reply != nil {
		c.worth()
	}
	if reply == nil {
		out := c.buffer()
		*out = appendOnlyTrailer(*out, s.id, why, more)
		c.closeStream(s, out)
		c.leaveRunning()
		return
	}
	out := c.buffer()
	*out = append(appendHead(*out, len(okHeaders), frameHeaders, flagEndHeaders, s.id), okHeaders...)
	data := reply.ReadOnlyData()
	total := messagePrefix + len(data)
	if total <= c.frame && int64(total) <= s.room && int64(total) <= c.room {
		c.room -= int64(total)
		*out = appendHead(*out, total, frameData, 0, s.id)
		*out = appendMessage(*out, data)
		*out = append(appendHead(*out, len(okTrailer), frameHeaders, flagEndHeaders|flagEndStream, s.id), okTrailer...)
		c.closeStream(s, out)
		c.leaveRunning()
		return
	}
	s.pending, s.sent = slab(total), 0
	*s.pending = appendMessage(*s.pending, data)
	c.held += total
	s.trailer, s.closing = okTrailer, true
	c.pump(s)
	c.leaveRunning()
}

func appendMessage(dst, data []byte) []byte {
	return append(appendUint32(append(dst, 0), uint32(len(data))), data...)
}

// pump sends what there is room for; c.mu is held, and write is to follow.
func (c *conn) pump(s *stream) {
	out := c.buffer()
	for s.pending != nil {
		left := len(*s.pending) - s.sent
		n := int(min(int64(left), int64(c.frame), s.room, c.room))
		if n <= 0 && left > 0 {
			return
		}
		if left > 0 {
			*out = appendHead(*out, n, frameData, 0, s.id)
			*out = append(*out, (*s.pending)[s.sent:s.sent+n]...)
			s.sent += n
			s.room -= int64(n)
			c.room -= int64(n)
			c.answered.Store(true)
		}
		if s.sent == len(*s.pending) {
			c.release(s)
		}
	}
	if !s.closing {
		return
	}
	if len(s.trailer) == 0 {
		*out = appendHead(*out, 0, frameData, flagEndStream, s.id)
	} else {
		*out = appendBlock(*out, s.id, s.trailer, flagEndStream)
	}
	c.closeStream(s, out)
}

// release frees what waits of s; c.mu is held.
func (c *conn) release(s *stream) {
	if s.pending != nil {
		c.held -= len(*s.pending)
		free(s.pending)
		s.pending, s.sent = nil, 0
	}
	c.more.Broadcast()
}

// closeStream forgets s, which was answered; c.mu is held. A peer that has not said all
// need not.
func (c *conn) closeStream(s *stream, out *[]byte) {
	s.closing = false
	if !s.ended.Load() {
		*out = appendReset(*out, s.id, codeNo)
	}
	delete(c.streams, s.id)
	s.gone.Store(true)
}

// leaveRunning makes room for another call. It takes over c.mu, and gives it back.
func (c *conn) leaveRunning() {
	c.running--
	_ = c.write() // an end shows where it is read
}

// reset ends a stream of which the peer broke a rule, and tells it so.
func (c *conn) reset(bad streamError) error {
	if err := c.bother(1); err != nil {
		return err
	}
	c.mu.Lock()
	if s := c.streams[bad.stream]; s != nil {
		delete(c.streams, s.id)
		c.dropStream(s)
	}
	out := c.buffer()
	*out = appendReset(*out, bad.stream, bad.code)
	return c.write()
}

// dropStream cancels s, which is not open any more; c.mu is held. Of one that is not at
// work nobody else will say that it has ended.
func (c *conn) dropStream(s *stream) {
	s.stop()
	s.closing = false
	c.release(s)
	if s.begun.CompareAndSwap(false, true) {
		c.running--
	}
}

// resetByPeer ends a stream that the peer gave up.
func (c *conn) resetByPeer(f frame) error {
	if len(f.payload) != 4 {
		return offence(codeSize, "a reset of %d bytes", len(f.payload))
	}
	s, err := c.find(f, "a reset")
	if err != nil {
		return err
	}
	if err := c.bother(2); err != nil {
		return err
	}
	if s == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.streams, s.id)
	c.dropStream(s)
	return c.idleEnd()
}

// windowUpdate lets us send more.
func (c *conn) windowUpdate(f frame) error {
	if len(f.payload) != 4 {
		return offence(codeSize, "a window update of %d bytes", len(f.payload))
	}
	n := int64(binary.BigEndian.Uint32(f.payload) & maxStreamID)
	if f.stream == 0 {
		return c.widen(n)
	}
	s, err := c.find(f, "a window update")
	if err != nil {
		return err
	}
	if n == 0 {
		return fault(f.stream, codeProtocol, "a window update by 0")
	}
	if s == nil {
		return c.bother(1)
	}
	c.mu.Lock()
	if s.room += n; s.room > maxWindow {
		c.mu.Unlock()
		return fault(f.stream, codeFlow, "the window is too large")
	}
	waited := s.pending != nil
	c.pump(s)
	return c.moved(waited)
}

// widen lets us send more on all streams.
func (c *conn) widen(n int64) error {
	if n == 0 {
		return offence(codeProtocol, "a window update by 0")
	}
	c.mu.Lock()
	if c.room += n; c.room > maxWindow {
		c.mu.Unlock()
		return offence(codeFlow, "the window of the connection is too large")
	}
	waited := false
	for _, s := range c.streams {
		if c.room == 0 {
			break
		}
		waited = waited || s.pending != nil
		c.pump(s)
	}
	return c.moved(waited)
}

// moved writes what a window update let go. One that nobody waited for, and there are
// many of, furthers nothing. It takes over c.mu, and gives it back.
func (c *conn) moved(waited bool) error {
	if err := c.write(); err != nil || waited {
		return err
	}
	return c.bother(1)
}

var errReset = fmt.Errorf("the stream was reset: %w", context.Canceled)
