//go:build services

package scenario

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	feastserving "sluice/api/feast/serving"
	feasttypes "sluice/api/feast/types"
	"sluice/test/services"
)

const (
	edgeConfig   = "../../deploy/envoy/envoy.yaml"
	edgeBinaries = "../../.venv/edge/lib/python3*/site-packages/envoy/_bin/envoy" // `make edge-tools`
	edgeDrain    = 4                                                              // seconds; health checks of the edge need 2 to notice
	edgeRestarts = 4
	edgeReads    = 1000 // at each door; fewer make the run void
	edgeReaders  = 8    // of each door
)

// edge is Envoy as it is meant to stand in front of servers.
type edge struct {
	f    *fleet
	cmd  *exec.Cmd
	log  shared
	addr string
}

// TestEdgeServices restarts servers behind Envoy, one after another, while clients read
// through it over HTTP and gRPC: none of them may notice. Then it holds the edge's own
// limits.
func TestEdgeServices(t *testing.T) {
	set := services.Start(t, "kafka", "redis", "postgres")
	f := newFleet(t, directly(set.Brokers(), set.Redis(), false, set.Database(t)), 1)
	ports := freePorts(t, 6)
	for n, p := range f.serves {
		p.args = append(p.args, "--listen.http=127.0.0.1:"+ports[2*n], "--listen.grpc=127.0.0.1:"+ports[2*n+1], fmt.Sprint("--serve.drain=", edgeDrain))
	}
	f.start()
	f.define()
	for i := range 3 {
		f.mustPublish(i, 1)
	}
	e := startEdge(f, ports)
	t.Run("restarts", e.restarts)
	t.Run("limits", e.limits)
}

func freePorts(t *testing.T, n int) (ports []string) {
	t.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		_, port, _ := net.SplitHostPort(l.Addr().String())
		ports = append(ports, port)
	}
	return ports
}

// startEdge runs Envoy with the configuration of the repository, on other ports.
func startEdge(f *fleet, ports []string) *edge {
	t := f.t
	t.Helper()
	found, err := filepath.Glob(edgeBinaries)
	if err != nil || len(found) == 0 {
		t.Fatalf("no Envoy at %s: run `make edge-tools`", edgeBinaries)
	}
	text, err := os.ReadFile(edgeConfig)
	if err != nil {
		t.Fatal(err)
	}
	was := []string{"6566", "6565", "7566", "7565", "8080", "9901"}
	var pairs []string
	for n, port := range was {
		if strings.Count(string(text), "port_value: "+port) != 1 {
			t.Fatalf("%s names port %s not once", edgeConfig, port)
		}
		pairs = append(pairs, "port_value: "+port, "port_value: "+ports[n])
	}
	config := filepath.Join(t.TempDir(), "envoy.yaml")
	if err := os.WriteFile(config, []byte(strings.NewReplacer(pairs...).Replace(string(text))), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(found[0], "--mode", "validate", "-c", edgeConfig).CombinedOutput(); err != nil || strings.Contains(string(out), "[warning]") {
		t.Fatalf("envoy --mode validate: %v\n%s", err, out)
	}
	e := &edge{f: f, addr: "127.0.0.1:" + ports[4]}
	e.cmd = exec.Command(found[0], "-c", config, "--concurrency", "1", "--use-dynamic-base-id", "--log-level", "warning")
	e.cmd.Stdout, e.cmd.Stderr = &e.log, &e.log
	if err := e.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.end)
	f.until("the edge answers", settled, func() error {
		_, err := readAt("http://"+e.addr, "a001")
		return err
	})
	return e
}

func (e *edge) end() {
	_ = e.cmd.Process.Signal(syscall.SIGTERM)
	_ = e.cmd.Wait() // of a signal: how is no matter
	if e.f.t.Failed() {
		e.f.t.Logf("the edge's log, the end:\n%s", e.log.tail(3000))
	}
}

// edgeLoad is clients that read through the edge.
type edgeLoad struct {
	http, grpc atomic.Int64
	mu         sync.Mutex
	failed     map[string]int
	group      sync.WaitGroup
}

func (l *edgeLoad) fail(door string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed[door+": "+digits.ReplaceAllString(err.Error(), "0")]++
}

func (e *edge) load(ctx context.Context, t *testing.T) *edgeLoad {
	l := &edgeLoad{failed: map[string]int{}}
	for range edgeReaders {
		l.group.Go(func() {
			for every(ctx) {
				if _, err := readAt("http://"+e.addr, "a001", "a002"); err != nil {
					l.fail("HTTP", err)
				}
				l.http.Add(1)
			}
		})
		conn, err := grpc.NewClient(e.addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		l.group.Go(func() {
			for every(ctx) {
				if err := readEdge(conn); err != nil {
					l.fail("gRPC", err)
				}
				l.grpc.Add(1)
			}
		})
	}
	return l
}

// every waits for the time of the next read; false once ctx has ended.
func every(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(10 * time.Millisecond):
		return true
	}
}

// readEdge reads one account by Feast's own method. A context of its own lets the reads
// under way end when the load does.
func readEdge(conn *grpc.ClientConn) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	answer, err := feastserving.NewServingServiceClient(conn).GetOnlineFeatures(ctx, &feastserving.GetOnlineFeaturesRequest{
		Kind:     &feastserving.GetOnlineFeaturesRequest_Features{Features: &feastserving.FeatureList{Val: []string{"payments:amount"}}},
		Entities: map[string]*feasttypes.RepeatedValue{"account": {Val: []*feasttypes.Value{textValue("a001")}}},
	})
	if err == nil && answer.GetResults()[1].GetStatuses()[0] != feastserving.FieldStatus_PRESENT {
		err = fmt.Errorf("status %s", answer.GetResults()[1].GetStatuses()[0])
	}
	return err
}

func (e *edge) restarts(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	l := e.load(ctx, t)
	for n := range edgeRestarts {
		p := e.f.serves[n%len(e.f.serves)]
		before := l.http.Load()
		p.end()
		p.start()
		e.f.until(p.name+" is ready", settled, p.ready)
		e.f.until("clients read on", settled, func() error {
			if got := l.http.Load() - before; got < edgeReads/edgeRestarts {
				return fmt.Errorf("%d reads", got)
			}
			return nil
		})
	}
	cancel()
	l.group.Wait()
	t.Logf("%d restarts; reads over HTTP %d, gRPC %d", edgeRestarts, l.http.Load(), l.grpc.Load())
	if l.http.Load() < edgeReads || l.grpc.Load() < edgeReads {
		t.Errorf("%d and %d reads, want %d each: the run is void", l.http.Load(), l.grpc.Load(), edgeReads)
	}
	for text, n := range l.failed {
		// A machine that stands still for as long as a read of the store may take fails a few, whoever restarts.
		if all := l.http.Load() + l.grpc.Load(); strings.Contains(text, "cannot be read") && int64(n) < all/200 {
			t.Logf("%d of %d reads found no store: %s", n, all, text)
			continue
		}
		t.Errorf("%d reads failed: %s", n, text)
	}
}

// limits: what the edge refuses by itself, and that it passes on no more.
func (e *edge) limits(t *testing.T) {
	for name, tc := range map[string]struct {
		path   string
		header http.Header
		want   int
	}{
		"statistics of one server": {"/metrics", nil, http.StatusNotFound},
		"headers of 20 KiB":        {"/ready", http.Header{"X-Long": {strings.Repeat("x", 20<<10)}}, http.StatusRequestHeaderFieldsTooLarge},
		"a slash in disguise":      {"/api/v1%2fviews", nil, http.StatusBadRequest},
		"ready":                    {"/ready", nil, http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+e.addr+tc.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			for k, v := range tc.header {
				req.Header[k] = v
			}
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if resp.StatusCode != tc.want {
				t.Errorf("GET %.40s = %s, want %d", tc.path, resp.Status, tc.want)
			}
		})
	}
}
