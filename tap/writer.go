package tap

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Why a partition's state was dropped.
var (
	errFenced      = errors.New("fenced by a newer owner of the partition")
	errTransaction = errors.New("transaction ended in an error")
	errLog         = errors.New("log")
)

// blamed is an error of something that the tap works with.
type blamed struct {
	who string
	err error
}

func (e *blamed) Error() string { return e.who + ": " + e.err.Error() }
func (e *blamed) Unwrap() error { return e.err }

func errRegistry(err error) error { return &blamed{"registry", err} }
func errStore(err error) error    { return &blamed{"store", err} }

// reasonTopic is what the metric says of a topic that was made anew, which is no error of
// anything that the tap works with; reasonProfiles of a checkpoint that the profiles topic
// lost while the partition was read.
const (
	reasonTopic    = "topic"
	reasonProfiles = "profiles"
)

// reason names an error for the metric.
func reason(err error) string {
	var b *blamed
	switch {
	case errors.As(err, &b):
		return b.who
	case errors.Is(err, errStatesGone):
		return reasonProfiles
	case errors.Is(err, ErrProgressLost):
		return "progress"
	case errors.Is(err, errFenced):
		return "fenced"
	case errors.Is(err, errTransaction):
		return "transaction"
	case errors.Is(err, errLog):
		return "log"
	}
	return "other"
}

// transactionTimeout is when the broker ends a transaction that its owner left.
const transactionTimeout = 60 * time.Second

// writer is the transactional producer of one source partition. Its id names the
// partition, so that a new owner's fences the former one's.
type writer struct {
	client *kgo.Client
	open   bool

	mu    sync.Mutex
	first error // of the records of the open transaction
}

func transactionalID(at source) string {
	return "sluice-tap-" + at.topic + "-" + strconv.Itoa(int(at.partition))
}

func newWriter(brokers []string, at source) (*writer, error) {
	client, err := kgo.NewClient(append(baseOptions(brokers),
		kgo.TransactionalID(transactionalID(at)),
		kgo.TransactionTimeout(transactionTimeout),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerLinger(0),
		kgo.MaxBufferedRecords(10_000),
		kgo.MaxBufferedBytes(32<<20),
		kgo.RecordDeliveryTimeout(transactionTimeout/2),
	)...)
	if err != nil {
		return nil, fmt.Errorf("open producer of %s: %w: %w", at, errLog, err)
	}
	return &writer{client: client}, nil
}

// close ends the client. An open transaction stays open: the next owner's first
// request aborts it.
func (w *writer) close() { w.client.Close() }

func (w *writer) begin() error {
	if w.open {
		return nil
	}
	if err := w.client.BeginTransaction(); err != nil {
		return ended(err)
	}
	w.open = true
	return nil
}

// put adds a record to the open transaction; commit tells whether it was taken.
// It waits while too many are on their way.
func (w *writer) put(ctx context.Context, r *kgo.Record) {
	w.client.Produce(ctx, r, func(_ *kgo.Record, err error) {
		if err != nil {
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.first == nil {
				w.first = err
			}
		}
	})
}

// flush waits until the records that were put are in the log, for as long as the broker
// would keep their transaction open: a client that was fenced can forget records
// (docs/reliability.md, "Kafka's client").
func (w *writer) flush(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, transactionTimeout)
	defer cancel()
	if err := w.client.Flush(ctx); err != nil {
		return ended(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.first != nil {
		return ended(w.first)
	}
	return nil
}

// commit ends the transaction. After an error its outcome may be either, and the
// writer must be closed.
func (w *writer) commit(ctx context.Context) error {
	if err := w.flush(ctx); err != nil {
		return err
	}
	if err := w.client.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return ended(err)
	}
	w.open = false
	return nil
}

func ended(err error) error {
	if errors.Is(err, kerr.InvalidProducerEpoch) || errors.Is(err, kerr.ProducerFenced) || errors.Is(err, kerr.InvalidTxnState) {
		return fmt.Errorf("%w: %w", errFenced, err)
	}
	return fmt.Errorf("%w: %w", errTransaction, err)
}

// claim makes this writer the partition's owner and returns the offset behind a record
// that is committed before anything is read: the owner's epoch, counted from the base of
// what is saved. What an earlier owner left unfinished is settled by then.
func (w *writer) claim(ctx context.Context, topic string, at source) (end int64, err error) {
	if err := w.begin(); err != nil {
		return 0, err
	}
	// Twice: the client (franz-go 1.22.3) sends the first record to a topic before it has put
	// down the topic's partitions, and a transaction that is ended in between looks empty to
	// it and is aborted, without an error. The second record has to look the topic up, which
	// waits until that is done.
	for range 2 {
		r := &kgo.Record{
			Topic: topic, Partition: at.partition, Key: stateKey{kind: kindClaim, at: at}.append(nil),
			Value: []byte(time.Now().UTC().Format(time.RFC3339Nano)),
		}
		if err := w.client.ProduceSync(ctx, r).FirstErr(); err != nil {
			return 0, ended(err)
		}
		end = r.Offset + 1
	}
	return end, w.commit(ctx)
}
