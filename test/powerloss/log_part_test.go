package powerloss

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/tap"
)

const (
	logSteps      = 120
	logReopen     = 50
	logPartitions = 2
	logEach       = 3 // records of a step, in one partition; of a transaction, in each
	logBytes      = 2 << 10
	logTopic      = "writes"
	logPatience   = 30 * time.Second
)

// logPart appends to the embedded log, every fourth time in a transaction over its
// partitions, and announces what was acknowledged. After a cut every announced record
// is there once and in order, and of a transaction all or nothing.
var logPart = part{
	name: "log", journal: true,
	work: func(ctx context.Context, w *work) error {
		for first := 1; first <= logSteps; first += logReopen {
			if err := appendSteps(ctx, w, first, min(first+logReopen, logSteps+1)); err != nil {
				return err
			}
		}
		return nil
	},
	check: checkLog,
}

// withLog starts a broker on the folder and calls fn with a client.
func withLog(dir string, durable bool, fn func(broker *tap.Broker, opts ...kgo.Opt) error) error {
	broker, err := tap.StartBroker(tap.BrokerConfig{Listen: "127.0.0.1:0", Data: filepath.Join(dir, "data", "log"), SyncWrites: durable})
	if err != nil {
		return err
	}
	err = fn(broker, kgo.SeedBrokers(broker.Addrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.RecordDeliveryTimeout(logPatience), kgo.RetryTimeout(logPatience), kgo.DisableClientMetrics())
	return errors.Join(err, broker.Close())
}

func ensureTopic(ctx context.Context, client *kgo.Client) error {
	segment := strconv.Itoa(64 << 10)
	_, err := kadm.NewClient(client).CreateTopic(ctx, logPartitions, 1, map[string]*string{"segment.bytes": &segment}, logTopic)
	if err != nil && strings.Contains(err.Error(), "TOPIC_ALREADY_EXISTS") {
		return nil
	}
	return err
}

// appendSteps appends the steps from first up to end, and closes the log.
func appendSteps(ctx context.Context, w *work, first, end int) error {
	return withLog(w.dir, w.durable, func(_ *tap.Broker, opts ...kgo.Opt) error {
		plain, err := kgo.NewClient(opts...)
		if err != nil {
			return err
		}
		defer plain.Close()
		transacting, err := kgo.NewClient(append(opts, kgo.TransactionalID("powerloss"))...)
		if err != nil {
			return err
		}
		defer transacting.Close()
		if err := ensureTopic(ctx, plain); err != nil {
			return err
		}
		w.ack("topic")
		for i := first; i < end; i++ {
			if i%4 == 0 {
				err = transaction(ctx, transacting, i)
			} else {
				err = plain.ProduceSync(ctx, stepRecords(i, int32(i%logPartitions))...).FirstErr()
			}
			if err != nil {
				return fmt.Errorf("step %d: %w", i, err)
			}
			w.ack("step %d", i)
		}
		return nil
	})
}

func transaction(ctx context.Context, client *kgo.Client, i int) error {
	if err := client.BeginTransaction(); err != nil {
		return err
	}
	for p := range int32(logPartitions) {
		if err := client.ProduceSync(ctx, stepRecords(i, p)...).FirstErr(); err != nil {
			return err
		}
	}
	return client.EndTransaction(ctx, kgo.TryCommit)
}

// stepRecords names step and number in keys.
func stepRecords(i int, partition int32) []*kgo.Record {
	records := make([]*kgo.Record, logEach)
	for j := range records {
		key := fmt.Sprintf("%d/%d", i, j)
		records[j] = &kgo.Record{Topic: logTopic, Partition: partition, Key: []byte(key), Value: []byte(strings.Repeat(key+" ", logBytes/len(key+" ")))}
	}
	return records
}

const lastStep = logSteps + 1 // appended by the check

func checkLog(ctx context.Context, dir string, acks, _ []string) error {
	return withLog(dir, true, func(_ *tap.Broker, opts ...kgo.Opt) error {
		read, err := readLog(ctx, opts)
		if err != nil {
			return err
		}
		for p, keys := range read {
			if err := inOrder(p, keys); err != nil {
				return err
			}
		}
		for i := 1; i <= logSteps; i++ {
			if err := checkStep(read, i, slices.Contains(acks, fmt.Sprint("step ", i))); err != nil {
				return err
			}
		}
		return nil
	})
}

// readLog returns the keys of each partition, up to records that it appends itself.
func readLog(ctx context.Context, opts []kgo.Opt) ([logPartitions][]string, error) {
	var read [logPartitions][]string
	ctx, cancel := context.WithTimeout(ctx, logPatience)
	defer cancel()
	client, err := kgo.NewClient(append(opts, kgo.ConsumeTopics(logTopic), kgo.FetchIsolationLevel(kgo.ReadCommitted()))...)
	if err != nil {
		return read, err
	}
	defer client.Close()
	if err := ensureTopic(ctx, client); err != nil {
		return read, err
	}
	for p := range int32(logPartitions) {
		if err := client.ProduceSync(ctx, stepRecords(lastStep, p)...).FirstErr(); err != nil {
			return read, fmt.Errorf("append after the cut: %w", err)
		}
	}
	for left := logPartitions * logEach; left > 0; {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return read, fmt.Errorf("read after the cut: %w", err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			key := string(r.Key)
			if want := stepRecords(stepOf(key), r.Partition)[0]; len(want.Value) != len(r.Value) || !strings.HasPrefix(string(r.Value), key+" "+key) {
				key = "damaged " + key
			}
			if stepOf(key) == lastStep {
				left--
				return
			}
			read[r.Partition] = append(read[r.Partition], key)
		})
	}
	return read, nil
}

func stepOf(key string) int {
	step, _, _ := strings.Cut(key, "/")
	i, err := strconv.Atoi(step)
	if err != nil {
		return 0
	}
	return i
}

// inOrder wants every record of a partition once, and after those before it.
func inOrder(partition int, keys []string) error {
	last := 0
	for _, key := range keys {
		_, number, _ := strings.Cut(key, "/")
		j, err := strconv.Atoi(number)
		place := stepOf(key)*logEach + j
		if err != nil || place <= last {
			return fmt.Errorf("partition %d: %q comes after place %d", partition, key, last)
		}
		last = place
	}
	return nil
}

// checkStep wants all of a step that was acknowledged, and no half of a transaction.
func checkStep(read [logPartitions][]string, i int, acked bool) error {
	there := 0
	for p := range read {
		for _, key := range read[p] {
			if stepOf(key) == i {
				there++
			}
		}
	}
	want := logEach
	if i%4 == 0 {
		want *= logPartitions
	}
	if there != want && (acked || there != 0 && i%4 == 0) {
		return fmt.Errorf("%w: %d of %d records of step %d, which was acknowledged: %t", errLost, there, want, i, acked)
	}
	return nil
}
