package load

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/net/http2/hpack"
)

const feastMethod = "/feast.serving.ServingService/GetOnlineFeatures"

// The frames of HTTP/2 and their flags, RFC 9113.
const (
	frameData         = 0
	frameHeaders      = 1
	frameReset        = 3
	frameSettings     = 4
	framePing         = 6
	frameGoAway       = 7
	frameWindow       = 8
	frameContinuation = 9

	flagEnd        = 1 // of a stream; of SETTINGS and PING: an acknowledgement
	flagEndHeaders = 4

	frameHead    = 9
	mostFrame    = 16 << 10
	firstWindow  = 1<<16 - 1
	ownWindow    = 1 << 30
	settingOpen  = 4
	settingPush  = 2
	lengthPrefix = 5
	flagPadded   = 8
	mostHeaders  = 64 << 10
)

// grpcLane is a connection of HTTP/2 with any number of calls.
type grpcLane struct {
	run    *runner
	conn   net.Conn
	in     *bufio.Reader
	decode *hpack.Decoder
	status string // of the headers read last
	text   string
	block  []byte // of headers that go on
	ends   bool   // with them the call

	mu      sync.Mutex
	out     []byte
	stream  uint32 // of the next call
	window  int64  // bytes that the connection may send
	read    int64  // bytes that the server was not given credit for yet
	first   bool   // the headers were not sent yet
	calls   map[uint32]call
	waiting []time.Time // of calls that the window has no room for
	broken  bool
}

// call is one that is out.
type call struct {
	at   time.Time
	data int // bytes of its answer
}

// headers are the blocks of a call: the first fills the table of the connection, and
// those after it name its entries, as clients do it.
type headers struct{ first, later []byte }

func (r *runner) headers() headers {
	path := r.config.Path
	if path == "" {
		path = feastMethod
	}
	fields := []hpack.HeaderField{
		{Name: ":method", Value: "POST"}, {Name: ":scheme", Value: "http"}, {Name: ":path", Value: path}, {Name: ":authority", Value: r.config.Address},
		{Name: "content-type", Value: "application/grpc"}, {Name: "user-agent", Value: "sluice-bench"}, {Name: "te", Value: "trailers"},
	}
	if r.config.Token != "" {
		fields = append(fields, hpack.HeaderField{Name: "authorization", Value: "Bearer " + r.config.Token})
	}
	var b bytes.Buffer
	encoder := hpack.NewEncoder(&b)
	block := func() []byte {
		b.Reset()
		for _, f := range fields {
			_ = encoder.WriteField(f) // to memory
		}
		return bytes.Clone(b.Bytes())
	}
	return headers{block(), block()}
}

func (r *runner) dialGRPC(ctx context.Context) (lane, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", r.config.Address)
	if err != nil {
		return nil, err
	}
	l := &grpcLane{run: r, conn: conn, in: bufio.NewReaderSize(conn, readBuffer), stream: 1, window: firstWindow, first: true, calls: map[uint32]call{}}
	l.decode = hpack.NewDecoder(4096, func(f hpack.HeaderField) {
		switch f.Name {
		case "grpc-status":
			l.status = f.Value
		case "grpc-message":
			l.text = f.Value
		}
	})
	b := []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	b = appendFrame(b, 12, frameSettings, 0, 0)
	b = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(b, settingOpen), ownWindow)
	b = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(b, settingPush), 0)
	b = appendFrame(b, 4, frameWindow, 0, 0)
	b = binary.BigEndian.AppendUint32(b, ownWindow)
	if _, err := conn.Write(b); err != nil {
		return nil, err
	}
	return l, nil
}

func appendFrame(b []byte, n int, kind, flags byte, stream uint32) []byte {
	b = append(b, byte(n>>16), byte(n>>8), byte(n), kind, flags)
	return binary.BigEndian.AppendUint32(b, stream)
}

func (l *grpcLane) send(at time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken {
		return errBroken
	}
	l.queue(at)
	return l.flush()
}

// queue appends a call to what is to be written; l.mu is held.
func (l *grpcLane) queue(at time.Time) {
	body := l.run.body()
	if int64(len(body)+lengthPrefix) > l.window {
		l.waiting = append(l.waiting, at)
		return
	}
	l.window -= int64(len(body) + lengthPrefix)
	id := l.stream
	l.stream += 2
	block := l.run.blocks.later
	if l.first {
		block, l.first = l.run.blocks.first, false
	}
	l.out = append(appendFrame(l.out, len(block), frameHeaders, flagEndHeaders, id), block...)
	prefix := [lengthPrefix]byte{}
	binary.BigEndian.PutUint32(prefix[1:], uint32(len(body)))
	head := prefix[:]
	for last := false; !last; {
		n := min(len(body), mostFrame-len(head))
		flags := byte(0)
		if last = n == len(body); last {
			flags = flagEnd
		}
		l.out = appendFrame(l.out, len(head)+n, frameData, flags, id)
		l.out = append(append(l.out, head...), body[:n]...)
		head, body = nil, body[n:]
	}
	l.calls[id] = call{at: at}
}

// flush writes what was appended; l.mu is held.
func (l *grpcLane) flush() error {
	if len(l.out) == 0 {
		return nil
	}
	_, err := l.conn.Write(l.out)
	l.out = l.out[:0]
	if err != nil {
		l.broken = true
	}
	return err
}

func (l *grpcLane) serve() error {
	for {
		if err := l.frame(); err != nil {
			return l.end(err)
		}
	}
}

// end charges the calls that are out to the connection that broke.
func (l *grpcLane) end(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken = true
	for _, c := range l.calls {
		l.run.answered(c.at, err)
	}
	for _, at := range l.waiting {
		l.run.answered(at, err)
	}
	clear(l.calls)
	l.waiting = nil
	return err
}

// frame reads a frame and does what it says. What is to be written goes out before
// the reader would wait.
func (l *grpcLane) frame() error {
	if l.in.Buffered() < frameHead {
		l.mu.Lock()
		err := l.flush()
		l.mu.Unlock()
		if err != nil {
			return err
		}
	}
	head, err := l.in.Peek(frameHead)
	if err != nil {
		return err
	}
	n := int(head[0])<<16 | int(head[1])<<8 | int(head[2])
	kind, flags, id := head[3], head[4], binary.BigEndian.Uint32(head[5:])&(1<<31-1)
	if _, err := l.in.Discard(frameHead); err != nil {
		return err
	}
	switch kind {
	case frameData:
		return l.data(n, flags, id)
	case frameHeaders, frameContinuation:
		return l.trailers(n, flags, id)
	}
	if n > mostFrame {
		return fmt.Errorf("frame of %d bytes", n)
	}
	payload := make([]byte, n)
	if _, err := io.ReadFull(l.in, payload); err != nil {
		return err
	}
	return l.control(kind, flags, id, payload)
}

func (l *grpcLane) data(n int, flags byte, id uint32) error {
	if _, err := l.in.Discard(n); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	c, ok := l.calls[id]
	if !ok {
		return nil
	}
	c.data += n
	l.calls[id] = c
	l.credit(n)
	if flags&flagEnd != 0 {
		l.ended(id, errNoStatus)
	}
	return nil
}

// credit lets the server send as much again; l.mu is held.
func (l *grpcLane) credit(n int) {
	l.read += int64(n)
	if l.read > ownWindow/4 {
		l.out = appendFrame(l.out, 4, frameWindow, 0, 0)
		l.out = binary.BigEndian.AppendUint32(l.out, uint32(l.read))
		l.read = 0
	}
}

var (
	errNoStatus = errors.New("answer without a status")
	errNoReply  = errors.New("status 0 without a message")
)

// trailers reads a block of headers; the last one of a call says how it ended.
func (l *grpcLane) trailers(n int, flags byte, id uint32) error {
	if flags&flagPadded != 0 || len(l.block)+n > mostHeaders {
		return fmt.Errorf("headers of %d bytes with flags %x", n, flags)
	}
	from := len(l.block)
	l.block = append(l.block, make([]byte, n)...)
	if _, err := io.ReadFull(l.in, l.block[from:]); err != nil {
		return err
	}
	l.ends = l.ends || flags&flagEnd != 0
	if flags&flagEndHeaders == 0 {
		return nil
	}
	l.status, l.text = "", ""
	_, err := l.decode.Write(l.block)
	ends := l.ends
	l.block, l.ends = l.block[:0], false
	if err != nil {
		return err
	}
	if err := l.decode.Close(); err != nil {
		return err
	}
	if !ends {
		return nil
	}
	var problem error
	switch l.status {
	case "0":
	case "":
		problem = errNoStatus
	default:
		problem = fmt.Errorf("grpc status %s: %s", l.status, l.text)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended(id, problem)
	return nil
}

// ended records the end of a call, and asks again in a closed loop; l.mu is held.
func (l *grpcLane) ended(id uint32, problem error) {
	c, ok := l.calls[id]
	if !ok {
		return
	}
	delete(l.calls, id)
	if problem == nil && c.data < lengthPrefix {
		problem = errNoReply
	}
	if l.run.answered(c.at, problem) {
		l.queue(time.Now())
	}
}

// control does what a frame of a connection says.
func (l *grpcLane) control(kind, flags byte, id uint32, payload []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case kind == frameSettings && flags&flagEnd == 0:
		l.out = appendFrame(l.out, 0, frameSettings, flagEnd, 0)
	case kind == framePing && flags&flagEnd == 0:
		l.out = append(appendFrame(l.out, len(payload), framePing, flagEnd, 0), payload...)
	case kind == frameWindow && id == 0 && len(payload) == 4:
		l.window += int64(binary.BigEndian.Uint32(payload))
		waiting := l.waiting
		l.waiting = nil
		for _, at := range waiting {
			l.queue(at)
		}
	case kind == frameReset && len(payload) == 4:
		l.ended(id, fmt.Errorf("stream reset with code %d", binary.BigEndian.Uint32(payload)))
	case kind == frameGoAway && len(payload) >= 8:
		return fmt.Errorf("the server says goodbye with code %d", binary.BigEndian.Uint32(payload[4:]))
	}
	return nil
}

func (l *grpcLane) close() error { return l.conn.Close() }
