//go:build amd64 || arm64

package powerloss

import (
	"context"
	"errors"
	"fmt"
	"os"
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
	logEach       = 3 // records of a batch; a step is one, a transaction two
	logBytes      = 2 << 10
	logTopic      = "writes"
	logPatience   = 30 * time.Second
)

// logPart appends to the embedded log, every fourth time in a transaction, and
// announces what was acknowledged. After a cut every announced record is there once and
// in order, and of a transaction all or nothing.
//
// A transaction is in one partition, like a checkpoint of the tap: the embedded broker
// ends one partition after the other, and may be cut off between.
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
				err = plain.ProduceSync(ctx, stepRecords(i, int32(i%logPartitions), 0)...).FirstErr()
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
	partition := int32(i / 4 % logPartitions)
	for first := 0; first < 2*logEach; first += logEach {
		if err := client.ProduceSync(ctx, stepRecords(i, partition, first)...).FirstErr(); err != nil {
			return err
		}
	}
	return client.EndTransaction(ctx, kgo.TryCommit)
}

// stepRecords makes a batch of step i, whose keys name the step and number the records
// from first.
func stepRecords(i int, partition int32, first int) []*kgo.Record {
	records := make([]*kgo.Record, logEach)
	for j := range records {
		key := fmt.Sprintf("%d/%d", i, first+j)
		records[j] = &kgo.Record{Topic: logTopic, Partition: partition, Key: []byte(key), Value: []byte(logValue(key))}
	}
	return records
}

// logValue says the key again and again.
func logValue(key string) string { return strings.Repeat(key+" ", logBytes/len(key+" ")) }

const markStep = 1000 // and those after it are appended by the check

// checkLog looks at the log, goes on with it, lets the process die, and looks again.
func checkLog(ctx context.Context, dir string, acks, _ []string) error {
	var first [logPartitions][]string
	died := filepath.Join(dir, "died")
	err := withLog(dir, true, func(_ *tap.Broker, opts ...kgo.Opt) (err error) {
		if first, err = readLog(ctx, opts, markStep); err != nil {
			return err
		}
		if err := checkSteps(first, acks); err != nil {
			return err
		}
		client, err := kgo.NewClient(append(opts, kgo.TransactionalID("after the cut"))...)
		if err != nil {
			return err
		}
		defer client.Close()
		if err := transaction(ctx, client, markStep+4); err != nil {
			return err
		}
		return os.CopyFS(filepath.Join(died, "data"), os.DirFS(filepath.Join(dir, "data")))
	})
	if err != nil {
		return err
	}
	return withLog(died, true, func(_ *tap.Broker, opts ...kgo.Opt) error {
		second, err := readLog(ctx, opts, markStep+8)
		for p := range first {
			want := append(first[p], keysOfStep(markStep, logEach)...)
			if p == (markStep+4)/4%logPartitions {
				want = append(want, keysOfStep(markStep+4, 2*logEach)...)
			}
			if err == nil && !slices.Equal(second[p], want) {
				err = fmt.Errorf("%w: after a further death, partition %d has %d records, want %d", errLost, p, len(second[p]), len(want))
			}
		}
		return err
	})
}

func keysOfStep(i, n int) (keys []string) {
	for j := range n {
		keys = append(keys, fmt.Sprintf("%d/%d", i, j))
	}
	return keys
}

func checkSteps(read [logPartitions][]string, acks []string) error {
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
}

// readLog returns the keys of each partition, up to a step that it appends to each.
func readLog(ctx context.Context, opts []kgo.Opt, mark int) ([logPartitions][]string, error) {
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
		if err := client.ProduceSync(ctx, stepRecords(mark, p, 0)...).FirstErr(); err != nil {
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
			if string(r.Value) != logValue(key) {
				key = "damaged " + key
			}
			if stepOf(key) == mark {
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
		place := stepOf(key)*2*logEach + j
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
		want *= 2
	}
	if there != want && (acked || there != 0 && i%4 == 0) {
		return fmt.Errorf("%w: %d of %d records of step %d, which was acknowledged: %t", errLost, there, want, i, acked)
	}
	return nil
}
