package tap

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// letters sends the dead letters of one partition. They are not part of the
// checkpoint's transaction, since the in-process broker may be killed between the
// commits of two topics: they are acknowledged before the checkpoint instead, and
// may come twice.
type letters struct {
	log        *Log
	partition  int32 // of the dead-letter topic
	guarded    bool  // the source's records may hold card numbers that nobody may see
	travelling sync.WaitGroup
	mu         sync.Mutex
	first      error
}

// send sends the dead letter of r. It waits while too many are on their way.
func (l *letters) send(ctx context.Context, r *kgo.Record, bad *rejection, at time.Time) {
	l.travelling.Add(1)
	letter := deadLetter(l.log.cfg.Topics.DeadLetters, l.partition, r, bad, at)
	if l.guarded {
		maskLetter(letter, bad.card)
	}
	l.log.client.Produce(ctx, letter, func(_ *kgo.Record, err error) {
		defer l.travelling.Done()
		if err != nil {
			l.mu.Lock()
			defer l.mu.Unlock()
			if l.first == nil {
				l.first = err
			}
		}
	})
}

// wait waits until all are acknowledged.
func (l *letters) wait() error {
	l.travelling.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.first != nil {
		return fmt.Errorf("send dead letter: %w: %w", errLog, l.first)
	}
	return nil
}

// deadLetter returns the dead letter of a record. It shares no memory with it: a letter that
// waits would keep the whole batch that its record came in.
func deadLetter(topic string, partition int32, r *kgo.Record, bad *rejection, at time.Time) *kgo.Record {
	out := &kgo.Record{
		Topic: topic, Partition: partition, Key: bytes.Clone(r.Key), Value: bytes.Clone(r.Value[:min(len(r.Value), maxLetter)]),
		Headers: make([]kgo.RecordHeader, 0, ownHeaders+len(r.Headers)),
	}
	if !r.Timestamp.IsZero() {
		out.Headers = append(out.Headers, kgo.RecordHeader{Key: letterReceived, Value: []byte(r.Timestamp.UTC().Format(time.RFC3339Nano))})
	}
	for _, h := range []struct{ key, value string }{
		{letterTopic, r.Topic}, {letterPartition, strconv.Itoa(int(r.Partition))}, {letterOffset, strconv.FormatInt(r.Offset, 10)},
		{letterKind, bad.kind}, {letterReason, string(bad.reason)}, {letterView, clip(bad.view)}, {letterFeature, bad.feature},
		{letterText, bad.text}, {letterAt, at.UTC().Format(time.RFC3339Nano)}, {letterSize, strconv.Itoa(max(bad.size, len(r.Value)))},
		{letterHeaders, strconv.Itoa(len(r.Headers))},
	} {
		out.Headers = append(out.Headers, kgo.RecordHeader{Key: h.key, Value: []byte(h.value)})
	}
	room := maxLetter - len(out.Value) + letterRoom
	for _, h := range r.Headers {
		if room -= len(h.Key) + len(h.Value); room < 0 {
			break
		}
		out.Headers = append(out.Headers, kgo.RecordHeader{Key: strings.Clone(h.Key), Value: bytes.Clone(h.Value)})
	}
	return out
}

// The headers of a dead letter. Those of the original record follow them.
const (
	ownHeaders = 12

	letterPrefix    = "sluice-dead-"
	letterTopic     = letterPrefix + "topic"
	letterPartition = letterPrefix + "partition"
	letterOffset    = letterPrefix + "offset"
	letterKind      = letterPrefix + "kind"
	letterReason    = letterPrefix + "reason"
	letterView      = letterPrefix + "view"
	letterFeature   = letterPrefix + "feature"
	letterText      = letterPrefix + "text"
	letterAt        = letterPrefix + "at"
	letterReceived  = letterPrefix + "received" // the record's own time: when the broker appended it or, if the topic does not say, when it was sent
	letterSize      = letterPrefix + "size"     // bytes of the original value
	letterHeaders   = letterPrefix + "headers"  // how many headers the original record has
	letterMasked    = letterPrefix + "masked"   // that payment card numbers are masked, or the value is left out
)

// A dead letter must fit a broker's usual limit of a million bytes: of a larger
// record it holds the first maxLetter bytes, and the rest is still at its place.
const (
	maxLetter  = 900_000
	letterRoom = 50_000
)
