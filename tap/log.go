package tap

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/feature"
)

// Headers of records on the topics of writes.
const (
	HeaderEventID   = "event_id"         // deduplicates
	HeaderProducer  = "producer"         // kept for attribution
	HeaderSchema    = "schema"           // kept for attribution
	HeaderWatermark = "sluice-watermark" // RFC 3339; the record has no value and moves its partition's watermark
	HeaderBackfill  = "sluice-backfill"  // true: a write of long ago, which no window is judged by and no history holds
	HeaderView      = "sluice-view"      // the one view that a watermark is for, or that a flat record on the default topic is for
)

// LogConfig says where the log is.
type LogConfig struct {
	Brokers []string
	Topics  Topics
	// InProcess says that the brokers are a Broker, whose compaction moves the start of a
	// partition to the first record that is left. Kafka's does not.
	InProcess bool
}

// Header is one header of a record.
type Header struct {
	Key   string
	Value []byte
}

// Out is a record to be appended. Without Partition the key's hash chooses it, as
// Kafka's own clients do; a nil key goes to any.
type Out struct {
	Key, Value []byte
	Headers    []Header
	Partition  *int32
}

// Log is the client of the broker: topics, appends, and everything that reads. It
// is safe for concurrent use.
type Log struct {
	cfg     LogConfig
	client  *kgo.Client
	admin   *kadm.Client
	foreign foreign

	mu     sync.Mutex
	limits map[string]int32    // bytes of a batch that a topic takes, where they are known
	ids    map[string][16]byte // of topics, as last seen
	parts  map[string]int      // chunks seen of partials that have more than one, by their key
}

// NewLog makes a client. It connects when it is first used.
func NewLog(cfg LogConfig) (*Log, error) {
	if len(cfg.Brokers) == 0 {
		return nil, errors.New("open log: no brokers")
	}
	l := &Log{cfg: cfg, parts: map[string]int{}, limits: map[string]int32{}, ids: map[string][16]byte{}}
	client, err := kgo.NewClient(append(baseOptions(cfg.Brokers),
		kgo.ProducerBatchMaxBytesFn(l.limit),
		kgo.RecordPartitioner(partitioner{kgo.StickyKeyPartitioner(nil)}),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(time.Millisecond),
		kgo.MaxBufferedRecords(2_500),
		kgo.MaxBufferedBytes(5<<20),
		kgo.RecordDeliveryTimeout(30*time.Second),
	)...)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	l.client, l.admin = client, kadm.NewClient(client)
	return l, nil
}

// The batches that brokers take of a topic whose settings are not known, and the
// largest that Sluice asks for: a record that is too large for a view must still
// fit the log, so that it becomes a dead letter like any other.
const (
	usualBatch = 1_000_012
	maxBatch   = 4 << 20
)

// limit returns how large the batches are that Sluice writes. Dead letters are made to fit
// the usual ones, and come in masses: larger ones would only take memory.
func (l *Log) limit(topic string) int32 {
	if topic == l.cfg.Topics.DeadLetters {
		return min(l.largest(topic), usualBatch)
	}
	return min(l.largest(topic), maxBatch)
}

// largest returns how many bytes a batch of a topic may have: at most maxBatchMemory,
// what readers unpack.
func (l *Log) largest(topic string) int32 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return cmp.Or(l.limits[topic], usualBatch)
}

// learn asks how large batches of topics may be.
func (l *Log) learn(ctx context.Context, topics []string) error {
	configs, err := l.admin.DescribeTopicConfigs(ctx, topics...)
	if err != nil {
		return fmt.Errorf("read settings of topics %v: %w", topics, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range configs {
		for _, pair := range c.Configs {
			if n, err := strconv.ParseInt(pair.MaybeValue(), 10, 32); pair.Key == "max.message.bytes" && err == nil && n > 0 {
				l.limits[c.Name] = int32(min(n, maxBatchMemory))
			}
		}
	}
	return nil
}

func baseOptions(brokers []string) []kgo.Opt {
	return []kgo.Opt{
		kgo.SeedBrokers(brokers...),
		kgo.ClientID("sluice"),
		kgo.DialTimeout(5 * time.Second),
		kgo.RetryTimeout(20 * time.Second),
		kgo.MetadataMaxAge(time.Minute),
		kgo.MetadataMinAge(250 * time.Millisecond),
		kgo.DisableClientMetrics(),
	}
}

// fetchAgain is about what a fetch of a partition takes in memory when what was read before
// is read again.
func fetchAgain() int32 { return mostFetched }

// readOptions are those of every client that reads: only what is committed, and
// bounded memory. The records of a fetch take about most() bytes of it.
func readOptions(most func() int32) []kgo.Opt {
	p := newPortion(most)
	return []kgo.Opt{
		kgo.WithHooks(p),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // so that positions reach the end of the log
		kgo.FetchMaxBytes(2 * p.size()),
		kgo.FetchMaxPartitionBytes(p.size()),
		kgo.FetchMinBytes(1),
		kgo.FetchMaxWait(time.Second),
		kgo.MaxConcurrentFetches(1),
		kgo.MaxDecompressBatchBytes(maxBatchMemory),
	}
}

// Close ends the client.
func (l *Log) Close() error {
	l.client.Close()
	return nil
}

// Topics returns the names in use.
func (l *Log) Topics() Topics { return l.cfg.Topics }

// partitioner takes the partition that a record names, and else asks the other.
type partitioner struct{ kgo.Partitioner }

type topicPartitioner struct{ kgo.TopicPartitioner }

// anyPartition marks a record that names none.
const anyPartition = -1

func (p partitioner) ForTopic(topic string) kgo.TopicPartitioner {
	return topicPartitioner{p.Partitioner.ForTopic(topic)}
}

func (p topicPartitioner) RequiresConsistency(r *kgo.Record) bool {
	return r.Partition != anyPartition || p.TopicPartitioner.RequiresConsistency(r)
}

func (p topicPartitioner) Partition(r *kgo.Record, n int) int {
	if r.Partition != anyPartition {
		return int(r.Partition)
	}
	return p.TopicPartitioner.Partition(r, n)
}

// Append appends records to topic, acknowledged by all replicas, each once and in
// the order given within a partition. It returns the first and last offset per
// partition, by partition; with an error, of those that were acknowledged.
func (l *Log) Append(ctx context.Context, topic string, records []Out) ([]feature.Span, error) {
	rs, named := make([]*kgo.Record, len(records)), int32(0)
	for i, r := range records {
		rs[i] = &kgo.Record{Topic: topic, Key: r.Key, Value: r.Value, Partition: anyPartition}
		if r.Partition != nil {
			rs[i].Partition = *r.Partition
			named = max(named, *r.Partition+1)
		}
		for _, h := range r.Headers {
			rs[i].Headers = append(rs[i].Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
	}
	if err := l.know(ctx, topic, named); err != nil {
		return nil, fmt.Errorf("append %d records to %s: %w", len(records), topic, err)
	}
	spans := map[int32]*feature.Span{}
	var first error
	for _, res := range l.client.ProduceSync(ctx, rs...) {
		r := res.Record
		switch s := spans[r.Partition]; {
		case res.Err != nil:
			first = cmp.Or(first, res.Err)
		case s == nil:
			spans[r.Partition] = &feature.Span{Topic: topic, Partition: r.Partition, First: r.Offset, Last: r.Offset}
		default:
			s.First, s.Last = min(s.First, r.Offset), max(s.Last, r.Offset)
		}
	}
	all := make([]feature.Span, 0, len(spans))
	for _, s := range spans {
		all = append(all, *s)
	}
	slices.SortFunc(all, func(a, b feature.Span) int { return cmp.Compare(a.Partition, b.Partition) })
	if first != nil {
		l.lookAgain(ctx, topic, first)
		return all, fmt.Errorf("append %d records to %s: %w", len(records), topic, first)
	}
	return all, nil
}

// lookAgain asks for a topic after an error that says it is not the one that it was, so
// that the next records reach the one that is.
func (l *Log) lookAgain(ctx context.Context, topic string, err error) {
	if errors.Is(err, kerr.UnknownTopicID) || errors.Is(err, kerr.UnknownTopicOrPartition) {
		_, _ = l.countPartitions(ctx, []string{topic}) // what was wrong is told already
	}
}

// WriteWatermark tells every partition of topic that event time has reached t:
// for view, or for every view that reads the topic if view is empty.
func (l *Log) WriteWatermark(ctx context.Context, topic, view string, t time.Time) error {
	counts, err := l.partitions(ctx, topic)
	if err != nil {
		return fmt.Errorf("write watermark: %w", err)
	}
	headers := []Header{{HeaderWatermark, []byte(t.UTC().Format(time.RFC3339Nano))}}
	if view != "" {
		headers = append(headers, Header{HeaderView, []byte(view)})
	}
	var records []Out
	for p := range counts[topic] {
		records = append(records, Out{Headers: headers, Partition: &p})
	}
	if _, err := l.Append(ctx, topic, records); err != nil {
		return fmt.Errorf("write watermark %s: %w", t.UTC().Format(time.RFC3339Nano), err)
	}
	return nil
}

// know waits until the producer knows all n partitions of topic. It looks for ones
// that were added once a minute only, and refuses records for them until then.
func (l *Log) know(ctx context.Context, topic string, n int32) error {
	if n < 1 || !l.leads(topic, 0) {
		return nil // not produced to yet: it looks when it is
	}
	waiting, cancel := context.WithTimeout(ctx, knownWithin)
	defer cancel()
	for !l.leads(topic, n-1) {
		l.client.ForceMetadataRefresh()
		select {
		case <-waiting.Done():
			return fmt.Errorf("partition %s/%d was added and is not known to the producer yet: %w", topic, n-1, waiting.Err())
		case <-time.After(knownAgain):
		}
	}
	return nil
}

// leads reports whether the producer knows a leader of the partition.
func (l *Log) leads(topic string, partition int32) bool {
	leader, _, err := l.client.PartitionLeader(topic, partition)
	return err == nil && leader >= 0
}

// readRange reads the committed records of one partition from offset from up to
// but not including to, in order; fn must not keep them. It returns once to is
// reached, and fn sees no control records.
func (l *Log) readRange(ctx context.Context, topic string, partition int32, from, to int64, fn func(*kgo.Record) error) error {
	if from >= to {
		return nil
	}
	client, err := kgo.NewClient(append(append(baseOptions(l.cfg.Brokers), readOptions(fetchAgain)...),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {partition: kgo.NewOffset().At(from)}}))...)
	if err != nil {
		return fmt.Errorf("read %s/%d: %w", topic, partition, err)
	}
	defer client.Close()
	for next := from; next < to; {
		fetches := client.PollRecords(ctx, 10_000)
		if batch := swollen(fetches); batch != nil {
			next = batch.NextOffset // its records were dead-lettered
			pass(client, batch)
			continue
		}
		if err := fetchError(ctx, fetches); err != nil {
			return fmt.Errorf("read %s/%d from %d: %w", topic, partition, next, err)
		}
		for iter := fetches.RecordIter(); !iter.Done(); {
			r := iter.Next()
			next = r.Offset + 1
			if r.Offset >= to {
				return nil
			}
			if r.Attrs.IsControl() {
				continue
			}
			if err := fn(r); err != nil {
				return err
			}
		}
	}
	return nil
}

func fetchError(ctx context.Context, fetches kgo.Fetches) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, e := range fetches.Errors() {
		if e.Err != nil {
			return e.Err
		}
	}
	return nil
}

// Ends returns the offset behind the last committed record of each partition of a topic.
func (l *Log) Ends(ctx context.Context, topic string) (map[int32]int64, error) {
	listed, err := l.admin.ListCommittedOffsets(ctx, topic)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("ends of %s: %w", topic, away(err))
	}
	ends := map[int32]int64{}
	for p, end := range listed[topic] {
		ends[p] = end.Offset
	}
	return ends, nil
}

// away marks an error that says that no broker answers with feature.ErrUnavailable.
func away(err error) error {
	var network net.Error
	if errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", feature.ErrUnavailable, err)
	}
	return err
}

// bounds returns the first offset that a partition still holds and the one after
// the last committed record.
func (l *Log) bounds(ctx context.Context, topic string, partition int32) (start, end int64, err error) {
	starts, err := l.admin.ListStartOffsets(ctx, topic)
	if err != nil {
		return 0, 0, fmt.Errorf("first offset of %s/%d: %w", topic, partition, away(err))
	}
	ends, err := l.admin.ListCommittedOffsets(ctx, topic)
	if err != nil {
		return 0, 0, fmt.Errorf("end of %s/%d: %w", topic, partition, away(err))
	}
	s, ok1 := starts.Lookup(topic, partition)
	e, ok2 := ends.Lookup(topic, partition)
	if !ok1 || !ok2 {
		return 0, 0, fmt.Errorf("bounds of %s/%d: %w", topic, partition, kerr.UnknownTopicOrPartition)
	}
	if err := errors.Join(s.Err, e.Err); err != nil {
		return 0, 0, fmt.Errorf("bounds of %s/%d: %w", topic, partition, err)
	}
	return s.Offset, e.Offset, nil
}
