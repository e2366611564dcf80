//go:build services

package yardstick

import (
	"context"
	"flag"
	"slices"
	"testing"
	"time"

	"sluice/internal/load"
)

var (
	soakTime    = flag.Duration("serve.soak", 20*time.Second, "measured time of BenchmarkServeSoak, after a tenth of it to warm up")
	soakRate    = flag.Float64("serve.soak_rate", 500, "its requests a second; 0: as many as 64 connections in a closed loop get")
	soakClients = flag.Int("serve.soak_clients", 64, "its connections")
)

// A server whose memory is steady may have so much more resident in the last third of the
// time than in the first: its collector's heap goes up and down.
const (
	soakShare = .1
	soakBytes = 8 << 20
)

// BenchmarkServeSoak reads for long and wants the server's memory to stay what it was after
// the warm-up. It reports how much grows in an hour, by least squares over all samples.
func BenchmarkServeSoak(b *testing.B) {
	on := newBench(b)
	requests, err := question(5).Encode(load.GRPC, 512, 3)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		c := start(b, kindSluice, on.addr)
		config := load.Config{Address: c.GRPC, Protocol: load.GRPC, Clients: *soakClients, Rate: *soakRate, Warmup: *soakTime / 10, Duration: *soakTime, Requests: requests}
		begin, done := make(chan struct{}), make(chan struct{})
		config.Begin = func() { close(begin) }
		var report *load.Report
		go func() {
			defer close(done)
			report, err = load.Run(context.Background(), config)
		}()
		select {
		case <-begin:
		case <-done:
		}
		before := c.tell("stat")
		var at, rss []float64 // seconds, bytes
		begun, tick := time.Now(), time.NewTicker(*soakTime/120)
		for running := true; running; {
			select {
			case <-done:
				running = false
			case <-tick.C:
				at, rss = append(at, time.Since(begun).Seconds()), append(rss, float64(c.tell("stat").RSS))
			}
		}
		tick.Stop()
		if err != nil || report.Answered() == 0 || len(rss) < 30 {
			b.Fatalf("%d samples, %+v, %v", len(rss), report, err)
		}
		used := c.tell("stat").CPU - before.CPU
		first, last := middle(rss[:len(rss)/3]), middle(rss[len(rss)-len(rss)/3:])
		// A machine with much other work turns reads away; what that keeps counts here too.
		b.Logf("%d answers, %d failed, %d unanswered (%q), %.0f/s, p50 %s p99 %s max %s, %.0f µs of processor a request; resident %.1f MiB in the first third, %.1f in the last, at most %.1f; load average %.1f",
			report.Answered(), report.Failed, report.Unanswered, report.Errors, report.PerSecond(), report.Latency.Quantile(.5), report.Latency.Quantile(.99), report.Latency.Max(), micros(used)/float64(report.Answered()),
			first/(1<<20), last/(1<<20), slices.Max(rss)/(1<<20), loadAverage())
		b.ReportMetric(slope(at, rss)*3600/(1<<20), "MiB/hour")
		b.ReportMetric(last/(1<<20), "MiB")
		b.ReportMetric(float64(report.Failed+report.Unanswered), "failed")
		b.ReportMetric(0, "ns/op")
		if last > first*(1+soakShare)+soakBytes {
			b.Errorf("the server has %.1f MiB resident in the last third of %s and had %.1f in the first", last/(1<<20), *soakTime, first/(1<<20))
		}
	}
}

func middle(list []float64) float64 {
	list = slices.Sorted(slices.Values(list))
	return list[len(list)/2]
}

// slope is that of the line through (x, y) with the least squares.
func slope(x, y []float64) float64 {
	var mx, my, xy, xx float64
	for i := range x {
		mx, my = mx+x[i]/float64(len(x)), my+y[i]/float64(len(x))
	}
	for i := range x {
		xy, xx = xy+(x[i]-mx)*(y[i]-my), xx+(x[i]-mx)*(x[i]-mx)
	}
	return xy / xx
}
