//go:build services

package scenario

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	grpcstatus "google.golang.org/grpc/status"
)

const (
	attackLimit = time.Second           // that the server is given: serve.handshake and serve.max_time
	attackAgain = 50 * time.Millisecond // until a client that was thrown out is back
	// A well-behaved client may wait so many times longer at its 99th percentile than it
	// did undisturbed, and so long whatever that was.
	worseBy    = 10
	worstAtAll = 350 * time.Millisecond
	// mostGrowth is how much memory all attacks together may take, in KiB.
	mostGrowth = 300 << 10
)

var attackTime = flag.Duration("attack.time", attackLimit+300*time.Millisecond, "how long each attack of TestHostileClients lasts")

// attack is what hostile clients do: each of n runs again and again until the time is
// over. It returns how it was stopped, which must be one of ends, if there are any.
type attack struct {
	name string
	n    int
	run  func(ctx context.Context, v *victim) string
	ends []string
}

// victim is where the server listens.
type victim struct{ http, grpc string }

// TestHostileClients has clients do their worst while others read all the while. Those
// are answered, not much later than ever; the hostile ones are told, or thrown out; and
// nothing of them stays.
func TestHostileClients(t *testing.T) {
	h := openHouse(t, "--serve.handshake=1", "--serve.max_time=1")
	h.define()
	h.decide(0, 1)
	v := &victim{strings.TrimPrefix(*h.base.Load(), "http://"), h.grpc}
	good := h.goodClients(t)
	good.take(*attackTime) // connections, plans
	calm := good.take(*attackTime)
	bound := max(worseBy*calm.p99, worstAtAll)
	before, idle := h.memory("VmRSS"), h.held(t)
	t.Logf("undisturbed: %s", calm)
	for _, a := range attacks() {
		t.Run(a.name, func(t *testing.T) {
			good.begin()
			ended := a.apart(t, v)
			under := good.end()
			t.Logf("%s; %v", under, ended)
			if under.failed > 0 || under.reads == 0 || under.p99 > bound {
				t.Errorf("a good client under %s: %s, want no failures and p99 within %s", a.name, under, bound)
			}
			for how := range ended {
				if len(a.ends) > 0 && !slices.ContainsFunc(a.ends, func(want string) bool { return strings.HasPrefix(how, want) }) {
					t.Errorf("%s ended %d times with %q, want %q", a.name, ended[how], how, a.ends)
				}
			}
			if len(a.ends) > 0 && len(ended) == 0 {
				t.Errorf("%s was never stopped", a.name)
			}
		})
	}
	if grown := h.memory("VmHWM") - before; grown > mostGrowth {
		t.Errorf("the process took %d MiB more, want at most %d", grown>>10, mostGrowth>>10)
	}
	h.until("what the attacks held is let go", 20*time.Second, func() error {
		if now := h.held(t); now.goroutines > idle.goroutines+20 || now.connections > idle.connections+4 {
			return fmt.Errorf("%+v are held, before it was %+v", now, idle)
		}
		return nil
	})
	t.Logf("%d MiB more at most, %d MiB after", (h.memory("VmHWM")-before)>>10, (h.memory("VmRSS")-before)>>10)
}

func attacks() []attack { return slices.Concat(frameAttacks, callAttacks, httpAttacks, requestAttacks) }

// outcomes counts how attacks ended.
type outcomes map[string]int

// attackEnv tells the test binary to be hostile: "http grpc name".
const attackEnv = "SLUICE_ATTACK"

func init() { instead[attackEnv] = attackAlone }

// apart launches a in a process of its own, which takes the processor only while nobody
// else wants it: what is measured is what the server does to itself.
func (a attack) apart(t *testing.T, v *victim) (ended outcomes) {
	cmd := exec.Command("nice", "-n", "19", os.Args[0], "-attack.time="+attackTime.String())
	cmd.Env, cmd.Stderr = append(os.Environ(), attackEnv+"="+v.http+" "+v.grpc+" "+a.name), os.Stderr
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, &ended)
	}
	if err != nil {
		t.Errorf("attack %s: %v: %s", a.name, err, out)
	}
	return ended
}

// attackAlone is that process.
func attackAlone(what string) error {
	parts := strings.SplitN(what, " ", 3)
	for _, a := range attacks() {
		if len(parts) == 3 && a.name == parts[2] {
			return json.NewEncoder(os.Stdout).Encode(a.launch(context.Background(), &victim{parts[0], parts[1]}))
		}
	}
	return fmt.Errorf("no attack %q", what)
}

// launch has a's clients attack until the time is over.
func (a attack) launch(ctx context.Context, v *victim) outcomes {
	ctx, cancel := context.WithTimeout(ctx, *attackTime)
	defer cancel()
	var group sync.WaitGroup
	var mu sync.Mutex
	all := outcomes{}
	for range a.n {
		group.Go(func() {
			for ctx.Err() == nil {
				how := a.run(ctx, v)
				if how != "" && ctx.Err() == nil {
					mu.Lock()
					all[how]++
					mu.Unlock()
				}
				select {
				case <-ctx.Done():
				case <-time.After(attackAgain):
				}
			}
		})
	}
	group.Wait()
	return all
}

func (o outcomes) String() string {
	text := "stopped by"
	for _, how := range slices.Sorted(maps.Keys(o)) {
		text += fmt.Sprintf(" %q ×%d", how, o[how])
	}
	return text
}

// held is what a process holds for its clients.
type held struct{ goroutines, connections int }

var heldSeries = regexp.MustCompile(`(?m)^(go_goroutines|sluice_serve_connections)(?:\{door="\w+"\})? (\S+)$`)

func (h *house) held(t *testing.T) (out held) {
	t.Helper()
	for _, m := range heldSeries.FindAllStringSubmatch(h.call(http.MethodGet, "/metrics", "").body, -1) {
		n, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			t.Fatal(err)
		}
		if m[1] == "go_goroutines" {
			out.goroutines = int(n)
		} else {
			out.connections += int(n)
		}
	}
	return out
}

// goodClients read over HTTP and gRPC, one read every few milliseconds each.
type goodClients struct {
	mu     sync.Mutex
	times  []time.Duration
	failed int
	why    string
}

// goodPause is between two reads of a client.
const goodPause = 4 * time.Millisecond

func (h *house) goodClients(t *testing.T) *goodClients {
	t.Helper()
	g := &goodClients{}
	ctx, cancel := context.WithCancel(t.Context())
	conn, err := grpc.NewClient(h.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		group.Wait()
		conn.Close()
	})
	request := feastRead(5, "account", textValue("a001"), "payments:amount", "payments:country")
	for _, read := range []func() error{
		func() error {
			_, err := readAt(*h.base.Load(), "a001", "a002", "a003")
			return err
		},
		func() error {
			ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
			defer cancel()
			var reply []byte
			return conn.Invoke(ctx, callFeast, &request, &reply, grpc.ForceCodec(bytesCodec{}))
		},
	} {
		group.Go(func() { g.keep(ctx, read) })
	}
	return g
}

func (g *goodClients) keep(ctx context.Context, read func() error) {
	tick := time.NewTicker(goodPause)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		begun := time.Now()
		err := read()
		if ctx.Err() != nil {
			return
		}
		g.mu.Lock()
		g.times = append(g.times, time.Since(begun))
		if err != nil {
			g.failed++
			g.why = err.Error()
		}
		g.mu.Unlock()
	}
}

// experience is what good clients saw.
type experience struct {
	reads, failed int
	p50, p99, max time.Duration
	why           string
}

func (e experience) String() string {
	text := fmt.Sprintf("%d reads, %d failed, p50 %s, p99 %s, longest %s", e.reads, e.failed, e.p50.Round(10*time.Microsecond), e.p99.Round(10*time.Microsecond), e.max.Round(10*time.Microsecond))
	if e.why != "" {
		text += ": " + e.why
	}
	return text
}

// take returns what they see from now on for so long.
func (g *goodClients) take(d time.Duration) experience {
	g.begin()
	<-time.After(d)
	return g.end()
}

// begin forgets what they saw before.
func (g *goodClients) begin() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.times, g.failed, g.why = nil, 0, ""
}

// end returns what they saw since begin.
func (g *goodClients) end() experience {
	g.mu.Lock()
	defer g.mu.Unlock()
	e := experience{reads: len(g.times), failed: g.failed, why: g.why}
	if e.reads > 0 {
		slices.Sort(g.times)
		e.p50, e.p99, e.max = g.times[e.reads/2], g.times[e.reads*99/100], g.times[e.reads-1]
	}
	return e
}

// requestAttacks are of clients that speak properly and ask for too much, or for nothing
// that there is. Each is answered at once with what is wrong.
var requestAttacks = []attack{
	{"a million entities", 4, posts("/get-online-features", `{"features":["payments:amount"],"entities":{"account":`+repeatJSON(`"a"`, 1_000_000)+`}}`), tooSlow("413 serve.max_entities")},
	{"two million entities", 4, posts("/api/v1/views/payments/rows", `{"keys":`+repeatJSON(`{}`, 2_000_000)+`}`), tooSlow("413 serve.max_body")},
	{"depth", 4, posts("/get-online-features", nested(2_000_000)), []string{"422 "}},
	{"a thousand of one entity", 8, posts("/get-online-features", `{"features":["payments:amount"],"entities":{"account":`+repeatJSON(`"a001"`, 1000)+`}}`), []string{"200 "}},
	{"no entity", 8, posts("/get-online-features", `{"features":["payments:amount"],"entities":{"account":[]}}`), []string{"422 "}},
	{"not a number", 8, posts("/get-online-features", `{"features":["payments:amount"],"entities":{"account":[NaN]}}`), []string{"422 "}},
	{"invalid UTF-8", 8, posts("/get-online-features", "{\"features\":[\"payments:amount\"],\"entities\":{\"account\":[\"\xff\xfe\"]}}"), []string{"422 "}},
	{"hostile names", 8, posts("/get-online-features", `{"features":["payments:amount","{{7*7}}\u0000'; drop table x;--\u202e:<!channel>"],"entities":{"account":["a"]}}`), []string{"404 "}},
	{"another type", 8, posts("/get-online-features", `{"features":["payments:amount"],"entities":{"account":[17]}}`), []string{"422 "}},
	{"a million entities over gRPC", 4, calls(feastRead(400_000, "account", textValue("a"), "payments:amount")), tooSlow("ResourceExhausted serve.max_entities")},
	{"4 MiB that are no message", 4, calls([]byte(strings.Repeat("\x0b", 4<<20-1))), tooSlow("InvalidArgument ")},
	{"groups in an unusual message", 4, calls(append(feastRead(1, "account", textValue("a"), "payments:amount"), strings.Repeat("\x9b\x06\x9c\x06", 900_000)...)), tooSlow("OK")},
}

// tooSlow adds how a large request ends on a machine that is too loaded to send it in time.
func tooSlow(how string) []string { return []string{how, "400 ", "422 ", "DeadlineExceeded "} }

// posts sends a body again and again, and returns how it is answered.
func posts(path, body string) func(context.Context, *victim) string {
	return func(ctx context.Context, v *victim) string {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+v.http+path, strings.NewReader(body))
		if err != nil {
			return err.Error()
		}
		resp, err := client.Do(r)
		if err != nil {
			return "no answer: " + err.Error()
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			return "half an answer: " + err.Error()
		}
		return fmt.Sprintf("%d %s", resp.StatusCode, namedLimit(string(text)))
	}
}

// namedLimit is the key that an answer names.
func namedLimit(text string) string { return namedKey.FindString(text) }

var namedKey = regexp.MustCompile(`serve\.\w+`)

// calls sends a message likewise, on a connection of its own.
func calls(message []byte) func(context.Context, *victim) string {
	return func(ctx context.Context, v *victim) string {
		conn, err := grpc.NewClient(v.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return err.Error()
		}
		defer conn.Close()
		var reply []byte
		s := grpcstatus.Convert(conn.Invoke(ctx, callFeast, &message, &reply, grpc.ForceCodec(bytesCodec{})))
		if s.Code() == codes.OK {
			return "OK"
		}
		return fmt.Sprintf("%s %s", s.Code(), namedLimit(s.Message()))
	}
}

// unconnected says why there is no connection; that the time is over is no reason.
func unconnected(err error) string {
	var late net.Error
	if errors.As(err, &late) && late.Timeout() {
		return ""
	}
	return "no connection: " + err.Error()
}

// dialed connects, and closes the connection when ctx ends.
func dialed(ctx context.Context, address string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { conn.Close() })
	return conn, nil
}
