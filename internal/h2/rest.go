package h2

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	flushAt = 32 << 10  // bytes of an answer that are gathered before they are sent
	waitAt  = 256 << 10 // bytes of it that wait for room, at which its handler waits too
)

// feed is the body of a request that the handler of the rest reads.
type feed struct {
	stream *stream
	mu     sync.Mutex
	some   sync.Cond
	data   []byte
	err    error // what Read returns once data is used up
	used   int   // bytes that were read, and for which the peer was not given room again
}

func newFeed(s *stream) *feed {
	f := &feed{stream: s}
	f.some.L = &f.mu
	return f
}

// Read reads what has come, and waits for something to come.
func (f *feed) Read(p []byte) (int, error) {
	f.mu.Lock()
	for len(f.data) == 0 && f.err == nil {
		f.some.Wait()
	}
	if len(f.data) == 0 {
		defer f.mu.Unlock()
		return 0, f.err
	}
	n := copy(p, f.data)
	f.data = f.data[n:]
	f.used += n
	room := 0
	if f.used >= streamWindow/2 && f.err == nil {
		room, f.used = f.used, 0
	}
	f.mu.Unlock()
	if room > 0 {
		f.stream.given.Add(-int64(room))
		c := f.stream.conn
		c.mu.Lock()
		if c.streams[f.stream.id] == f.stream {
			out := c.buffer()
			*out = appendWindow(*out, f.stream.id, room)
		}
		_ = c.write() // an end shows where it is read
	}
	return n, nil
}

// Close makes reads fail.
func (f *feed) Close() error {
	f.fail(http.ErrBodyReadAfterClose)
	return nil
}

func (f *feed) put(part []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.data = append(f.data, part...)
	}
	f.some.Broadcast()
}

func (f *feed) end() { f.fail(io.EOF) }

func (f *feed) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil || f.err == io.EOF && err != io.EOF {
		f.err = err
		if err != io.EOF {
			f.data = nil
		}
	}
	f.some.Broadcast()
}

// forward gives a part of a body to the handler.
func (c *conn) forward(s *stream, part []byte) error {
	if len(part) > 0 {
		s.feed.put(part)
	}
	if s.ended.Load() {
		s.feed.end()
	}
	return nil
}

// pass leaves a request to the handler of the rest.
func (c *conn) pass(s *stream) error {
	if s.ended.Load() {
		s.feed.end()
	}
	request, err := c.head.request(s, c.raw.RemoteAddr().String())
	if err != nil {
		return fault(s.id, codeProtocol, "%v", err)
	}
	s.begun.Store(true)
	c.server.group.Add(1)
	go func() {
		defer c.server.group.Done()
		w := &writer{stream: s, header: http.Header{}}
		c.server.rest.ServeHTTP(w, request)
		cut := request.Context().Err()
		s.cancel()
		w.finish(cut)
		s.feed.fail(http.ErrBodyReadAfterClose)
	}()
	return nil
}

// request is that of the headers.
func (h *head) request(s *stream, from string) (*http.Request, error) {
	u, err := url.ParseRequestURI(h.path)
	if err != nil {
		return nil, fmt.Errorf("path: %w", err)
	}
	header := make(http.Header, len(h.fields))
	for _, f := range h.fields {
		header.Add(f.Name, f.Value)
	}
	if h.timeout > 0 && !h.odd {
		header.Set("grpc-timeout", strconv.FormatInt(min(h.timeout.Milliseconds()+1, 99_999_999), 10)+"m")
	}
	r := &http.Request{
		Method: h.method, URL: u, Proto: "HTTP/2.0", ProtoMajor: 2, Header: header, Host: h.authority,
		Body: s.feed, ContentLength: h.length, RemoteAddr: from, RequestURI: h.path,
	}
	ctx := s.ctx
	if bound := s.conn.server.config.Bound; bound != nil {
		ctx = bound(ctx, h.path)
	}
	return r.WithContext(ctx), nil
}

// writer is an answer of the handler of the rest.
type writer struct {
	stream *stream
	header http.Header
	begun  bool
	data   []byte
}

// Header returns the headers, and once they are sent, the trailers.
func (w *writer) Header() http.Header { return w.header }

// WriteHeader sends the headers.
func (w *writer) WriteHeader(code int) {
	if w.begun {
		return
	}
	w.begun = true
	block := appendField(nil, ":status", strconv.Itoa(code))
	for name, values := range w.header {
		if strings.HasPrefix(name, http.TrailerPrefix) {
			continue
		}
		switch name {
		case "Trailer", "Connection", "Transfer-Encoding", "Keep-Alive", "Upgrade", "Proxy-Connection":
			continue
		}
		if w.trails(name) {
			continue
		}
		block = appendFields(block, name, values)
	}
	w.send(func(out []byte) []byte { return appendBlock(out, w.stream.id, block, 0) })
}

// trails reports whether name was said to come after the body.
func (w *writer) trails(name string) bool {
	for _, list := range w.header["Trailer"] {
		for item := range strings.SplitSeq(list, ",") {
			if strings.EqualFold(strings.TrimSpace(item), name) {
				return true
			}
		}
	}
	return false
}

func appendFields(dst []byte, name string, values []string) []byte {
	name = strings.ToLower(name)
	for _, v := range values {
		if validName(name) && validValue(v) {
			dst = appendField(dst, name, v)
		}
	}
	return dst
}

// send appends to what is written, if the stream is open.
func (w *writer) send(add func(out []byte) []byte) {
	s, c := w.stream, w.stream.conn
	c.answered.Store(true)
	c.mu.Lock()
	if c.streams[s.id] == s {
		out := c.buffer()
		*out = add(*out)
	}
	_ = c.write() // an end shows where it is read
}

// Write gathers a part of the body. The error is that the stream has ended.
func (w *writer) Write(p []byte) (int, error) {
	if !w.begun {
		w.WriteHeader(http.StatusOK)
	}
	w.data = append(w.data, p...)
	if len(w.data) >= flushAt {
		w.Flush()
	}
	if w.stream.gone.Load() {
		return 0, errReset
	}
	return len(p), nil
}

// Flush sends what was gathered, and waits while the peer leaves much of it unread.
func (w *writer) Flush() {
	if !w.begun {
		w.WriteHeader(http.StatusOK)
	}
	if len(w.data) == 0 {
		return
	}
	s, c := w.stream, w.stream.conn
	c.answered.Store(true)
	c.mu.Lock()
	open := func() bool { return c.err == nil && c.streams[s.id] == s }
	if open() {
		if s.pending == nil {
			s.pending, s.sent = slab(len(w.data)), 0
		}
		*s.pending = append(*s.pending, w.data...)
		c.held += len(w.data)
		c.worth()
		c.pump(s)
	}
	w.data = w.data[:0]
	_ = c.write() // an end shows where it is read
	c.mu.Lock()
	defer c.mu.Unlock()
	for open() && s.pending != nil && len(*s.pending)-s.sent > waitAt {
		c.more.Wait()
	}
}

// finish ends the answer. A handler of gRPC whose call was cut, for instance because its
// time was over, leaves it without a status.
func (w *writer) finish(cut error) {
	var block []byte
	if errors.Is(cut, context.DeadlineExceeded) && w.header.Get("Grpc-Status") == strconv.Itoa(int(codes.Canceled)) {
		w.header.Del("Grpc-Status") // it saw its own context end, and not why
		w.header.Del("Grpc-Message")
	}
	if cut != nil && w.header.Get("Grpc-Status") == "" {
		if !w.begun {
			w.header.Set("Content-Type", "application/grpc")
		}
		why := status.FromContextError(cut)
		block = appendField(appendField(nil, "grpc-status", strconv.Itoa(int(why.Code()))), "grpc-message", percent(why.Message()))
	}
	w.Flush()
	for name, values := range w.header {
		if plain, ok := strings.CutPrefix(name, http.TrailerPrefix); ok {
			block = appendFields(block, plain, values)
		} else if w.trails(name) {
			block = appendFields(block, name, values)
		}
	}
	s, c := w.stream, w.stream.conn
	c.mu.Lock()
	if c.streams[s.id] == s {
		s.trailer, s.closing = block, true
		c.pump(s)
	}
	c.leaveRunning()
}
