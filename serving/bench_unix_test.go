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
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"

	feastserving "sluice/api/feast/serving"
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
				requests, begun := 0, cpuTime(b)
				b.ReportAllocs()
				for b.Loop() {
					more()
					requests += batch
				}
				used := cpuTime(b) - begun
				b.ReportMetric(float64(used.Microseconds())/float64(requests), "server-cpu-µs/req")
				b.ReportMetric(float64(requests)/b.Elapsed().Seconds(), "req/s")
			})
		}
	}
}

func (f *fixture) listen(b *testing.B, kind string) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan error, 1)
	if kind != "http" {
		server := f.NewGRPC()
		if kind == "echo" {
			server = f.echo()
		}
		go func() { done <- server.Serve(listener) }()
		b.Cleanup(func() { server.Stop(); <-done })
	} else {
		server := NewHTTPServer(f.config, f.HTTP())
		go func() { done <- server.Serve(listener) }()
		b.Cleanup(func() { server.Close(); <-done })
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
			request := &rawRequest{}
			if err := decode(request); err != nil {
				return nil, err
			}
			defer request.free()
			if reply, ok := replies.Load(len(request.data)); ok {
				return rawReply{mem.SliceBuffer(reply.([]byte))}, nil
			}
			buffer, err := f.readWire(ctx, request.data, false)
			if err == nil {
				replies.Store(len(request.data), slices.Clone(buffer.ReadOnlyData()))
			}
			return rawReply{buffer}, err
		},
	}}}, f)
	return server
}

func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
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
	if kind == "http" {
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

// loadCodec sends bytes as they are and keeps none of the reply.
type loadCodec struct{}

func (loadCodec) Name() string { return "proto" }

func (loadCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.([]byte))}, nil
}

func (loadCodec) Unmarshal(mem.BufferSlice, any) error { return nil }
