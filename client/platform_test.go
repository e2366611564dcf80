package client_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"

	"sluice/client"
)

// TestMain runs the real binary with everything embedded for all tests and examples,
// which use views of their own. The environment names it to clients.
func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "sluice-client")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "sluice")
	if out, err := exec.Command("go", "build", "-o", binary, "sluice/cmd/sluice").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		return 1
	}
	http, grpc, stop, err := start(dir, anyPort, anyPort)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	os.Setenv("SLUICE_SERVER", "http://"+http)
	os.Setenv("SLUICE_GRPC", grpc)
	code := 1
	if err := openShop(); err != nil {
		fmt.Fprintln(os.Stderr, "open shop:", err)
	} else {
		code = m.Run()
	}
	if err := stop(); err != nil {
		fmt.Fprintln(os.Stderr, "the platform:", err)
		return 1
	}
	return code
}

var addresses = regexp.MustCompile(`http (\S+), grpc (\S+), kafka`)

var binary string

const anyPort = "127.0.0.1:0"

// start runs the binary with its data in dir, and returns where it listens.
func start(dir, onHTTP, onGRPC string) (http, grpc string, stop func() error, err error) {
	var log bytes.Buffer
	cmd := exec.Command(binary, "run", "-clock=manual", "--data="+filepath.Join(dir, "data"),
		"--listen.http="+onHTTP, "--listen.grpc="+onGRPC, "--listen.kafka="+anyPort, "--log.level=warn")
	cmd.Stderr = &log
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return "", "", nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	found := addresses.FindStringSubmatch(line)
	if found == nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return "", "", nil, fmt.Errorf("the server printed %q (%v), no addresses; its log: %s", line, err, log.String())
	}
	return found[1], found[2], func() error {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			return fmt.Errorf("%w; its log: %s", err, log.String())
		}
		return nil
	}, nil
}

const definition = `
project: shop
entities: [{name: user, type: string}, {name: card, type: int64}]
views:
  - name: payments
    entities: [user]
    features:
      - {name: amount, type: float64, expect: {min: 0}}
      - {name: visits, type: int64}
      - {name: small, type: int32}
      - {name: share, type: float32}
      - {name: country, type: string}
      - {name: known, type: bool}
      - {name: seen, type: timestamp}
      - {name: photo, type: bytes}
      - {name: last, type: list<float64>}
      - {name: days, type: list<int32>}
      - {name: about, type: json}
    window: {size: 5m, lateness: 10s}
  - name: spend
    entities: [user]
    features: [{name: amount, type: float64}, {name: country, type: string}]
    window: {size: 5m, lateness: 10s}
  - name: cards
    entities: [user, card]
    features: [{name: limit, type: float64}]
    context: {asked: float64}
    computed: [{name: left, type: float64, expr: "limit - asked"}, {name: low, type: bool, expr: "left < 50.0"}]
    window: {size: 5m, lateness: 10s}
services: [{name: fraud, features: ["payments:amount", "spend:amount"]}, {name: payment, features: ["cards:left", "payments:small"]}]
`

// begin is the start of window 0.
var begin = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

const (
	size  = 5 * time.Minute
	users = 200
	good  = 10 // windows
)

func windowRows(view string, at int, scale float64) []map[string]any {
	rng, start := rand.New(rand.NewPCG(uint64(at), 7)), begin.Add(time.Duration(at)*size)
	var rows []map[string]any
	for i := range users {
		row := map[string]any{"user": fmt.Sprintf("u%d", i), "event_time": start.Add(time.Duration(i) * time.Second)}
		switch view {
		case "cards":
			row["card"], row["limit"] = i, 100.5*scale
		case "payments":
			row["visits"], row["small"], row["share"] = i, i, .5
			if i == 7 {
				row["visits"] = int64(1)<<53 + 1
			}
			if i > 0 {
				row["known"] = i%2 == 0
			}
			row["seen"], row["photo"] = start, []byte{byte(i)}
			row["last"], row["days"] = []float64{float64(i), .5}, []int{i, 1}
			row["about"] = map[string]any{"tags": []string{"new"}, "score": i}
			fallthrough
		default:
			row["amount"] = scale * math.Round(100*math.Exp(3+.5*rng.NormFloat64())) / 100
			row["country"] = []string{"DE", "DE", "DE", "FR", "FR", "PL"}[rng.IntN(6)]
		}
		rows = append(rows, row)
	}
	return rows
}

// windows counts those of each view that were made.
var windows = map[string]int{"payments": good, "spend": good, "cards": good}

// nextWindow returns rows of a window of view that has none yet.
func nextWindow(view string, scale float64) []map[string]any {
	windows[view]++
	return windowRows(view, windows[view]-1, scale)
}

// openShop defines the views and publishes windows of them.
func openShop() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	c, err := client.Dial(client.Config{Timeout: time.Minute})
	if err != nil {
		return err
	}
	defer c.Close()
	err = until(ctx, func() error {
		_, err := c.Apply(ctx, client.Definitions{Files: []client.File{{Name: "shop.yaml", Text: definition}}})
		return err
	})
	if err != nil {
		return err
	}
	for _, view := range []string{"payments", "spend", "cards"} {
		var rows []map[string]any
		for at := range good {
			rows = append(rows, windowRows(view, at, 1)...)
		}
		pushed, err := c.Push(ctx, view, rows)
		if err != nil {
			return err
		}
		if pushed.Sent != len(rows) || len(pushed.Windows) != good {
			return fmt.Errorf("pushed to %s: %+v, want %d rows of %d windows", view, pushed, len(rows), good)
		}
		if err := judged(ctx, c, view, "", good, good); err != nil {
			return err
		}
	}
	return nil
}

// judged closes windows before that of number, waits for want verdicts behind a place and until reads
// show what was decided: servers follow within their lease of a second.
func judged(ctx context.Context, c *client.Client, view, after string, number, want int) error {
	if err := c.Watermark(ctx, view, begin.Add(time.Duration(number)*size+10*time.Second)); err != nil {
		return err
	}
	for range want {
		v, next, err := c.WaitVerdict(ctx, view, after)
		if err != nil {
			return err
		}
		if v.View != view || next == after {
			return fmt.Errorf("verdict %+v of %s, place %q behind %q", v, view, next, after)
		}
		after = next
	}
	return settle(ctx, c, view)
}

func settle(ctx context.Context, c *client.Client, view string) error {
	key := client.Key{"user": "u1"}
	if view == "cards" {
		key["card"] = 1
	}
	return until(ctx, func() error {
		versions, err := c.Versions(ctx, view)
		if err != nil {
			return err
		}
		rows, err := c.Rows(ctx, client.Request{View: view, Keys: []client.Key{key}})
		if err != nil {
			return err
		}
		if p := rows.Provenance[view]; p.Generation < versions.Generation {
			return fmt.Errorf("generation %d of %s is served, %d is decided", p.Generation, view, versions.Generation)
		}
		return nil
	})
}

// until tries again until fn succeeds; its last error once ctx ends.
func until(ctx context.Context, fn func() error) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := fn()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

// dial returns a client that ends with the test.
func dial(t *testing.T, config client.Config) *client.Client {
	t.Helper()
	c, err := client.Dial(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func keysOf(n int) []client.Key {
	keys := make([]client.Key, n)
	for i := range keys {
		keys[i] = client.Key{"user": fmt.Sprintf("u%d", i%users)}
	}
	return keys
}
