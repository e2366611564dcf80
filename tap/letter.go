package tap

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/semaphore"
)

// letters sends the dead letters of one partition. They are not part of the
// checkpoint's transaction, since the in-process broker may be killed between the
// commits of two topics: they are acknowledged before the checkpoint instead, and
// may come twice.
type letters struct {
	log        *Log
	room       *semaphore.Weighted // lettersAhead, of all partitions of the process
	partition  int32               // of the dead-letter topic
	guarded    bool                // the source's records may hold card numbers that nobody may see
	travelling sync.WaitGroup
	mu         sync.Mutex
	first      error
}

// lettersAhead is about what the dead letters of a process that are on their way take, in
// bytes. In a flood of records that are refused they are always that much, and what they are
// packed into for the broker is about as large again.
const lettersAhead = 512 << 10

// letterFixed is about what a letter takes besides its bytes.
const letterFixed = 1 << 10

// send sends the dead letter of r. It waits while too many are on their way.
func (l *letters) send(ctx context.Context, r *kgo.Record, bad *rejection, at time.Time) {
	letter := deadLetter(l.log.cfg.Topics.DeadLetters, l.partition, r, bad, at)
	if l.guarded {
		maskLetter(letter, bad.card)
	}
	size := letterMemory(letter)
	if err := l.room.Acquire(ctx, size); err != nil {
		l.fail(err)
		return
	}
	l.travelling.Add(1)
	l.log.client.Produce(ctx, letter, func(_ *kgo.Record, err error) {
		defer l.travelling.Done()
		l.room.Release(size)
		if err != nil {
			l.fail(err)
		}
	})
}

// letterMemory is about what a letter takes until it is acknowledged, in bytes, and not more
// than there is room for: one that is larger travels alone.
func letterMemory(letter *kgo.Record) int64 {
	size := letterFixed + len(letter.Key) + len(letter.Value)
	for i := range letter.Headers {
		size += len(letter.Headers[i].Value)
	}
	return int64(min(size, lettersAhead))
}

// fail keeps the first error.
func (l *letters) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.first == nil {
		l.first = err
	}
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

// parcel is a dead letter in one piece, with the bytes of its key, value and headers in
// another: a flood is mostly letters, and each piece by itself would cost as much as what
// is in it.
type parcel struct {
	record  kgo.Record
	headers [ownHeaders + 2]kgo.RecordHeader
	bytes   []byte
}

// add puts a copy of b into the parcel; nil stays nil.
func (p *parcel) add(b []byte) []byte {
	if b == nil {
		return nil
	}
	from := len(p.bytes)
	p.bytes = append(p.bytes, b...)
	return p.bytes[from:len(p.bytes):len(p.bytes)]
}

// head adds a header of the letter's own.
func (p *parcel) head(key, value string) {
	from := len(p.bytes)
	p.bytes = append(p.bytes, value...)
	p.record.Headers = append(p.record.Headers, kgo.RecordHeader{Key: key, Value: p.bytes[from:len(p.bytes):len(p.bytes)]})
}

// numbers is what the numbers and times in a letter's own headers take together, at most.
const numbers = 2*len(time.RFC3339Nano) + 5*20

// deadLetter returns the dead letter of a record. It shares no memory with it: a letter that
// waits would keep the whole batch that its record came in.
func deadLetter(topic string, partition int32, r *kgo.Record, bad *rejection, at time.Time) *kgo.Record {
	key, value, view := r.Key[:min(len(r.Key), maxLetterKey)], r.Value[:min(len(r.Value), maxLetter)], clip(bad.view)
	room, headers := maxLetter-len(value)+letterRoom, 0
	for i := range r.Headers {
		headers += len(r.Headers[i].Value)
	}
	p := &parcel{bytes: make([]byte, 0, numbers+len(key)+len(value)+min(headers, room)+
		len(r.Topic)+len(bad.kind)+len(bad.reason)+len(view)+len(bad.feature)+len(bad.text))}
	out := &p.record
	out.Topic, out.Partition, out.Headers = topic, partition, p.headers[:0]
	out.Key, out.Value = p.add(key), p.add(value)
	if !r.Timestamp.IsZero() {
		p.head(letterReceived, r.Timestamp.UTC().Format(time.RFC3339Nano))
	}
	for _, h := range [...]struct{ key, value string }{
		{letterTopic, r.Topic}, {letterPartition, strconv.Itoa(int(r.Partition))}, {letterOffset, strconv.FormatInt(r.Offset, 10)},
		{letterKind, bad.kind}, {letterReason, string(bad.reason)}, {letterView, view}, {letterFeature, bad.feature},
		{letterText, bad.text}, {letterAt, at.UTC().Format(time.RFC3339Nano)}, {letterSize, strconv.Itoa(max(bad.size, len(r.Value)))},
		{letterHeaders, strconv.Itoa(len(r.Headers))},
	} {
		p.head(h.key, h.value)
	}
	if len(key) < len(r.Key) {
		p.head(letterKeySize, strconv.Itoa(len(r.Key)))
	}
	for _, h := range r.Headers {
		if room -= letterHeader + len(h.Key) + len(h.Value); room < 0 {
			break
		}
		out.Headers = append(out.Headers, kgo.RecordHeader{Key: strings.Clone(h.Key), Value: p.add(h.Value)})
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
	letterKeySize   = letterPrefix + "key-size" // bytes of the original key, if the letter has not all of it
	letterMasked    = letterPrefix + "masked"   // that payment card numbers are masked, or the value is left out
)

// A dead letter must fit a broker's usual limit of a million bytes: of a larger
// record it holds the first maxLetter bytes, and the rest is still at its place. So it is
// with a key of more than maxLetterKey bytes.
const (
	maxLetter    = 900_000
	letterRoom   = 50_000 // for headers, with what the value leaves
	letterHeader = 8      // of a header besides its bytes: how long they are
	maxLetterKey = 32 << 10
)
