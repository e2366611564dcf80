//go:build unix

package client_test

import (
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	feasttypes "sluice/api/feast/types"
	sluicev1 "sluice/api/sluice/v1"
	"sluice/client"
)

var benchFeatures = []string{"amount", "visits", "country", "known", "share"}

// processor reports the processor time of this process an operation, user and system; the
// platform is another process.
func processor(b *testing.B) func() {
	spent := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	begun := spent()
	return func() { b.ReportMetric(float64((spent()-begun).Nanoseconds())/1e3/float64(b.N), "cpu-µs/op") }
}

// BenchmarkStub reads as the generated stub does, which decodes into messages only: the yardstick.
func BenchmarkStub(b *testing.B) {
	for _, n := range []int{1, 100} {
		b.Run(fmt.Sprintf("keys=%d", n), func(b *testing.B) {
			conn, err := grpc.NewClient(os.Getenv("SLUICE_GRPC"), grpc.WithTransportCredentials(insecure.NewCredentials()))
			if err != nil {
				b.Fatal(err)
			}
			defer conn.Close()
			reads := sluicev1.NewFeatureServiceClient(conn)
			defer processor(b)()
			for b.Loop() {
				refs := make([]string, len(benchFeatures))
				for i, f := range benchFeatures {
					refs[i] = "payments:" + f
				}
				column := make([]*feasttypes.Value, n)
				for i := range column {
					column[i] = &feasttypes.Value{Val: &feasttypes.Value_StringVal{StringVal: fmt.Sprintf("u%d", i)}}
				}
				answer, err := reads.GetFeatures(b.Context(), &sluicev1.GetFeaturesRequest{
					What: &sluicev1.GetFeaturesRequest_Features{Features: &sluicev1.FeatureRefs{Val: refs}},
					Keys: map[string]*feasttypes.RepeatedValue{"user": {Val: column}},
				})
				if err != nil || len(answer.GetViews()[0].GetColumns()) != len(refs) {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRows(b *testing.B) {
	for _, n := range []int{1, 100} {
		for name, keep := range map[string]client.Keep{"asked": {}, "kept": {Rows: 1000, Fresh: time.Hour}} {
			b.Run(fmt.Sprintf("keys=%d/%s", n, name), func(b *testing.B) {
				c, err := client.Dial(client.Config{Keep: keep})
				if err != nil {
					b.Fatal(err)
				}
				defer c.Close()
				defer processor(b)()
				for b.Loop() {
					rows, err := c.Rows(b.Context(), client.Request{View: "payments", Features: benchFeatures, Keys: keysOf(n)})
					if err != nil || len(rows.Rows) != n {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkBatch reads single keys from many goroutines, each by itself or together.
func BenchmarkBatch(b *testing.B) {
	for name, batch := range map[string]client.Batch{"alone": {}, "together": {Window: 500 * time.Microsecond}} {
		b.Run(name, func(b *testing.B) {
			c, err := client.Dial(client.Config{Batch: batch, Timeout: time.Minute})
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			defer processor(b)()
			b.SetParallelism(50)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := c.Row(b.Context(), client.Request{View: "payments", Features: benchFeatures, Keys: keysOf(1)}); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
