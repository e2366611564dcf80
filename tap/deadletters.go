package tap

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/feature"
)

// DeadLetter is a record that was not accepted, as the contract shows it, and
// what appends it again.
type DeadLetter struct {
	Topic     string       `json:"topic"`
	Partition int32        `json:"partition"`
	Offset    int64        `json:"offset"`
	At        time.Time    `json:"at"`
	Kind      string       `json:"kind"` // quarantined | dead_lettered
	Reason    feature.Code `json:"reason"`
	View      string       `json:"view"`
	Feature   string       `json:"feature"`
	Text      string       `json:"text"`
	Bytes     []byte       `json:"bytes"` // of the record's value; the first 900,000 of a larger one
	Size      int          `json:"size"`  // of the record's value

	Key     []byte   `json:"-"`
	Headers []Header `json:"-"` // of the original record
}

// ErrCursor reports a cursor that no listing gave.
var ErrCursor = errors.New("not a cursor of this list")

// lookBack is how many letters in front of a page are read to find duplicates: a
// record that is refused again after a restart is at most the letters of a few
// checkpoints behind.
const lookBack = 10_000

// DeadLetters lists dead letters by time, from cursor after (empty: from the
// oldest that is kept), at most limit (100 if it is not positive). A record that
// was refused again after a restart is listed once. next is empty at the end.
func (l *Log) DeadLetters(ctx context.Context, after string, limit int) (letters []DeadLetter, next string, err error) {
	if limit <= 0 {
		limit = 100
	}
	at, err := parseCursor(after)
	if err != nil {
		return nil, "", fmt.Errorf("list dead letters: %w", err)
	}
	queues, err := l.letters(ctx, at, limit)
	if err != nil {
		return nil, "", fmt.Errorf("list dead letters: %w", err)
	}
	for len(letters) < limit {
		first := -1
		for p, q := range queues {
			if len(q.letters) > 0 && (first < 0 || q.letters[0].At.Before(queues[first].letters[0].At)) {
				first = p
			}
		}
		if first < 0 {
			break
		}
		q := queues[first]
		letters = append(letters, q.letters[0])
		q.next, q.letters, q.offsets = q.offsets[0]+1, q.letters[1:], q.offsets[1:]
	}
	more := false
	next64 := make([]int64, len(queues))
	for p, q := range queues {
		next64[p] = q.next
		more = more || len(q.letters) > 0 || q.more
	}
	if !more {
		return letters, "", nil
	}
	text, err := json.Marshal(next64)
	return letters, base64.RawURLEncoding.EncodeToString(text), err
}

// parseCursor returns the next offset of each partition of the dead-letter topic.
func parseCursor(after string) (next []int64, err error) {
	if after == "" {
		return nil, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(after)
	if err == nil {
		err = json.Unmarshal(text, &next)
	}
	if err != nil || slices.ContainsFunc(next, func(n int64) bool { return n < 0 }) {
		return nil, fmt.Errorf("%.64q: %w", after, ErrCursor)
	}
	return next, nil
}

// letterQueue is the next letters of one partition.
type letterQueue struct {
	next    int64 // offset after the last letter that was taken
	letters []DeadLetter
	offsets []int64
	more    bool
}

// letters reads at most limit new letters of each partition.
func (l *Log) letters(ctx context.Context, at []int64, limit int) ([]*letterQueue, error) {
	topic := l.cfg.Topics.DeadLetters
	counts, err := l.partitions(ctx, topic)
	if err != nil {
		return nil, err
	}
	queues := make([]*letterQueue, counts[topic])
	for p := range queues {
		queues[p] = &letterQueue{}
		if p < len(at) {
			queues[p].next = at[p]
		}
		if err := queues[p].fill(ctx, l, int32(p), limit); err != nil {
			return nil, err
		}
	}
	return queues, nil
}

var errEnough = errors.New("enough")

func (q *letterQueue) fill(ctx context.Context, l *Log, partition int32, limit int) error {
	type place struct {
		source
		offset int64
	}
	topic := l.cfg.Topics.DeadLetters
	start, end, err := l.bounds(ctx, topic, partition)
	if err != nil {
		return err
	}
	seen := map[place]bool{}
	err = l.readRange(ctx, topic, partition, max(start, q.next-lookBack), end, func(r *kgo.Record) error {
		letter, ok := parseLetter(r)
		at := place{source{letter.Topic, letter.Partition}, letter.Offset}
		if !ok || seen[at] {
			return nil // not written by a tap, or a record refused again
		}
		seen[at] = true
		if r.Offset < q.next {
			return nil
		}
		if len(q.letters) == limit {
			q.more = true
			return errEnough
		}
		q.letters, q.offsets = append(q.letters, letter), append(q.offsets, r.Offset)
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// parseLetter reads a record of the dead-letter topic; false if it is none.
func parseLetter(r *kgo.Record) (DeadLetter, bool) {
	d := DeadLetter{Bytes: r.Value, Key: r.Key, Offset: -1, Size: len(r.Value)}
	var errs []error
	for _, h := range r.Headers {
		text := string(h.Value)
		var err error
		switch h.Key {
		case letterTopic:
			d.Topic = text
		case letterPartition:
			var n int64
			n, err = strconv.ParseInt(text, 10, 32)
			d.Partition = int32(n)
		case letterOffset:
			d.Offset, err = strconv.ParseInt(text, 10, 64)
		case letterKind:
			d.Kind = text
		case letterReason:
			d.Reason = feature.Code(text)
		case letterView:
			d.View = text
		case letterFeature:
			d.Feature = text
		case letterText:
			d.Text = text
		case letterAt:
			d.At, err = time.Parse(time.RFC3339Nano, text)
		case letterSize:
			d.Size, err = strconv.Atoi(text)
		default:
			if !strings.HasPrefix(h.Key, letterPrefix) {
				d.Headers = append(d.Headers, Header{h.Key, h.Value})
			}
		}
		errs = append(errs, err)
	}
	return d, errors.Join(errs...) == nil && d.Topic != "" && d.Offset >= 0 && (d.Kind == Quarantined || d.Kind == DeadLettered)
}
