package tap

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/semaphore"

	"sluice/feature"
)

// While the broker acknowledges no dead letters those on their way take no more than there
// is room for, however many follow; once it does each arrives, and so does one that takes
// all the room.
func TestLettersAhead(t *testing.T) {
	const (
		count = 400
		size  = 10 << 10 // 4 MiB in all
		most  = 512 << 10
	)
	r := newRig(t, 1, delays())
	client, err := kgo.NewClient(append(baseOptions(r.log.cfg.Brokers), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ManualFlushing())...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	l := letters{log: &Log{cfg: r.log.cfg, client: client}, room: semaphore.NewWeighted(lettersAhead)}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for i := range count + 1 {
			n := size
			if i == count {
				n = 2 * most
			}
			l.send(r.ctx, &kgo.Record{Topic: "sluice.writes", Offset: int64(i), Value: make([]byte, n)}, dead(feature.CodeDecode, "", "", "no JSON"), day)
		}
	}()
	eventually(r, func() error {
		if l.room.TryAcquire(2 * size) {
			l.room.Release(2 * size)
			return errors.New("there is room for more letters")
		}
		return nil
	})
	if n := client.BufferedProduceBytes(); n < most/2 || n > most {
		t.Errorf("letters on their way take %d bytes, want at most %d", n, most)
	}
	eventually(r, func() error {
		if err := client.Flush(r.ctx); err != nil {
			t.Fatal(err)
		}
		select {
		case <-sent:
			return nil
		default:
			return fmt.Errorf("not all letters are on their way; %d bytes wait", client.BufferedProduceBytes())
		}
	})
	if err := errors.Join(client.Flush(r.ctx), l.wait()); err != nil {
		t.Fatal(err)
	}
	if got := len(r.letters()); got != count+1 {
		t.Errorf("%d letters arrived, want %d", got, count+1)
	}
	if !l.room.TryAcquire(lettersAhead) {
		t.Error("all letters arrived, and there is not all the room")
	}
}

// A letter that finds no room before its partition ends is told of as one that was not sent.
func TestLetterWithoutRoom(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	l := letters{log: &Log{cfg: LogConfig{Topics: DefaultTopics()}}, room: semaphore.NewWeighted(0)}
	l.send(ctx, &kgo.Record{Topic: "sluice.writes", Value: []byte("x")}, dead(feature.CodeDecode, "", "", "no JSON"), day)
	if err := l.wait(); !errors.Is(err, errLog) || !errors.Is(err, context.Canceled) {
		t.Errorf("wait() = %v, want that the letter was not sent", err)
	}
}

// A refused record with a key that no letter could hold beside its value, and with headers
// that say nothing and are many, does not stop its partition: the letter has the beginning,
// and the record is replayed as it was.
func TestLetterOfALongKey(t *testing.T) {
	r := newRig(t, 1, delays())
	r.start()
	long := Out{Key: bytes.Repeat([]byte("k"), 2*usualBatch), Value: append([]byte("no JSON "), make([]byte, maxLetter)...)}
	long.Headers = make([]Header, letterRoom)
	r.send("sluice.writes", long, write("UA", day, 1, 1))
	if counts := r.drain(); counts.Accepted != 1 || counts.DeadLettered != 1 {
		t.Fatalf("counts = %+v, want one accepted and one dead-lettered", counts)
	}
	found := r.letters()
	if len(found) != 1 || !bytes.Equal(found[0].Key, long.Key[:maxLetterKey]) || found[0].whole() {
		t.Fatalf("letters %+v, want one with the first %d bytes of the key, that is not whole", found, maxLetterKey)
	}
	sent := r.resend(Resend{})
	if outcomes(sent)[Resent] != 1 {
		t.Fatalf("replay gave %v, want one sent", outcomes(sent))
	}
	at := sent[0].To
	err := r.log.readRange(r.ctx, at.Topic, at.Partition, at.Offset, at.Offset+1, func(k *kgo.Record) error {
		if !bytes.Equal(k.Key, long.Key) || !bytes.Equal(k.Value, long.Value) {
			t.Errorf("replayed record has a key of %d and a value of %d bytes, want %d and %d", len(k.Key), len(k.Value), len(long.Key), len(long.Value))
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// A letter has copies of all that it takes of its record, in one piece of memory that is as
// large as what it holds.
func TestLetterIsACopy(t *testing.T) {
	r := &kgo.Record{
		Topic: "sluice.writes", Partition: 3, Offset: 1 << 40, Timestamp: time.Unix(0, 1_700_000_000_123_456_789),
		Key: []byte("key"), Value: bytes.Repeat([]byte("v"), 1000), Headers: []kgo.RecordHeader{{Key: "h", Value: []byte("header")}, {Key: "empty"}},
	}
	bad := quarantine(feature.CodeExpect, "delays", "delay", "below min 0")
	letter := deadLetter("sluice.dead", 1, r, bad, time.Unix(0, 1_700_000_000_987_654_321))
	allocs := testing.AllocsPerRun(100, func() { deadLetter("sluice.dead", 1, r, bad, day) })
	for _, b := range [][]byte{r.Key, r.Value, r.Headers[0].Value} {
		clear(b)
	}
	d, ok := parseLetter(letter)
	if !ok || string(d.Key) != "key" || !bytes.Equal(d.Bytes, bytes.Repeat([]byte("v"), 1000)) || d.Place() != (Place{"sluice.writes", 3, 1 << 40}) {
		t.Errorf("letter is %+v, want the record as it was", d)
	}
	if len(d.Headers) != 2 || string(d.Headers[0].Value) != "header" || d.Headers[1].Value != nil {
		t.Errorf("headers are %q, want the record's", d.Headers)
	}
	if allocs > 12 {
		t.Errorf("a letter takes %v allocations, want at most 12", allocs)
	}
	for _, h := range letter.Headers { // what is added behind one must not fall on the next
		if cap(h.Value) != len(h.Value) {
			t.Errorf("header %s has %d bytes of room", h.Key, cap(h.Value)-len(h.Value))
		}
	}
}
