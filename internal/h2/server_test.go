package h2

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/gzip"
	_ "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/reflection"
	reflectpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
)

// config is what the tests allow.
func config() Config {
	return Config{MaxStreams: 100, MaxHeader: 16 << 10, MaxFields: 50, MaxMessage: 4 << 20, Handshake: 5 * time.Second, WriteTimeout: 5 * time.Second,
		MaxAge: time.Hour, Grace: time.Minute, KeepAlive: time.Minute, Answer: 20 * time.Second, MinPing: 10 * time.Second, Arrive: 30 * time.Second, MaxFrames: 10_000}
}

// site is a server with what the tests call.
type site struct {
	*Server
	addr   string
	counts [Stats]atomic.Int64
	parked chan struct{} // told of each call of Park
	let    chan struct{} // lets one go
	now    atomic.Int64  // calls of it at work
	most   atomic.Int64  // of them at once
}

func newSite(t testing.TB, c Config) *site {
	t.Helper()
	return newSiteBehind(t, c, func(rest http.Handler) http.Handler { return rest })
}

// newSiteBehind puts a handler before that of the rest.
func newSiteBehind(t testing.TB, c Config, wrap func(rest http.Handler) http.Handler) *site {
	t.Helper()
	at := &site{parked: make(chan struct{}, 1000), let: make(chan struct{})}
	rest := grpc.NewServer(grpc.ForceServerCodecV2(pass{}))
	checks := health.NewServer()
	healthpb.RegisterHealthServer(rest, checks)
	reflection.Register(rest)
	rest.RegisterService(&grpc.ServiceDesc{
		ServiceName: "t.Rest", HandlerType: (*any)(nil),
		Streams: []grpc.StreamDesc{{StreamName: "Many", ServerStreams: true, ClientStreams: true, Handler: many}},
		Methods: []grpc.MethodDesc{{MethodName: "Echo", Handler: restEcho}},
	}, at)
	rest.RegisterService(&grpc.ServiceDesc{ServiceName: "t.Hot", HandlerType: (*any)(nil), Methods: []grpc.MethodDesc{{MethodName: "Echo", Handler: restEcho}}}, at)
	at.Server = New(c, map[string]Unary{"/t.Hot/Echo": echo, "/t.Hot/Fail": fail, "/t.Hot/Tell": tell, "/t.Hot/Park": at.park, "/t.Hot/Give": give},
		wrap(rest), func(s Stat, _ net.Addr) { at.counts[s].Add(1) })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at.addr = l.Addr().String()
	done := make(chan error, 1)
	go func() { done <- at.Serve(l) }()
	t.Cleanup(func() {
		checks.Shutdown()
		at.Close()
		rest.Stop()
		if err := <-done; !errors.Is(err, ErrClosed) {
			t.Errorf("Serve: %v", err)
		}
	})
	return at
}

func echo(_ context.Context, message []byte) (mem.Buffer, error) {
	return mem.Copy(message, mem.DefaultBufferPool()), nil
}

// give answers with as many bytes as the message says.
func give(_ context.Context, message []byte) (mem.Buffer, error) {
	return mem.SliceBuffer(bytes.Repeat([]byte{7}, int(binary.BigEndian.Uint32(message)))), nil
}

type withTrailer struct{ error }

func (withTrailer) Trailer() metadata.MD {
	return metadata.Pairs("grpc-retry-pushback-ms", "17", "x-bin", "\x00\xff")
}
func (e withTrailer) Unwrap() error { return e.error }

func fail(_ context.Context, message []byte) (mem.Buffer, error) {
	return nil, withTrailer{status.Error(codes.NotFound, string(message))}
}

// tell answers with what the call's context knows.
func tell(ctx context.Context, _ []byte) (mem.Buffer, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	from, _ := peer.FromContext(ctx)
	_, limited := ctx.Deadline()
	return mem.SliceBuffer(fmt.Sprintf("%q %q %v %v", md["x-one"], md["y-bin"], limited, from.Addr != nil)), nil
}

// park answers once the call is let go or ends.
func (at *site) park(ctx context.Context, message []byte) (mem.Buffer, error) {
	defer at.now.Add(-1)
	if n := at.now.Add(1); n > at.most.Load() {
		at.most.Store(n)
	}
	select {
	case at.parked <- struct{}{}:
	default:
	}
	select {
	case <-at.let:
		return mem.Copy(message, mem.DefaultBufferPool()), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func restEcho(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	var b []byte
	if err := decode(&b); err != nil {
		return nil, err
	}
	return b, nil
}

// many answers each message with itself.
func many(_ any, stream grpc.ServerStream) error {
	for {
		var b []byte
		if err := stream.RecvMsg(&b); err != nil {
			return nil
		}
		if err := stream.SendMsg(b); err != nil {
			return err
		}
	}
}

// pass is a codec that leaves bytes as they are.
type pass struct{}

func (pass) Name() string { return "proto" }

func (pass) Marshal(v any) (mem.BufferSlice, error) {
	if b, ok := v.([]byte); ok {
		return mem.BufferSlice{mem.SliceBuffer(b)}, nil
	}
	return encoding.GetCodecV2("proto").Marshal(v)
}

func (pass) Unmarshal(data mem.BufferSlice, v any) error {
	if b, ok := v.(*[]byte); ok {
		*b = data.Materialize()
		return nil
	}
	return encoding.GetCodecV2("proto").Unmarshal(data, v)
}

func (at *site) dial(t testing.TB, options ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	options = append(options, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(pass{}), grpc.MaxCallRecvMsgSize(64<<20)))
	conn, err := grpc.NewClient(at.addr, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func call(ctx context.Context, conn *grpc.ClientConn, method string, message []byte, options ...grpc.CallOption) (reply []byte, err error) {
	err = conn.Invoke(ctx, method, message, &reply, options...)
	return reply, err
}

// TestCalls sends messages of every size over one connection, many at once, and wants
// each back, from either handler.
func TestCalls(t *testing.T) {
	at := newSite(t, config())
	for name, conn := range map[string]*grpc.ClientConn{
		"usual":  at.dial(t),
		"narrow": at.dial(t, grpc.WithInitialWindowSize(65535), grpc.WithInitialConnWindowSize(65535)),
		"wide":   at.dial(t, grpc.WithInitialWindowSize(8<<20), grpc.WithInitialConnWindowSize(16<<20)),
	} {
		t.Run(name, func(t *testing.T) {
			var group sync.WaitGroup
			for i := range 60 {
				group.Go(func() {
					r := rand.New(rand.NewPCG(uint64(i), 1))
					for n := range 20 {
						message := make([]byte, []int{0, 1, r.IntN(300), r.IntN(20_000), r.IntN(300_000)}[r.IntN(5)])
						for j := range message {
							message[j] = byte(r.Uint32())
						}
						method := []string{"/t.Hot/Echo", "/t.Hot/Echo", "/t.Hot/Echo", "/t.Rest/Echo"}[n%4]
						reply, err := call(t.Context(), conn, method, message)
						if err != nil || !bytes.Equal(reply, message) {
							t.Errorf("%s of %d bytes: %d bytes, %v", method, len(message), len(reply), err)
							return
						}
					}
				})
			}
			group.Wait()
		})
	}
	if reply, err := call(t.Context(), at.dial(t), "/t.Hot/Give", binary.BigEndian.AppendUint32(nil, 20<<20)); err != nil || len(reply) != 20<<20 {
		t.Errorf("20 MiB: %d, %v", len(reply), err)
	}
}

// TestCompressed wants calls whose message is compressed answered too.
func TestCompressed(t *testing.T) {
	at := newSite(t, config())
	message := bytes.Repeat([]byte("abc"), 1000)
	reply, err := call(t.Context(), at.dial(t), "/t.Hot/Echo", message, grpc.UseCompressor(gzip.Name))
	if err != nil || !bytes.Equal(reply, message) {
		t.Errorf("%d bytes, %v", len(reply), err)
	}
}

// TestRest wants services that are not calls of bytes to work as they do elsewhere.
func TestRest(t *testing.T) {
	at := newSite(t, config())
	conn := at.dial(t)
	checks := healthpb.NewHealthClient(conn)
	if r, err := checks.Check(t.Context(), &healthpb.HealthCheckRequest{}); err != nil || r.GetStatus() != healthpb.HealthCheckResponse_SERVING {
		t.Errorf("health: %v, %v", r, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	watch, err := checks.Watch(ctx, &healthpb.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := watch.Recv(); err != nil || r.GetStatus() != healthpb.HealthCheckResponse_SERVING {
		t.Errorf("watch: %v, %v", r, err)
	}
	cancel()
	if _, err := watch.Recv(); status.Code(err) != codes.Canceled {
		t.Errorf("watch after it was given up: %v", err)
	}
	list, err := reflectpb.NewServerReflectionClient(conn).ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := list.Send(&reflectpb.ServerReflectionRequest{MessageRequest: &reflectpb.ServerReflectionRequest_ListServices{}}); err != nil {
		t.Fatal(err)
	}
	if r, err := list.Recv(); err != nil || len(r.GetListServicesResponse().GetService()) < 3 {
		t.Errorf("reflection: %v, %v", r, err)
	}
	stream, err := conn.NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/t.Rest/Many")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 300 {
		message := bytes.Repeat([]byte{byte(i)}, i*331)
		if err := stream.SendMsg(message); err != nil {
			t.Fatal(err)
		}
		var reply []byte
		if err := stream.RecvMsg(&reply); err != nil || !bytes.Equal(reply, message) {
			t.Fatalf("message %d: %d bytes, %v", i, len(reply), err)
		}
	}
	if _, err := call(t.Context(), conn, "/t.Nobody/Knows", nil); status.Code(err) != codes.Unimplemented {
		t.Errorf("unknown method: %v", err)
	}
}

// TestStatus wants statuses, details of a call and limits to reach the other side.
func TestStatus(t *testing.T) {
	c := config()
	c.MaxMessage = 1000
	at := newSite(t, c)
	conn := at.dial(t)
	const text = "no such thing: 100 % \n ünbekannt"
	var trailer metadata.MD
	_, err := call(t.Context(), conn, "/t.Hot/Fail", []byte(text), grpc.Trailer(&trailer))
	if status.Code(err) != codes.NotFound || status.Convert(err).Message() != text {
		t.Errorf("status %v", err)
	}
	if fmt.Sprintf("%q %q", trailer["grpc-retry-pushback-ms"], trailer["x-bin"]) != `["17"] ["\x00\xff"]` {
		t.Errorf("trailer %q", trailer)
	}
	for range 2 { // the second time the headers are known
		ctx := metadata.AppendToOutgoingContext(t.Context(), "x-one", "a", "x-one", "b", "y-bin", "\x01,\xff")
		if got, err := call(ctx, conn, "/t.Hot/Tell", nil); err != nil || string(got) != `["a" "b"] ["\x01,\xff"] true true` {
			t.Errorf("metadata: %s, %v", got, err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if got, err := call(ctx, conn, "/t.Hot/Tell", nil); err != nil || string(got) != `[] [] true true` {
		t.Errorf("deadline: %s, %v", got, err)
	}
	_, err = call(t.Context(), conn, "/t.Hot/Echo", make([]byte, 1001))
	if status.Code(err) != codes.ResourceExhausted || !strings.Contains(err.Error(), "max_body") {
		t.Errorf("large message: %v", err)
	}
	_, err = call(metadata.AppendToOutgoingContext(t.Context(), "x", strings.Repeat("x", 17_000)), conn, "/t.Hot/Echo", nil)
	if err == nil { // grpc-go's client does not send more than it was told
		t.Error("large headers: no error")
	}
	if reply, err := call(t.Context(), conn, "/t.Hot/Echo", []byte("after")); err != nil || string(reply) != "after" {
		t.Errorf("after all that: %q, %v", reply, err)
	}
}

// TestCancel wants a call to end when its client gives it up, or its time is over.
func TestCancel(t *testing.T) {
	at := newSite(t, config())
	conn := at.dial(t)
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan error, 1)
	go func() {
		_, err := call(ctx, conn, "/t.Hot/Park", nil)
		got <- err
	}()
	<-at.parked
	cancel()
	if err := <-got; status.Code(err) != codes.Canceled {
		t.Errorf("given up: %v", err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := call(ctx, conn, "/t.Hot/Park", nil); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("out of time: %v", err)
	}
	close(at.let)
	if reply, err := call(t.Context(), conn, "/t.Hot/Park", []byte("x")); err != nil || string(reply) != "x" {
		t.Errorf("let go: %q, %v", reply, err)
	}
}

// TestShutdown shuts servers down under load: no call fails, those that are at work end,
// and clients go elsewhere.
func TestShutdown(t *testing.T) {
	at, next := newSite(t, config()), newSite(t, config())
	var to atomic.Pointer[string]
	to.Store(&at.addr)
	conn := at.dial(t, grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", *to.Load())
	}))
	slow := make(chan error, 1)
	go func() {
		_, err := call(t.Context(), conn, "/t.Hot/Park", nil)
		slow <- err
	}()
	<-at.parked
	ctx, stop := context.WithCancel(t.Context())
	var group sync.WaitGroup
	var answered atomic.Int64
	for range 20 {
		group.Go(func() {
			for ctx.Err() == nil {
				if _, err := call(t.Context(), conn, "/t.Hot/Echo", []byte("x")); err != nil {
					t.Errorf("call while the server leaves: %v", err)
					return
				}
				answered.Add(1)
			}
		})
	}
	for answered.Load() < 500 && !t.Failed() {
		_, _ = call(t.Context(), conn, "/t.Hot/Echo", nil)
	}
	to.Store(&next.addr)
	ended := make(chan error, 1)
	go func() { ended <- at.Shutdown(t.Context()) }()
	before := answered.Load()
	for answered.Load() < before+500 && !t.Failed() {
		_, _ = call(t.Context(), conn, "/t.Hot/Echo", nil)
	}
	at.let <- struct{}{}
	if err := errors.Join(<-slow, <-ended); err != nil {
		t.Errorf("a call that was at work, and the end: %v", err)
	}
	stop()
	group.Wait()
}

// TestAge wants old connections asked to go, without a call failing.
func TestAge(t *testing.T) {
	c := config()
	c.MaxAge = 40 * time.Millisecond
	at := newSite(t, c)
	var dialled atomic.Int64
	conn := at.dial(t, grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) {
		dialled.Add(1)
		return new(net.Dialer).DialContext(ctx, "tcp", addr)
	}))
	for dialled.Load() < 4 {
		if _, err := call(t.Context(), conn, "/t.Hot/Echo", nil); err != nil {
			t.Fatal(err)
		}
	}
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
	at := newSite(t, config())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	full, ended := &net.OpError{Op: "accept", Err: syscall.EMFILE}, make(chan error, 1)
	go func() { ended <- at.Serve(&failing{l, []error{full, full}}) }()
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.ForceCodecV2(pass{})))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := call(t.Context(), conn, "/t.Hot/Echo", nil); err != nil {
		t.Error(err)
	}
	at.Close()
	if err := <-ended; !errors.Is(err, ErrClosed) {
		t.Errorf("Serve = %v, want %v", err, ErrClosed)
	}
}
