package serving

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"sluice/feature"
	"sluice/store/embedded"
)

const benchEntities = 10_000

// benchServer is a server over the embedded store with two versions of view
// users, 10,000 entities each. Reads are counted by version and by feature and sampled,
// as the platform has it.
func benchServer(b testing.TB, change ...func(*Config, *Deps)) *fixture {
	b.Helper()
	store, err := embedded.Open(embedded.Options{Path: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := store.Close(); err != nil {
			b.Error(err)
		}
	})
	f := newFixture(b, func(c *Config, d *Deps) {
		d.Rows, d.Version = store, nil
		d.Exposed = func(context.Context, uint64, []feature.Exposure) error { return nil }
		d.Readers = func(context.Context, []feature.Readership) error { return nil }
		d.Served = func(context.Context, []feature.ServedRow) error { return nil }
		c.Grace = time.Hour // the snapshot is not renewed here
		for _, fn := range change {
			fn(c, d)
		}
	})
	v, rng := f.registry.defs.View("users"), rand.New(rand.NewPCG(1, 2))
	for version := feature.Version(1); version <= 2; version++ {
		rows := make([]feature.Row, benchEntities)
		for i := range rows {
			key, err := feature.NewKey(v, user(fmt.Sprintf("u%d", i)))
			if err != nil {
				b.Fatal(err)
			}
			var row []byte
			row = feature.AppendRow(row, v, []feature.Value{float(rng.Float64()), float(rng.Float64()), float(rng.Float64()), float(rng.Float64()), float(rng.Float64())})
			rows[i] = feature.Row{Key: key, Record: feature.Record{EventTime: ago(time.Minute).UnixNano() + int64(version), Seq: uint64(i), Row: row}}
		}
		if _, err := store.Stage(b.Context(), v.ID, version, rows); err != nil {
			b.Fatal(err)
		}
	}
	f.registry.vectors[v.ID] = feature.Vector{Generation: 4, Floor: 1, Visible: []feature.Version{2}}
	f.renew(b)
	ctx, stop := context.WithCancel(b.Context())
	done := make(chan struct{})
	go func() { defer close(done); f.report.Run(ctx) }()
	b.Cleanup(func() { stop(); <-done })
	return f
}

var benchRefs = []string{"users:f00", "users:f01", "users:f02", "users:f03", "users:f04"}

// benchWire are requests for n random entities each.
func benchWire(n int) [][]byte {
	rng, out := rand.New(rand.NewPCG(3, 4)), make([][]byte, 64)
	for i := range out {
		ids := make([]string, n)
		for j := range ids {
			ids[j] = fmt.Sprintf("u%d", rng.IntN(benchEntities))
		}
		out[i], _ = proto.Marshal(feastRequest(columnsOf{"user_id": texts(ids...)}, benchRefs...))
	}
	return out
}

func benchJSON(n int) []string {
	rng, out := rand.New(rand.NewPCG(3, 4)), make([]string, 64)
	for i := range out {
		ids := make([]string, n)
		for j := range ids {
			ids[j] = fmt.Sprintf("%q", fmt.Sprintf("u%d", rng.IntN(benchEntities)))
		}
		out[i] = fmt.Sprintf(`{"features": ["%s"], "entities": {"user_id": [%s]}, "full_feature_names": false}`, strings.Join(benchRefs, `", "`), strings.Join(ids, ", "))
	}
	return out
}

// BenchmarkAnswer is what serving itself does, without a transport: bytes in,
// bytes out.
func BenchmarkAnswer(b *testing.B) {
	for _, entities := range []int{1, 100} {
		b.Run(fmt.Sprintf("form=feast_grpc/entities=%d", entities), func(b *testing.B) {
			f, in, i := benchServer(b), benchWire(entities), 0
			b.ReportAllocs()
			for b.Loop() {
				buffer, err := f.readWire(context.Background(), in[i%len(in)], false)
				if err != nil {
					b.Fatal(err)
				}
				buffer.Free()
				i++
			}
		})
		b.Run(fmt.Sprintf("form=feast_http/entities=%d", entities), func(b *testing.B) {
			f, in, i := benchServer(b), benchJSON(entities), 0
			var out []byte
			b.ReportAllocs()
			for b.Loop() {
				q := newQuery()
				if err := f.readFeast(context.Background(), q, []byte(in[i%len(in)])); err != nil {
					b.Fatal(err)
				}
				out = q.appendFeastJSON(out[:0])
				q.release()
				i++
			}
		})
	}
}

// BenchmarkReaders is what it costs a read to be counted by feature: the same server with
// and without.
func BenchmarkReaders(b *testing.B) {
	for _, entities := range []int{1, 100} {
		for _, counted := range []bool{false, true} {
			b.Run(fmt.Sprintf("entities=%d/counted=%v", entities, counted), func(b *testing.B) {
				f := benchServer(b, func(_ *Config, d *Deps) {
					if !counted {
						d.Readers = nil
					}
				})
				in, i := benchWire(entities), 0
				b.ReportAllocs()
				for b.Loop() {
					buffer, err := f.readWire(context.Background(), in[i%len(in)], false)
					if err != nil {
						b.Fatal(err)
					}
					buffer.Free()
					i++
				}
			})
		}
	}
}
