//go:build services

package scenario

import (
	"bufio"
	"bytes"
	"context"
	bin "encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// peer speaks HTTP/2 to the gRPC door, in whatever way.
type peer struct {
	net.Conn
	*http2.Framer
	out   *bufio.Writer
	block []byte // headers of a read
	ended atomic.Pointer[string]
	heard chan struct{} // closed when the server has ended the connection
}

// meet connects and begins to listen; what the server does to end things is kept.
func meet(ctx context.Context, v *victim) (*peer, error) {
	conn, err := dialed(ctx, v.grpc)
	if err != nil {
		return nil, err
	}
	p := &peer{Conn: conn, out: bufio.NewWriterSize(conn, 8<<10), heard: make(chan struct{}), block: headerBlock()}
	p.Framer = http2.NewFramer(p.out, conn)
	p.AllowIllegalWrites = true
	_, _ = p.out.WriteString(http2.ClientPreface)
	if err := errors.Join(p.WriteSettings(), p.out.Flush()); err != nil {
		return nil, err
	}
	return p, nil
}

// headerBlock is that of a read, with more headers.
func headerBlock(more ...hpack.HeaderField) []byte {
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	for _, f := range append([]hpack.HeaderField{
		{Name: ":method", Value: "POST"}, {Name: ":scheme", Value: "http"}, {Name: ":path", Value: callFeast}, {Name: ":authority", Value: "x"},
		{Name: "content-type", Value: "application/grpc"}, {Name: "te", Value: "trailers"},
	}, more...) {
		f.Sensitive = true // so that each block stands for itself
		_ = e.WriteField(f)
	}
	return b.Bytes()
}

// listen reads what the server sends, until it ends the connection.
func (p *peer) listen() {
	defer close(p.heard)
	status := ""
	decode := hpack.NewDecoder(4096, func(f hpack.HeaderField) {
		if f.Name == "grpc-status" {
			status = f.Value
		}
		if f.Name == "grpc-message" {
			status += " " + namedLimit(f.Value)
		}
	})
	say := func(format string, args ...any) {
		text := fmt.Sprintf(format, args...)
		p.ended.CompareAndSwap(nil, &text)
	}
	for {
		f, err := p.ReadFrame()
		if err != nil {
			say("end")
			return
		}
		switch f := f.(type) {
		case *http2.GoAwayFrame:
			say("GOAWAY %s %s", f.ErrCode, namedLimit(string(f.DebugData())))
		case *http2.RSTStreamFrame:
			say("RST_STREAM %s", f.ErrCode)
		case *http2.HeadersFrame:
			if _, err := decode.Write(f.HeaderBlockFragment()); err == nil && status != "" {
				say("status %s", status)
			}
		}
	}
}

// open begins a call.
func (p *peer) open(i uint32, end bool) error {
	return p.WriteHeaders(http2.HeadersFrameParam{StreamID: 2*i + 1, BlockFragment: p.block, EndHeaders: true, EndStream: end})
}

// message sends a message of n bytes that is of b, whole or not.
func (p *peer) message(i uint32, n int, b []byte) error {
	head := bin.BigEndian.AppendUint32([]byte{0}, uint32(n))
	return p.WriteData(2*i+1, false, append(head, b...))
}

// torrent is a flood of frames: send is called with 0, 1, 2 and so on until the server
// ends the connection.
func torrent(listens bool, send func(p *peer, i uint32) error) func(context.Context, *victim) string {
	return func(ctx context.Context, v *victim) string {
		p, err := meet(ctx, v)
		if err != nil {
			return unconnected(err)
		}
		defer p.Close()
		if listens {
			go p.listen()
		}
		for i := uint32(0); i < 1<<30; i++ {
			if err := send(p, i); err != nil {
				break
			}
		}
		if !listens {
			return "end"
		}
		<-p.heard
		return *p.ended.Load()
	}
}

// thrownOut is how a flood ends. Where the connection is reset before the reason is read,
// there is only an end.
var thrownOut = []string{"GOAWAY ENHANCE_YOUR_CALM", "GOAWAY PROTOCOL_ERROR", "GOAWAY FRAME_SIZE", "GOAWAY COMPRESSION", "RST_STREAM", "end"}

// frameAttacks are floods of frames.
var frameAttacks = []attack{
	{"rapid reset", 20, torrent(true, func(p *peer, i uint32) error {
		return errors.Join(p.open(i, false), p.WriteRSTStream(2*i+1, http2.ErrCodeCancel))
	}), thrownOut},
	{"rapid reset of whole reads", 20, torrent(true, func(p *peer, i uint32) error {
		read := feastRead(1, "account", textValue("a001"), "payments:amount")
		return errors.Join(p.open(i, false), p.message(i, len(read), read), p.WriteRSTStream(2*i+1, http2.ErrCodeCancel))
	}), thrownOut},
	{"CONTINUATION without end", 20, torrent(true, func(p *peer, i uint32) error {
		if i == 0 {
			return p.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: p.block})
		}
		return p.WriteContinuation(1, false, headerBlock()[:0])
	}), thrownOut},
	{"CONTINUATION with headers without end", 20, torrent(true, func(p *peer, i uint32) error {
		if i == 0 {
			return p.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: p.block})
		}
		return p.WriteContinuation(1, false, headerBlock(hpack.HeaderField{Name: "x", Value: "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"}))
	}), thrownOut},
	{"SETTINGS", 20, torrent(true, func(p *peer, _ uint32) error {
		return p.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 70000})
	}), thrownOut},
	{"SETTINGS and no reading", 20, torrent(false, func(p *peer, _ uint32) error { return p.WriteSettings() }), nil},
	{"PING", 20, torrent(true, func(p *peer, i uint32) error { return p.WritePing(false, [8]byte{byte(i)}) }), thrownOut},
	{"WINDOW_UPDATE", 20, torrent(true, func(p *peer, _ uint32) error { return p.WriteWindowUpdate(0, 1) }), thrownOut},
	{"PRIORITY", 20, torrent(true, func(p *peer, i uint32) error { return p.WritePriority(2*i+1, http2.PriorityParam{Weight: 7}) }), thrownOut},
	{"frames of no kind", 20, torrent(true, func(p *peer, _ uint32) error { return p.WriteRawFrame(0xee, 0, 0, nil) }), thrownOut},
	{"DATA of nothing", 20, torrent(true, func(p *peer, i uint32) error {
		if i == 0 {
			return p.open(0, false)
		}
		return p.WriteData(1, false, nil)
	}), thrownOut},
	{"a header named a thousand times", 20, torrent(true, func(p *peer, i uint32) error {
		// The first block puts a header of 4,000 bytes into the table; the others name it as often as a frame holds.
		b := headerBlock()
		if i == 0 {
			b = append(append(b, 0x40, 1, 'x', 0x7f), bin.AppendUvarint(nil, 3900-127)...)
			b = append(b, bytes.Repeat([]byte{'y'}, 3900)...)
		} else {
			b = append(b, bytes.Repeat([]byte{0x80 | 62}, 15_000)...)
		}
		return p.WriteHeaders(http2.HeadersFrameParam{StreamID: 2*i + 1, BlockFragment: b, EndHeaders: true, EndStream: true})
	}), append([]string{"status 13"}, thrownOut...)}, // the first call has no message
}

// callAttacks hold connections and calls of the gRPC door.
var callAttacks = []attack{
	{"gRPC: two hundred headers", 10, func(ctx context.Context, v *victim) string {
		p, err := meet(ctx, v)
		if err != nil {
			return unconnected(err)
		}
		defer p.Close()
		go p.listen()
		for range 200 {
			p.block = append(p.block, headerBlock(hpack.HeaderField{Name: "x", Value: "y"})[len(headerBlock()):]...)
		}
		if err := errors.Join(p.open(0, true), p.out.Flush()); err != nil {
			return err.Error()
		}
		return p.until(ctx)
	}, []string{"status 8 serve.max_headers"}},
	{"gRPC: nothing is sent", 300, func(ctx context.Context, v *victim) string {
		conn, err := dialed(ctx, v.grpc)
		if err != nil {
			return unconnected(err)
		}
		defer conn.Close()
		_, _ = io.Copy(io.Discard, conn)
		return "end"
	}, []string{"end"}},
	{"gRPC: connections and no calls", 1000, func(ctx context.Context, v *victim) string {
		p, err := meet(ctx, v)
		if err != nil {
			return unconnected(err)
		}
		defer p.Close()
		<-ctx.Done()
		return ""
	}, nil},
	{"gRPC: headers byte by byte", 300, func(ctx context.Context, v *victim) string {
		p, err := meet(ctx, v)
		if err != nil {
			return unconnected(err)
		}
		defer p.Close()
		if _, err := p.Write([]byte{0, 0, 100, 1, 4, 0, 0, 0, 1}); err != nil {
			return err.Error()
		}
		drips(ctx, p, []byte{0x82})
		return ""
	}, nil},
	{"gRPC: messages that do not come", 20, func(ctx context.Context, v *victim) string {
		p, err := meet(ctx, v)
		if err != nil {
			return unconnected(err)
		}
		defer p.Close()
		go p.listen()
		for i := range uint32(100) {
			if err := errors.Join(p.open(i, false), p.message(i, 1000, []byte{1})); err != nil {
				return err.Error()
			}
		}
		if err := p.out.Flush(); err != nil {
			return err.Error()
		}
		return p.until(ctx)
	}, []string{"status 4"}},
}

// until returns what the server says first.
func (p *peer) until(ctx context.Context) string {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if how := p.ended.Load(); how != nil {
			return *how
		}
		select {
		case <-ctx.Done():
			return ""
		case <-tick.C:
		}
	}
}
