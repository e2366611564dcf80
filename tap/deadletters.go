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
	Received  time.Time    `json:"received_at,omitzero"` // when the broker appended the record or, where its topic does not say, when it was sent
	Kind      string       `json:"kind"`                 // quarantined | dead_lettered
	Reason    feature.Code `json:"reason"`
	View      string       `json:"view"`
	Feature   string       `json:"feature"`
	Text      string       `json:"text"`
	Bytes     []byte       `json:"bytes"`            // of the record's value; the first 900,000 of a larger one
	Size      int          `json:"size"`             // of the record's value
	Masked    string       `json:"masked,omitempty"` // digits: card numbers are asterisks; withheld: the value is left out

	Key     []byte   `json:"-"`
	Headers []Header `json:"-"` // of the original record; fewer than headers if they were too large
	headers int      // of the original record; -1 if the letter does not say
	keySize int      // of the original record, if Key is not all of it
}

// Place returns where the record stands.
func (d *DeadLetter) Place() Place { return Place{d.Topic, d.Partition, d.Offset} }

// whole reports whether the letter holds all of the record.
func (d *DeadLetter) whole() bool {
	return d.Masked == "" && len(d.Bytes) == d.Size && len(d.Key) >= d.keySize && (d.headers < 0 || d.headers == len(d.Headers))
}

// LetterFilter chooses among dead letters. Empty fields choose all.
type LetterFilter struct {
	View   string
	Kind   string // quarantined | dead_lettered
	Reason feature.Code
	Since  time.Time // refused then or later
}

// Matches reports whether the filter chooses d.
func (f LetterFilter) Matches(d *DeadLetter) bool {
	return (f.View == "" || f.View == d.View) && (f.Kind == "" || f.Kind == d.Kind) &&
		(f.Reason == "" || f.Reason == d.Reason) && !d.At.Before(f.Since)
}

// ErrCursor reports a cursor that no listing gave.
var ErrCursor = errors.New("not a cursor of this list")

// lookBack is how many letters in front of a page are read to find duplicates: a
// record that is refused again after a restart is at most the letters of a few
// checkpoints behind.
const lookBack = 10_000

// DeadLetters is FindLetters without a filter.
func (l *Log) DeadLetters(ctx context.Context, after string, limit int) (letters []DeadLetter, next string, err error) {
	return l.FindLetters(ctx, LetterFilter{}, after, limit)
}

// FindLetters lists the dead letters that filter chooses by time, from cursor after
// (empty: from the oldest that is kept), at most limit (100 if it is not positive).
// A record that was refused again after a restart is listed once. next is empty at
// the end.
func (l *Log) FindLetters(ctx context.Context, filter LetterFilter, after string, limit int) (letters []DeadLetter, next string, err error) {
	if limit <= 0 {
		limit = 100
	}
	at, err := parseCursor(after)
	if err != nil {
		return nil, "", fmt.Errorf("list dead letters: %w", err)
	}
	queues, err := l.letters(ctx, filter, at, limit)
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
	return letters, nextLetters(queues), nil
}

// nextLetters returns the cursor behind what was taken of the queues; empty if
// nothing is left.
func nextLetters(queues []*letterQueue) string {
	more := false
	next := make([]int64, len(queues))
	for p, q := range queues {
		left := len(q.letters) > 0 || q.more
		if next[p] = q.next; !left {
			next[p] = q.end
		}
		more = more || left
	}
	if !more {
		return ""
	}
	text, _ := json.Marshal(next) // numbers always encode
	return base64.RawURLEncoding.EncodeToString(text)
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
	end     int64 // of the partition
	letters []DeadLetter
	offsets []int64
	more    bool
}

// letters reads at most limit new letters of each partition.
func (l *Log) letters(ctx context.Context, filter LetterFilter, at []int64, limit int) ([]*letterQueue, error) {
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
		if err := queues[p].fill(ctx, l, int32(p), filter, limit); err != nil {
			return nil, err
		}
	}
	return queues, nil
}

var errEnough = errors.New("enough")

func (q *letterQueue) fill(ctx context.Context, l *Log, partition int32, filter LetterFilter, limit int) error {
	topic := l.cfg.Topics.DeadLetters
	start, end, err := l.bounds(ctx, topic, partition)
	if err != nil {
		return err
	}
	q.end = end
	seen := map[Place]bool{}
	err = l.readRange(ctx, topic, partition, max(start, q.next-lookBack), end, func(r *kgo.Record) error {
		letter, ok := parseLetter(r)
		if !ok || seen[letter.Place()] {
			return nil // not written by a tap, or a record refused again
		}
		seen[letter.Place()] = true
		if r.Offset < q.next || !filter.Matches(&letter) {
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
	d := DeadLetter{Bytes: r.Value, Key: r.Key, Offset: -1, Size: len(r.Value), headers: -1}
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
		case letterReceived:
			d.Received, err = time.Parse(time.RFC3339Nano, string(h.Value))
		case letterAt:
			d.At, err = time.Parse(time.RFC3339Nano, text)
		case letterSize:
			d.Size, err = strconv.Atoi(text)
		case letterKeySize:
			d.keySize, err = strconv.Atoi(text)
		case letterMasked:
			d.Masked = text
		case letterHeaders:
			d.headers, err = strconv.Atoi(text)
		default:
			if !strings.HasPrefix(h.Key, letterPrefix) {
				d.Headers = append(d.Headers, Header{h.Key, h.Value})
			}
		}
		errs = append(errs, err)
	}
	return d, errors.Join(errs...) == nil && d.Topic != "" && d.Offset >= 0 && (d.Kind == Quarantined || d.Kind == DeadLettered)
}
