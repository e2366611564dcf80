package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"sluice/cmd/sluice/app"
	"sluice/internal/probe"
)

// wallPlatform runs the platform on the wall clock.
func wallPlatform(t *testing.T) {
	t.Helper()
	cfg := app.DefaultConfig()
	cfg.Data = t.TempDir()
	cfg.Listen = app.ListenConfig{HTTP: "127.0.0.1:0", GRPC: "127.0.0.1:0", Kafka: "127.0.0.1:0"}
	a, err := app.New(t.Context(), cfg, app.Options{Target: "all", Clock: "wall", Version: "dev", NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("platform: %v", err)
		}
	})
	t.Setenv("SLUICE_SERVER", "http://"+a.Addrs().HTTP)
	t.Setenv("USER", "eve")
	eventually(t, a.Ready)
}

// The real gate catches both kinds of planted fault, and no reader sees one.
func TestProbeOfThePlatform(t *testing.T) {
	wallPlatform(t)
	i := session{t}
	define := &installation{t: t}
	define.define() // the probe's view comes beside others
	out := i.run(0, "probe --window 1s --fault-every 2 --duration 8s --read-every 20ms --listen 127.0.0.1:0 --format json", "!metrics on http://127.0.0.1:", "!fault (nulls): blocked, fail, reject", "!fault (shift): blocked, fail, reject")
	var r probe.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil || r.Windows != 8 || r.Faults != 4 || r.Caught != 4 || r.BadReads != 0 || r.Reads < 100 || r.FailedReads != 0 || r.VerdictMax <= 0 {
		t.Errorf("report = %s (%v), want four faults caught and good reads only", out, err)
	}
	i.run(0, "views", "payments", "probe")
	i.run(0, "audit", "sluice probe")
	i.run(1, "probe --window 2s --fault-every 2 --duration 8s", "!the view probe has windows of 1s")
}

func TestProbeRefuses(t *testing.T) {
	platform(t)
	s := session{t}
	s.run(1, "probe --duration 1h", "!it must be the wall")
	s.run(2, "probe --duration 1m", "!want at least 12m0s")
	s.run(2, "probe --window 10ms", "!want 1s to 24h")
	s.run(2, "probe --fault-every 1", "!want 2 or more")
	s.run(2, "probe --read-every 0s", "!want 10ms or more")
	s.run(2, "probe --listen 0.0.0.0:1", "!reachable from other machines")
}

// The metrics of a probe are there for whoever scrapes it.
func TestProbeMetrics(t *testing.T) {
	wallPlatform(t)
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	reader, writer := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- execute(ctx, strings.Fields("probe --window 1s --listen 127.0.0.1:0"), io.Discard, writer)
		writer.Close()
	}()
	line := make([]byte, 200)
	n, err := reader.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, reader) }() // ends with the command
	address := strings.TrimSpace(strings.TrimPrefix(string(line[:n]), "metrics on "))
	eventually(t, func() error {
		resp, err := http.Get(address)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err == nil && !strings.Contains(string(text), `sluice_probe_windows_total{kind="good",outcome="published"} 1`) {
			err = io.ErrUnexpectedEOF
		}
		return err
	})
	cancel()
	if code := <-ended; code != 0 {
		t.Errorf("a probe that was stopped ended with %d, want 0", code)
	}
}
