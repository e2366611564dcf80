//go:build services

package tap

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"sluice/feature"
	"sluice/store/redis"
	"sluice/test/services"
)

// rounds is how often each way of BenchmarkTapOfServers is run, in turns, so that
// what else the machine does falls on all of them.
const rounds = 5

// BenchmarkTapOfServers reads the same records of ten features from Kafka in four
// ways, in turns: a franz-go consumer that decodes them with encoding/json; the tap,
// profiling only; a pipeline of go-redis that sets the same rows by HSET and reads
// nothing; and the tap that stages them into Redis. It reports writes per second, the
// median of the rounds, and two ratios: profiling to the consumer, and staging to the
// slower of consumer and pipeline.
func BenchmarkTapOfServers(b *testing.B) {
	for _, entities := range []int{10_000, 1_000_000} { // many writes of an entity, and hardly two
		b.Run(fmt.Sprint("entities=", entities), func(b *testing.B) { tapOfServers(b, wideRecords(benchWrites, entities)) })
	}
}

func tapOfServers(b *testing.B, records [][]byte) {
	set := services.Start(b, "kafka", "redis")
	log := serverLog(b, set, records)
	client := goredis.NewClient(&goredis.Options{Addr: set.Redis()[0], Protocol: 2, ReadTimeout: time.Minute})
	b.Cleanup(func() { _ = client.Close() })
	prefix := services.Name(b)[:8] + ":"
	b.Cleanup(func() { unlink(b, client, prefix) })
	store := serverRows(b, set, prefix)
	rows := rowsOfRecords(b, records)
	n := 0
	tap := func(rows Rows) {
		n++
		consumeTap(b, log, wide(), rows, fmt.Sprint(log.cfg.Topics.Profiles, n))
	}
	ways := []struct {
		name string
		run  func()
	}{
		{"consumer", func() { consumeJSON(b, log) }},
		{"profiling", func() { tap(nil) }},
		{"pipeline", func() { pipeline(b, client, prefix+fmt.Sprint("raw", n, ":"), rows) }},
		{"staging", func() { tap(store) }},
	}
	rates := map[string][]float64{} // writes per second
	for b.Loop() {
		for range rounds {
			for _, way := range ways {
				runtime.GC()
				began := time.Now()
				way.run()
				rates[way.name] = append(rates[way.name], benchWrites/time.Since(began).Seconds())
			}
		}
	}
	median := map[string]float64{}
	for name, all := range rates {
		slices.Sort(all)
		median[name] = all[len(all)/2]
		b.ReportMetric(median[name], name+"-writes/s")
	}
	b.ReportMetric(median["profiling"]/median["consumer"], "profiling/consumer")
	b.ReportMetric(median["staging"]/min(median["consumer"], median["pipeline"]), "staging/slower")
	b.ReportMetric(0, "ns/op")
}

// serverLog writes the benchmark's records to topics of its own.
func serverLog(b *testing.B, set *services.Set, records [][]byte) *Log {
	b.Helper()
	name := services.Name(b)
	topics := Topics{Writes: name + "_w", Profiles: name + "_p", DeadLetters: name + "_d", Partitions: 2}
	log, err := NewLog(LogConfig{Brokers: set.Brokers(), Topics: topics})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = log.Close() })
	if err := log.EnsureTopics(b.Context()); err != nil {
		b.Fatal(err)
	}
	fill(b, log, records)
	return log
}

// unlink removes every key with a prefix.
func unlink(b *testing.B, client *goredis.Client, prefix string) {
	b.Helper()
	ctx := context.WithoutCancel(b.Context())
	for keys := client.Scan(ctx, 0, prefix+"*", 1000).Iterator(); keys.Next(ctx); {
		if err := client.Unlink(ctx, keys.Val()).Err(); err != nil {
			b.Error(err)
			return
		}
	}
}

// serverRows is the store of the benchmark, in keys of its own.
func serverRows(b *testing.B, set *services.Set, prefix string) *redis.Store {
	b.Helper()
	c := redis.DefaultConfig()
	c.Addrs, c.Prefix = set.Redis()[:1], prefix
	store, err := redis.Open(b.Context(), redis.Options{Config: c})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = store.Close() })
	return store
}

// rowsOfRecords is what the tap stages of the records.
func rowsOfRecords(b *testing.B, records [][]byte) []feature.Row {
	b.Helper()
	view := wide()
	v := newDecoder(&view)
	var in reading
	rows := make([]feature.Row, len(records))
	for i, record := range records {
		if _, bad := in.readEnvelope(record, func(string) *decoder { return v }); bad != nil {
			b.Fatal(bad)
		}
		rows[i] = feature.Row{Key: in.write.Key, Record: feature.Record{
			Version: 1, EventTime: in.write.EventTime.UnixNano(), Seq: uint64(i), Row: feature.AppendRow(nil, &view, in.write.Values),
		}}
	}
	return rows
}

// pipeline sets each row by HSET, two at a time as the tap has two partitions.
func pipeline(b *testing.B, client *goredis.Client, prefix string, rows []feature.Row) {
	const size = 1000
	var ends sync.WaitGroup
	for half := range slices.Chunk(rows, len(rows)/2) {
		ends.Go(func() {
			for some := range slices.Chunk(half, size) {
				p := client.Pipeline()
				for i := range some {
					p.HSet(context.Background(), prefix+string(some[i].Key), "1", feature.AppendRecord(nil, some[i].Record))
				}
				if _, err := p.Exec(context.Background()); err != nil {
					b.Error(err)
				}
			}
		})
	}
	ends.Wait()
}
