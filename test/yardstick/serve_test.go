//go:build services

package yardstick

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"sluice/internal/load"
	"sluice/test/services"
)

var (
	rounds   = flag.Int("serve.rounds", 3, "turns of each server")
	seconds  = flag.Duration("serve.time", 3*time.Second, "measured time of a turn")
	profiles = flag.String("serve.profiles", "", "folder for a CPU profile of each turn of Sluice")
)

// turn is what one turn of a server showed.
type turn struct {
	report  *load.Report
	cpu     float64 // µs of the server a request
	redis   float64 // µs of Redis a request
	allocs  float64 // objects of the server a request
	bytes   float64
	machine float64 // load average
}

// bench is a Redis and what asks.
type bench struct {
	addr  string
	admin *goredis.Client
}

func newBench(t testing.TB) *bench {
	t.Helper()
	b := &bench{addr: services.Own(t, "redis").Redis()[0]}
	b.admin = goredis.NewClient(&goredis.Options{Addr: b.addr, Protocol: 2})
	t.Cleanup(func() { b.admin.Close() })
	if err := fill(context.Background(), b.addr); err != nil {
		t.Fatal(err)
	}
	return b
}

// redisCPU is the processor time that Redis has used.
func (b *bench) redisCPU(t testing.TB) time.Duration {
	text, err := b.admin.Info(context.Background(), "cpu").Result()
	if err != nil {
		t.Fatal(err)
	}
	total := 0.0
	for line := range strings.SplitSeq(text, "\r\n") {
		name, value, _ := strings.Cut(line, ":")
		if name == "used_cpu_user" || name == "used_cpu_sys" {
			f, err := strconv.ParseFloat(value, 64)
			if err != nil {
				t.Fatal(err)
			}
			total += f
		}
	}
	return time.Duration(total * float64(time.Second))
}

// loadAverage is that of the last minute; 0 where there is none.
func loadAverage() (one float64) {
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		_, _ = fmt.Sscan(string(text), &one)
	}
	return one
}

// turn asks c as config says and measures both.
func (b *bench) turn(t testing.TB, c *child, config load.Config, profile string) turn {
	t.Helper()
	config.Address = c.GRPC
	if config.Protocol == load.HTTP {
		config.Address = c.HTTP
	}
	var before, after stat
	var redisBefore, redisAfter time.Duration
	begin := "stat"
	if profile != "" {
		begin = "profile " + profile
	}
	config.Begin = func() { redisBefore, before = b.redisCPU(t), c.tell(begin) }
	config.End = func() { after, redisAfter = c.tell("end"), b.redisCPU(t) }
	report, err := load.Run(context.Background(), config)
	if err != nil {
		t.Fatalf("%s: %v", c.kind, err)
	}
	if report.Failed > 0 || report.Unanswered > 0 || report.Answered() == 0 {
		t.Fatalf("%s: %d answered, %d failed, %d unanswered: %q", c.kind, report.Answered(), report.Failed, report.Unanswered, report.Errors)
	}
	n := float64(report.Answered())
	return turn{
		report: report, machine: loadAverage(), cpu: micros(after.CPU-before.CPU) / n, redis: micros(redisAfter-redisBefore) / n,
		allocs: float64(after.Mallocs-before.Mallocs) / n, bytes: float64(after.Bytes-before.Bytes) / n,
	}
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }

// BenchmarkServe asks every server in turns and reports Sluice's processor time a
// request, and its ratio to the yardstick's and to the echo's, as medians of the
// rounds.
func BenchmarkServe(b *testing.B) {
	on := newBench(b)
	kinds := map[string]*child{}
	for _, kind := range []string{kindSluice, kindPlain, kindEcho, kindGo} {
		kinds[kind] = start(b, kind, on.addr)
	}
	for _, c := range []struct {
		protocol load.Protocol
		entities int
		clients  int
	}{{load.GRPC, 1, 64}, {load.GRPC, 100, 64}, {load.HTTP, 1, 64}, {load.HTTP, 100, 64}, {load.GRPC, 1, 1}} {
		b.Run(fmt.Sprintf("over=%s/entities=%d/clients=%d", c.protocol, c.entities, c.clients), func(b *testing.B) {
			requests, err := question(c.entities).Encode(c.protocol, 512, 3)
			if err != nil {
				b.Fatal(err)
			}
			config := load.Config{Protocol: c.protocol, Clients: c.clients, Warmup: time.Second, Duration: *seconds, Requests: requests}
			names := []string{kindSluice, kindPlain, kindEcho, kindGo}
			turns := map[string][]turn{}
			for b.Loop() {
				for round := range *rounds {
					for _, name := range names {
						profile := ""
						if *profiles != "" && name == kindSluice {
							profile = filepath.Join(*profiles, fmt.Sprintf("%s-%d-%d-%d.pprof", c.protocol, c.entities, c.clients, round))
						}
						turns[name] = append(turns[name], on.turn(b, kinds[name], config, profile))
					}
				}
			}
			tell(b, names, turns)
		})
	}
}

// tell reports the medians of the turns.
func tell(b *testing.B, names []string, turns map[string][]turn) {
	cpu := func(t turn) float64 { return t.cpu }
	sluice := median(turns[kindSluice], cpu)
	for _, name := range names {
		list := turns[name]
		p := func(q float64) float64 {
			return median(list, func(t turn) float64 { return micros(t.report.Latency.Quantile(q)) / 1e3 })
		}
		made := ""
		if name != kindFeast { // its interpreter does not tell
			made = fmt.Sprintf("%5.1f allocations, %6.0f bytes; ", median(list, func(t turn) float64 { return t.allocs }), median(list, func(t turn) float64 { return t.bytes }))
		}
		b.Logf("%-7s %6.1f µs a request (%.1f to %.1f), %sRedis %5.1f µs; %6.0f requests/s, p50 %.2f p95 %.2f p99 %.2f ms; load average %.1f",
			name, median(list, cpu), slices.MinFunc(list, byCPU).cpu, slices.MaxFunc(list, byCPU).cpu, made,
			median(list, func(t turn) float64 { return t.redis }), median(list, func(t turn) float64 { return t.report.PerSecond() }),
			p(.5), p(.95), p(.99), list[len(list)-1].machine)
		if name != kindSluice {
			b.ReportMetric(sluice/median(list, cpu), "x-"+name)
		}
	}
	b.ReportMetric(sluice, "server-cpu-µs/req")
	b.ReportMetric(median(turns[kindSluice], func(t turn) float64 { return t.allocs }), "allocs/req")
	b.ReportMetric(0, "ns/op")
}

func byCPU(a, b turn) int { return cmp.Compare(a.cpu, b.cpu) }

func median(list []turn, of func(turn) float64) float64 {
	values := make([]float64, len(list))
	for i, t := range list {
		values[i] = of(t)
	}
	slices.Sort(values)
	return values[len(values)/2]
}
