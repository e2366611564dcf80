package embedded_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"sluice/feature"
	"sluice/store/embedded"
)

const entities = 100_000

// filled opens a synced store of entities with a row of 80 bytes in each of the
// given number of versions.
func filled(b *testing.B, versions int) (*embedded.Store, []feature.Key) {
	b.Helper()
	s, err := embedded.Open(embedded.Options{Path: b.TempDir(), Sync: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	keys := make([]feature.Key, entities)
	for i := range keys {
		keys[i] = feature.Key(fmt.Sprintf("\x0a\x12\x08user%06d", i))
	}
	for v := 1; v <= versions; v++ {
		fill(b, s, keys, feature.Version(v))
	}
	return s, keys
}

func fill(b *testing.B, s *embedded.Store, keys []feature.Key, version feature.Version) {
	b.Helper()
	for i := 0; i < len(keys); i += 1000 {
		if _, err := s.Stage(context.Background(), 1, version, rows(keys[i:min(i+1000, len(keys))], version)); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Sync(context.Background()); err != nil {
		b.Fatal(err)
	}
}

func rows(keys []feature.Key, version feature.Version) []feature.Row {
	list := make([]feature.Row, len(keys))
	for i := range list {
		list[i] = feature.Row{Key: keys[i], Record: feature.Record{EventTime: int64(version), Seq: uint64(i), Row: make([]byte, 80)}}
	}
	return list
}

// BenchmarkRead reads random entities into the memory of the call before.
func BenchmarkRead(b *testing.B) {
	for _, versions := range []int{1, 3} {
		s, keys := filled(b, versions)
		for _, n := range []int{1, 100} {
			b.Run(fmt.Sprintf("versions=%d/keys=%d", versions, n), func(b *testing.B) {
				rng := rand.New(rand.NewPCG(1, 2))
				asked := make([]feature.Key, n)
				var dst [][]feature.Record
				var err error
				b.ReportAllocs()
				for b.Loop() {
					for i := range asked {
						asked[i] = keys[rng.IntN(len(keys))]
					}
					if dst, err = s.Read(context.Background(), 1, asked, dst); err != nil || len(dst[0]) != versions {
						b.Fatalf("%d records, %v", len(dst[0]), err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/key")
			})
		}
	}
}

// BenchmarkStage stages rows of entities that have another version already.
func BenchmarkStage(b *testing.B) {
	for _, n := range []int{100, 1000} {
		b.Run(fmt.Sprintf("rows=%d", n), func(b *testing.B) {
			s, keys := filled(b, 1)
			version, at := feature.Version(2), 0
			b.ReportAllocs()
			for b.Loop() {
				if at+n > len(keys) {
					version, at = version+1, 0
				}
				if _, err := s.Stage(context.Background(), 1, version, rows(keys[at:at+n], version)); err != nil {
					b.Fatal(err)
				}
				at += n
			}
			b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// BenchmarkFold folds a version of a tenth of the entities, and drops one as large.
func BenchmarkFold(b *testing.B) {
	s, keys := filled(b, 1)
	part := keys[:entities/10]
	for v := feature.Version(2); b.Loop(); v += 2 {
		fill(b, s, part, v)
		fill(b, s, part, v+1)
		if n, err := s.Fold(context.Background(), 1, v, nil, []feature.Version{v}); n != len(part) || err != nil {
			b.Fatalf("Fold = %d, %v", n, err)
		}
		if n, err := s.Drop(context.Background(), 1, v+1); n != len(part) || err != nil {
			b.Fatalf("Drop = %d, %v", n, err)
		}
	}
}
