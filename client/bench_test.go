package client_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	feasttypes "sluice/api/feast/types"
	sluicev1 "sluice/api/sluice/v1"
	"sluice/client"
)

var benchFeatures = []string{"amount", "visits", "country", "known", "share"}

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
