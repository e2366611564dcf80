//go:build services

package main

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sluice/cmd/sluice/app"
	"sluice/test/services"
)

const (
	goneRounds = 5  // freezes; after 200 ms of silence a frozen store is asked once in 100 ms
	goneReads  = 50 // reads of a round whose clients hang up
)

// TestHangUpWhileFrozen freezes the Redis of the online store while clients have asked for
// rows of it, and has most of them hang up. Their reads are given up, which is counted, and
// give their places back; those who stay are told so once the read's deadline is over; and
// all is as before once the store is back.
func TestHangUpWhileFrozen(t *testing.T) {
	own := services.Own(t, "redis")
	i := install(t, func(cfg *app.Config) { cfg.Redis.Addrs = own.Redis()[:1] })
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "payments.yaml"), []byte(strings.Replace(paymentsYAML, "rules: rules.yaml\n", "", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	s := session{t}
	s.run(0, "apply -f "+dir)
	s.run(0, "push payments "+rows(t, dir, "0.jsonl", 0, func(n int) float64 { return float64(n % 7) })+" --seal --wait")
	i.served("get payments user=000,card=0", "2024-01-01T00:00:00Z")
	nodes, err := own.Nodes(t.Context())
	if err != nil || len(nodes) != 1 {
		t.Fatalf("nodes %v, %v, want the one server", nodes, err)
	}
	var free []time.Duration
	for range goneRounds {
		if err := own.Pause(t.Context(), "redis", nodes[0].Name); err != nil {
			t.Fatal(err)
		}
		free = append(free, hangUp(t))
		if err := own.Resume(t.Context(), "redis", nodes[0].Name); err != nil {
			t.Fatal(err)
		}
		eventually(t, func() error {
			if code, text := readOnline(t, `"payments:amount"`); code != http.StatusOK || strings.Count(text, `"PRESENT"`) != 3 {
				return fmt.Errorf("%d %s", code, text)
			}
			return nil
		})
	}
	slices.Sort(free)
	gone := gauge(t, `sluice_serve_http1_left_total{reason="gone"}`)
	t.Logf("%g of %d reads were given up; from hanging up to the last place that is free: %v", gone, goneRounds*goneReads, free)
	// The others were over before they were looked at twice, which takes up to 40 ms of their 100.
	if gone < goneRounds*goneReads/5 {
		t.Errorf("%g of %d reads were given up", gone, goneRounds*goneReads)
	}
}

// hangUp has reads wait for the store, all but one of whose clients leave, and returns how
// long it took from then until no read was at work, the one that stays apart.
func hangUp(t *testing.T) time.Duration {
	t.Helper()
	const body = `{"features":["payments:amount"],"entities":{"user":["000"],"card":[0]}}`
	var clients []net.Conn
	for range goneReads + 1 {
		c, err := net.Dial("tcp", strings.TrimPrefix(os.Getenv("SLUICE_SERVER"), "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		clients = append(clients, c)
	}
	for _, c := range clients {
		if _, err := fmt.Fprintf(c, "POST /get-online-features HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(body), body); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range clients[1:] {
		c.Close()
	}
	begun := time.Now()
	eventually(t, func() error {
		if n := gauge(t, `sluice_serve_concurrency{state="running"}`); n > 1 {
			return fmt.Errorf("%g reads are at work", n)
		}
		return nil
	})
	took := time.Since(begun)
	answer, err := http.ReadResponse(bufio.NewReader(clients[0]), nil)
	if err != nil {
		t.Fatalf("who stays: %v", err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusServiceUnavailable { // nothing that it asked for could be read
		t.Errorf("who stays is answered with %d", answer.StatusCode)
	}
	return took
}

// gauge returns the value of a series.
func gauge(t *testing.T, series string) float64 {
	t.Helper()
	name, _, _ := strings.Cut(series, "{")
	for line := range strings.Lines(metric(t, name)) {
		if rest, ok := strings.CutPrefix(line, series+" "); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("there is no series %s", series)
	return 0
}
