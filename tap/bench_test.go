package tap

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/feature"
)

// wide is a view of ten features.
func wide() feature.View {
	v := feature.View{
		ID: 1, Project: "bench", Name: "wide", Entities: []feature.Entity{{Name: "id", Type: feature.String}},
		Window: feature.WindowSpec{Size: 5 * time.Minute, Lateness: 30 * time.Second},
	}
	for i := range 10 {
		f := feature.Feature{ID: uint32(i + 1), Name: fmt.Sprintf("feature_%d", i), Type: feature.Float64}
		if i >= 8 {
			f.Type = feature.String
		}
		v.Features = append(v.Features, f)
	}
	return v
}

// wideRecords makes n writes of some entities.
func wideRecords(n, entities int) [][]byte {
	rng := rand.New(rand.NewPCG(1, 2))
	records := make([][]byte, n)
	for i := range records {
		values := map[string]any{"feature_8": fmt.Sprint("city", rng.IntN(50)), "feature_9": fmt.Sprint("kind", rng.IntN(5))}
		for f := range 8 {
			values[fmt.Sprintf("feature_%d", f)] = rng.NormFloat64() * 100
		}
		at := day.Add(time.Duration(i) * 2 * time.Millisecond)
		records[i], _ = json.Marshal(map[string]any{
			"view": "wide", "key": map[string]any{"id": fmt.Sprint("entity-", rng.IntN(entities))},
			"event_time": at.Format(time.RFC3339Nano), "values": values,
		})
	}
	return records
}

// memoryRows is an online store that keeps rows in a map.
type memoryRows struct {
	mu   sync.Mutex
	rows map[feature.Key]feature.Record
}

func (m *memoryRows) Stage(_ context.Context, _ feature.ViewID, _ feature.Version, rows []feature.Row) (n uint64, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range rows {
		m.rows[rows[i].Key] = rows[i].Record
		n += uint64(len(rows[i].Record.Row))
	}
	return n, nil
}

func (m *memoryRows) Sync(context.Context) error { return nil }

// alwaysOpen is a registry that opens every window.
type alwaysOpen struct{}

func (alwaysOpen) OpenVersion(_ context.Context, _ *feature.View, w feature.Window, _ time.Time) (feature.VersionInfo, error) {
	return feature.VersionInfo{Version: feature.Version(w.Start.Unix()), Window: w, Step: feature.StepOpen}, nil
}

func (alwaysOpen) LeaveIdle(context.Context, string, int32, feature.ViewID) (uint64, error) {
	return 1, nil
}

const benchWrites = 100_000

func benchLog(b *testing.B) *Log {
	b.Helper()
	broker, err := StartBroker(BrokerConfig{Listen: "127.0.0.1:0"})
	if err != nil {
		b.Fatal(err)
	}
	topics := DefaultTopics()
	topics.Partitions = 2
	log, err := NewLog(LogConfig{Brokers: broker.Addrs(), Topics: topics})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = log.Close(); _ = broker.Close() })
	if err := log.EnsureTopics(b.Context()); err != nil {
		b.Fatal(err)
	}
	fill(b, log, wideRecords(benchWrites, 10_000))
	return log
}

// fill writes records to both partitions of the topic of writes.
func fill(b *testing.B, log *Log, records [][]byte) {
	b.Helper()
	for i := 0; i < len(records); i += 10_000 {
		out := make([]Out, 0, 10_000)
		for j := i; j < i+10_000; j++ {
			p := int32(j % 2)
			out = append(out, Out{Value: records[j], Partition: &p})
		}
		if _, err := log.Append(b.Context(), log.cfg.Topics.Writes, out); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkTap reads the same records through a plain franz-go consumer that
// decodes them with encoding/json, and through the tap: one that knows their view, and one
// that does not, which makes each a dead letter.
func BenchmarkTap(b *testing.B) {
	log := benchLog(b)
	b.Run("consumer=encoding_json", func(b *testing.B) {
		for b.Loop() {
			consumeJSON(b, log)
		}
		b.ReportMetric(float64(b.N)*benchWrites/b.Elapsed().Seconds(), "writes/s")
	})
	known, unknown := wide(), wide()
	unknown.Name = "narrow"
	n := 0
	for _, way := range []struct {
		name string
		view feature.View
		rows Rows
	}{{"profiling", known, nil}, {"staging", known, &memoryRows{rows: map[feature.Key]feature.Record{}}}, {"refusing", unknown, nil}} {
		b.Run("tap="+way.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				n++
				consumeTap(b, log, way.view, way.rows, fmt.Sprint("bench", n))
			}
			b.ReportMetric(float64(b.N)*benchWrites/b.Elapsed().Seconds(), "writes/s")
		})
	}
}

func consumeJSON(b *testing.B, log *Log) {
	client, err := kgo.NewClient(kgo.SeedBrokers(log.cfg.Brokers...), kgo.ConsumeTopics(log.cfg.Topics.Writes),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	for seen := 0; seen < benchWrites; {
		fetches := client.PollFetches(b.Context())
		fetches.EachRecord(func(r *kgo.Record) {
			var w struct {
				View      string         `json:"view"`
				Key       map[string]any `json:"key"`
				EventTime time.Time      `json:"event_time"`
				Values    map[string]any `json:"values"`
			}
			if err := json.Unmarshal(r.Value, &w); err != nil || len(w.Values) != 10 {
				b.Fatal(err)
			}
			seen++
		})
	}
}

// consumeTap reads both partitions from their start, each by its own goroutine,
// as Run does once the group has assigned them.
func consumeTap(b *testing.B, log *Log, view feature.View, rows Rows, name string) {
	defs := &feature.Definitions{Project: "bench", Views: []feature.View{view}}
	cfg := log.cfg
	cfg.Topics.Profiles = name
	fresh, err := NewLog(cfg)
	if err != nil {
		b.Fatal(err)
	}
	defer fresh.Close()
	if err := fresh.create(b.Context(), 2, nil, name); err != nil {
		b.Fatal(err)
	}
	var clock handClock
	clock.set(day.Add(time.Hour)) // set, as it is outside of replays: event times are held against it
	tap, err := New(DefaultConfig(), fresh, Deps{
		Definitions: func() (*feature.Definitions, uint64) { return defs, 1 },
		Versions:    alwaysOpen{}, Rows: rows, Clock: &clock, HashKey: testKey,
	})
	if err != nil {
		b.Fatal(err)
	}
	tap.letterPartitions.Store(1)
	var ends sync.WaitGroup
	for p := range int32(2) {
		ends.Go(func() {
			if err := readAll(b.Context(), tap, source{cfg.Topics.Writes, p}); err != nil {
				b.Error(err)
			}
		})
	}
	ends.Wait()
}

// readAll owns a partition until it has read the benchmark's records and saved.
func readAll(ctx context.Context, tap *Tap, at source) error {
	w, err := newWriter(tap.log.cfg.Brokers, at)
	if err != nil {
		return err
	}
	defer w.close()
	p, err := tap.take(ctx, at, w, nil)
	if err != nil {
		return err
	}
	reader, err := kgo.NewClient(append(append(baseOptions(tap.log.cfg.Brokers), readOptions(tap.portion)...),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{at.topic: {at.partition: kgo.NewOffset().At(p.next)}}))...)
	if err != nil {
		return err
	}
	defer reader.Close()
	for p.counts.Received < benchWrites/2 {
		fetches := reader.PollRecords(ctx, batch)
		if err := p.begin(); err != nil {
			return err
		}
		for iter := fetches.RecordIter(); !iter.Done(); {
			if err := p.record(ctx, iter.Next()); err != nil {
				return err
			}
		}
		if p.urgent {
			if err := p.checkpoint(ctx, w, false); err != nil {
				return err
			}
		}
	}
	return p.checkpoint(ctx, w, false)
}

// BenchmarkDecode reads one envelope of ten features.
func BenchmarkDecode(b *testing.B) {
	view := wide()
	d := newDecoder(&view)
	records := wideRecords(1024, 10_000)
	var r reading
	find := func(string) *decoder { return d }
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		if _, bad := r.readEnvelope(records[n&1023], find); bad != nil {
			b.Fatal(bad.text)
		}
		n++
	}
}
