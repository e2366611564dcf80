//go:build unix

package serving

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"

	feastserving "sluice/api/feast/serving"
	"sluice/serving/wireform"
	"sluice/test/processor"
)

// The load comes from a process of its own, so that the CPU time of this one is
// the server's: the test binary started again with loadEnv set to "kind address
// entities". It reads how many requests to make, makes them, and says so.
const (
	loadEnv     = "SLUICE_BENCH_LOAD"
	connections = 64
	batch       = 2000
)

func TestMain(m *testing.M) {
	if load := os.Getenv(loadEnv); load != "" {
		if err := generate(load); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// BenchmarkServe reports the server's CPU time a request over loopback, 64
// connections in a closed loop. Transport echo is the yardstick: the same server
// options and the same replies, read once and then given without any work.
func BenchmarkServe(b *testing.B) {
	for _, kind := range []string{"echo", "grpc", "http"} {
		for _, entities := range []int{1, 100} {
			b.Run(fmt.Sprintf("transport=%s/entities=%d", kind, entities), func(b *testing.B) {
				f := benchServer(b)
				address := f.listen(b, kind)
				more := startLoad(b, fmt.Sprintf("%s %s %d", kind, address, entities))
				more()
				requests, begun := 0, processor.Time()
				b.ReportAllocs()
				for b.Loop() {
					more()
					requests += batch
				}
				used := processor.Time() - begun
				b.ReportMetric(float64(used.Microseconds())/float64(requests), "server-cpu-µs/req")
				b.ReportMetric(float64(requests)/b.Elapsed().Seconds(), "req/s")
			})
		}
	}
}

// The ways of clients of the HTTP door: reads alone; a health check before every hundredth
// read, as a balancer makes that shares connections; and that over connections that net/http
// keeps, as it kept all after a health check until they came back.
const (
	doorReads = "door-reads"
	doorMixed = "door-mixed"
	doorKept  = "door-kept"
)

// BenchmarkMixed reports the server's CPU time a request of connections over which other
// things than reads are asked too. All three ways take turns.
func BenchmarkMixed(b *testing.B) {
	ways := []string{doorReads, doorMixed, doorKept}
	more, used := make([]func(), len(ways)), make([][]float64, len(ways))
	for i, way := range ways {
		f := benchServer(b)
		more[i] = startLoad(b, fmt.Sprintf("%s %s 1", way, f.listen(b, way)))
		more[i]()
	}
	for b.Loop() {
		for i := range ways {
			begun := processor.Time()
			for range 5 {
				more[i]()
			}
			used[i] = append(used[i], float64((processor.Time()-begun).Nanoseconds())/1e3/(5*batch))
		}
	}
	for i, way := range ways {
		slices.Sort(used[i])
		b.ReportMetric(used[i][len(used[i])/2], way+"-µs/req")
	}
	b.ReportMetric(0, "ns/op")
}

func (f *fixture) listen(b *testing.B, kind string) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan error, 1)
	switch kind {
	case doorReads, doorMixed, doorKept:
		door := f.NewHTTPDoor(NewHTTPServer(f.config, f.HTTP()))
		go func() { done <- door.Serve(listener) }()
		b.Cleanup(func() { door.Close(); <-done })
	case "http":
		server := NewHTTPServer(f.config, f.HTTP())
		go func() { done <- server.Serve(listener) }()
		b.Cleanup(func() { server.Close(); <-done })
	default:
		server := f.NewGRPC()
		if kind == "echo" {
			server = f.echo()
		}
		go func() { done <- server.Serve(listener) }()
		b.Cleanup(func() { server.Stop(); <-done })
	}
	return listener.Addr().String()
}

// echo is a server that answers every read with the reply to the first of its
// length.
func (f *fixture) echo() *grpc.Server {
	var replies sync.Map // length of the request to reply
	server := grpc.NewServer(f.GRPCOptions()...)
	server.RegisterService(&grpc.ServiceDesc{ServiceName: feastService.ServiceName, HandlerType: (*any)(nil), Methods: []grpc.MethodDesc{{
		MethodName: "GetOnlineFeatures",
		Handler: func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			request := &wireform.RawRequest{}
			if err := decode(request); err != nil {
				return nil, err
			}
			defer request.Free()
			if reply, ok := replies.Load(len(request.Data)); ok {
				return wireform.RawReply{Buffer: mem.SliceBuffer(reply.([]byte))}, nil
			}
			buffer, err := f.readWire(ctx, request.Data, false)
			if err == nil {
				replies.Store(len(request.Data), slices.Clone(buffer.ReadOnlyData()))
			}
			return wireform.RawReply{Buffer: buffer}, err
		},
	}}}, f)
	return server
}

// startLoad starts the load process; what it returns makes one batch of requests.
func startLoad(b *testing.B, load string) func() {
	cmd := exec.Command(os.Args[0])
	cmd.Env, cmd.Stderr = append(os.Environ(), loadEnv+"="+load), os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			b.Error(err)
		}
	})
	lines := bufio.NewScanner(out)
	return func() {
		if _, err := fmt.Fprintln(in, batch); err != nil {
			b.Fatal(err)
		}
		if !lines.Scan() || lines.Text() != "done" {
			b.Fatalf("load says %q, %v", lines.Text(), lines.Err())
		}
	}
}

// generate is the load process.
func generate(load string) error {
	var kind, address string
	var entities int
	if _, err := fmt.Sscan(load, &kind, &address, &entities); err != nil {
		return err
	}
	call, err := caller(kind, address, entities)
	if err != nil {
		return err
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		n := 0
		if _, err := fmt.Sscan(lines.Text(), &n); err != nil {
			return err
		}
		var group sync.WaitGroup
		failed := make(chan error, connections)
		for c := range connections {
			group.Go(func() {
				for i := c; i < n; i += connections {
					if err := call(c, i); err != nil {
						failed <- err
						return
					}
				}
			})
		}
		group.Wait()
		if len(failed) > 0 {
			return <-failed
		}
		fmt.Println("done")
	}
	return nil
}

// caller returns a function that makes request i on connection c.
func caller(kind, address string, entities int) (func(c, i int) error, error) {
	switch kind {
	case doorReads, doorMixed, doorKept:
		return doorCaller(kind, address, benchJSON(entities))
	case "http":
		clients, bodies := make([]http.Client, connections), benchJSON(entities)
		for i := range clients {
			clients[i].Transport = &http.Transport{MaxIdleConnsPerHost: 1}
		}
		return func(c, i int) error {
			response, err := clients[c].Post("http://"+address+"/get-online-features", "application/json", strings.NewReader(bodies[i%len(bodies)]))
			if err != nil {
				return err
			}
			defer response.Body.Close()
			if response.StatusCode != 200 {
				return fmt.Errorf("status %d", response.StatusCode)
			}
			_, err = io.Copy(io.Discard, response.Body)
			return err
		}, nil
	}
	conns, bodies := make([]*grpc.ClientConn, connections), benchWire(entities)
	for i := range conns {
		var err error
		conns[i], err = grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithDefaultCallOptions(grpc.ForceCodecV2(loadCodec{})))
		if err != nil {
			return nil, err
		}
	}
	return func(c, i int) error {
		var reply []byte
		return conns[c].Invoke(context.Background(), feastserving.ServingService_GetOnlineFeatures_FullMethodName, bodies[i%len(bodies)], &reply)
	}, nil
}

// doorCaller returns a function that reads, and asks what else its way has.
func doorCaller(way, address string, bodies []string) (func(c, i int) error, error) {
	type client struct {
		net.Conn
		in *bufio.Reader
		n  int
	}
	ask := func(c *client, text string) error {
		if _, err := io.WriteString(c, text); err != nil {
			return err
		}
		response, err := http.ReadResponse(c.in, nil)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != 200 {
			return fmt.Errorf("status %d, %w", response.StatusCode, err)
		}
		return nil
	}
	const post = "POST /get-online-features HTTP/1.1\r\nHost: x\r\n"
	clients := make([]client, connections)
	for i := range clients {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return nil, err
		}
		clients[i] = client{Conn: conn, in: bufio.NewReader(conn)}
		if way == doorKept { // for the extension of its chunk
			if err := ask(&clients[i], fmt.Sprintf("%sTransfer-Encoding: chunked\r\n\r\n%x;x=y\r\n%s\r\n0\r\n\r\n", post, len(bodies[0]), bodies[0])); err != nil {
				return nil, err
			}
		}
	}
	return func(c, i int) error {
		one, body := &clients[c], bodies[i%len(bodies)]
		if one.n++; one.n%100 == 0 && way != doorReads {
			if err := ask(one, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
				return err
			}
		}
		return ask(one, fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", post, len(body), body))
	}, nil
}

// loadCodec sends bytes as they are and keeps none of the reply.
type loadCodec struct{}

func (loadCodec) Name() string { return "proto" }

func (loadCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.([]byte))}, nil
}

func (loadCodec) Unmarshal(mem.BufferSlice, any) error { return nil }
