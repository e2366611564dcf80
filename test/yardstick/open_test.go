//go:build services

package yardstick

import (
	"flag"
	"fmt"
	"testing"
	"time"

	"sluice/internal/load"
)

var (
	openClients = flag.Int("open.clients", 10_000, "connections of BenchmarkServeOpen")
	openRate    = flag.Float64("open.rate", 5000, "its requests a second")
	openWarmup  = flag.Duration("open.warmup", 10*time.Second, "its warm-up, in which the connections are set up")
	openTime    = flag.Duration("open.time", 6*time.Second, "its measured time")
)

// BenchmarkServeOpen has many connections open and offers a rate that is below what the
// server can do: latency is from the instant at which a request was due. It reports the
// medians of the rounds, beside an echo, and the memory of an idle connection.
func BenchmarkServeOpen(b *testing.B) {
	on := newBench(b)
	for _, protocol := range []load.Protocol{load.GRPC, load.HTTP} {
		b.Run(fmt.Sprintf("over=%s", protocol), func(b *testing.B) { on.open(b, protocol) })
	}
}

func (on *bench) open(b *testing.B, protocol load.Protocol) {
	requests, err := question(1).Encode(protocol, 512, 3)
	if err != nil {
		b.Fatal(err)
	}
	config := load.Config{Protocol: protocol, Clients: *openClients, Rate: *openRate, Warmup: *openWarmup, Duration: *openTime, Requests: requests}
	names := []string{kindSluice, kindEcho}
	turns := map[string][]turn{}
	for b.Loop() {
		for range *rounds {
			for _, name := range names {
				c := start(b, name, on.addr)
				before := c.tell("collect").RSS
				turns[name] = append(turns[name], on.turn(b, c, config, ""))
				// The connections have just been closed, and their memory is not given back yet.
				b.Logf("%-7s %5.1f KiB of memory more for each connection, under load", name, float64(c.tell("stat").RSS-before)/1024/float64(*openClients))
			}
		}
	}
	tell(b, names, turns)
	for _, q := range []struct {
		name  string
		share float64
	}{{"p50", .5}, {"p95", .95}, {"p99", .99}, {"max", 1}} {
		b.ReportMetric(median(turns[kindSluice], func(t turn) float64 { return micros(t.report.Latency.Quantile(q.share)) / 1e3 }), q.name+"-ms")
		b.ReportMetric(median(turns[kindEcho], func(t turn) float64 { return micros(t.report.Latency.Quantile(q.share)) / 1e3 }), "echo-"+q.name+"-ms")
	}
}
