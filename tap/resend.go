package tap

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/feature"
)

// HeaderReplayOf names, on a record that was sent again, the record that was refused,
// as topic/partition/offset.
const HeaderReplayOf = "sluice-replay-of"

// ErrResending reports that somebody else replays dead letters at this time. What
// this replay had not committed by then was not sent.
var ErrResending = errors.New("another replay of dead letters has taken over")

// Resend says which dead letters are sent again to the topics that they came from.
type Resend struct {
	Filter LetterFilter
	Places []Place // only the letters of these records; empty: all that the filter chooses
	After  string  // Next of the result before; empty: from the oldest letter on
	Limit  int     // at most so many letters; 1,000 if it is not positive
	Again  bool    // also those that were sent again before
	DryRun bool    // send nothing
	By     string  // who does it, for the mark
	// Before is called once it is known which letters are sent, and before any is; with an
	// error none is. Nil, and where none is sent: nobody is asked.
	Before func(ctx context.Context, letters []ResentLetter) error
}

// Outcome is what became of a letter.
type Outcome string

// The outcomes of a letter in a Resend.
const (
	Resent       Outcome = "replayed" // or would be, in a dry run
	ResentBefore Outcome = "already"  // and is left alone
	Unsendable   Outcome = "failed"
)

// ResentLetter is one letter of a Resend. Its Bytes are empty.
type ResentLetter struct {
	Letter  DeadLetter
	Outcome Outcome
	To      Place  // where the record stands now; Offset is -1 in a dry run
	Text    string // why it could not be sent
}

// ResendResult is what one Resend did. Letters that were refused after the first of
// several began are not among those that it chooses.
type ResendResult struct {
	Letters []ResentLetter
	Next    string // empty: that was all
}

const (
	resendLimit = 1000
	resendBytes = 32 << 20 // of records in one transaction
)

// Resend sends dead letters again: the original bytes with key and headers, and
// HeaderReplayOf besides, to the partition that they came from. A letter that was cut
// is read from its topic; one that is no longer whole anywhere is Unsendable. Sending
// and noting that it was done are one transaction, so that a letter is sent again once
// even if this process dies; the error is ErrResending if somebody else began a replay
// meanwhile.
func (l *Log) Resend(ctx context.Context, q Resend) (ResendResult, error) {
	result, err := l.resend(ctx, q)
	if err != nil {
		err = fmt.Errorf("replay dead letters: %w", err)
	}
	return result, err
}

func (l *Log) resend(ctx context.Context, q Resend) (ResendResult, error) {
	if q.Limit <= 0 {
		q.Limit = resendLimit
	}
	s := &resender{log: l, query: q, marks: map[Place][]Place{}, seen: map[Place]bool{}}
	if !q.DryRun {
		if err := s.claim(ctx); err != nil {
			return ResendResult{}, err
		}
		defer s.writer.close()
	}
	if err := s.collect(ctx); err != nil {
		return ResendResult{}, err
	}
	if err := s.sort(ctx); err != nil {
		return ResendResult{}, err
	}
	if !q.DryRun {
		if err := s.send(ctx); err != nil {
			return ResendResult{}, err
		}
	}
	return ResendResult{Letters: s.letters, Next: s.next.text()}, nil
}

// resendCursor is how far a replay is, and where the letters ended when it began.
type resendCursor struct {
	Next []int64 `json:"next"`
	End  []int64 `json:"end"`
}

func (c resendCursor) text() string {
	if slices.Equal(c.Next, c.End) {
		return ""
	}
	text, _ := json.Marshal(c) // numbers always encode
	return base64.RawURLEncoding.EncodeToString(text)
}

func parseResendCursor(after string) (c resendCursor, err error) {
	text, err := base64.RawURLEncoding.DecodeString(after)
	if err == nil {
		err = json.Unmarshal(text, &c)
	}
	if err != nil || len(c.Next) != len(c.End) || slices.ContainsFunc(c.Next, func(n int64) bool { return n < 0 }) {
		return c, fmt.Errorf("%.64q: %w", after, ErrCursor)
	}
	return c, nil
}

// resender is one Resend under way.
type resender struct {
	log     *Log
	query   Resend
	writer  *writer
	next    resendCursor
	marks   map[Place][]Place // records that were sent again, and where to
	seen    map[Place]bool
	bytes   int
	letters []ResentLetter
	records []*kgo.Record // by letter; nil: nothing to send
	at      []int32       // by letter: its partition of the dead-letter topic
}

// claim makes this process the one that replays: a transaction that another has not
// ended is aborted.
func (s *resender) claim(ctx context.Context) error {
	client, err := kgo.NewClient(append(baseOptions(s.log.cfg.Brokers),
		kgo.TransactionalID("sluice-replay-"+s.log.cfg.Topics.DeadLetters),
		kgo.TransactionTimeout(transactionTimeout),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchMaxBytesFn(s.log.largest),
		kgo.ProducerLinger(0),
		kgo.RecordDeliveryTimeout(transactionTimeout/2),
	)...)
	if err != nil {
		return fmt.Errorf("%w: %w", errLog, err)
	}
	s.writer = &writer{client: client}
	if _, _, err := client.ProducerID(ctx); err != nil {
		client.Close()
		return fmt.Errorf("%w: %w", errLog, err)
	}
	return nil
}

// collect finds the letters of this call and the marks of those sent before.
func (s *resender) collect(ctx context.Context) error {
	topic := s.log.cfg.Topics.DeadLetters
	if s.query.After != "" {
		var err error
		if s.next, err = parseResendCursor(s.query.After); err != nil {
			return err
		}
	}
	counts, err := s.log.partitions(ctx, topic)
	if err != nil {
		return err
	}
	for p := range counts[topic] {
		start, end, err := s.log.bounds(ctx, topic, p)
		if err != nil {
			return err
		}
		if int(p) == len(s.next.Next) { // also of partitions that came meanwhile
			limit := end
			if s.query.After != "" {
				limit = start
			}
			s.next.Next, s.next.End = append(s.next.Next, start), append(s.next.End, limit)
		}
		if err := s.partition(ctx, p, start, end); err != nil {
			return err
		}
	}
	return nil
}

// partition reads one partition of the dead-letter topic: letters up to the limits, and
// marks to its end.
func (s *resender) partition(ctx context.Context, p int32, start, end int64) error {
	next, last := &s.next.Next[p], s.next.End[p]
	from := *next
	full := false
	err := s.log.readRange(ctx, s.log.cfg.Topics.DeadLetters, p, max(start, from-lookBack), end, func(r *kgo.Record) error {
		if of, to, ok := parseMark(r); ok {
			s.marks[of] = append(s.marks[of], to)
			return nil
		}
		if full || r.Offset >= last {
			return nil
		}
		letter, ok := parseLetter(r)
		if r.Offset >= from {
			*next = r.Offset + 1
		}
		if !ok || s.seen[letter.Place()] || !s.chosen(&letter) {
			return nil
		}
		if r.Offset >= from && (len(s.letters) >= s.query.Limit || s.bytes+letter.Size > resendBytes && len(s.letters) > 0) {
			*next, full = r.Offset, true
			return nil
		}
		s.seen[letter.Place()] = true
		if r.Offset >= from {
			s.bytes += letter.Size
			s.letters, s.at = append(s.letters, ResentLetter{Letter: letter}), append(s.at, p)
		}
		return nil
	})
	if err == nil && !full {
		*next = last
	}
	return err
}

func (s *resender) chosen(d *DeadLetter) bool {
	return s.query.Filter.Matches(d) && (len(s.query.Places) == 0 || slices.Contains(s.query.Places, d.Place()))
}

// sort says what becomes of each letter, and makes the records to send.
func (s *resender) sort(ctx context.Context) error {
	counts := map[string]int32{}
	s.records = make([]*kgo.Record, len(s.letters))
	for i := range s.letters {
		l := &s.letters[i]
		if to := s.marks[l.Letter.Place()]; len(to) > 0 && !s.query.Again {
			l.Outcome, l.To = ResentBefore, to[len(to)-1]
			l.Letter.Bytes = nil
			continue
		}
		r, err := s.record(ctx, &l.Letter, counts)
		switch {
		case errors.Is(err, feature.ErrExpired) || errors.Is(err, kerr.UnknownTopicOrPartition) || errors.Is(err, errUnfit):
			l.Outcome, l.Text = Unsendable, err.Error()
		case err != nil:
			return err
		default:
			l.Outcome, l.To, s.records[i] = Resent, Place{r.Topic, r.Partition, -1}, r
		}
		l.Letter.Bytes = nil
	}
	return nil
}

// record makes the record that a letter stands for.
func (s *resender) record(ctx context.Context, d *DeadLetter, counts map[string]int32) (*kgo.Record, error) {
	n, known := counts[d.Topic]
	if !known {
		found, err := s.log.partitions(ctx, d.Topic)
		if err != nil {
			return nil, fmt.Errorf("topic %s: %w", d.Topic, err)
		}
		n = found[d.Topic]
		counts[d.Topic] = n
		if n > 0 {
			if err := s.log.learn(ctx, []string{d.Topic}); err != nil {
				return nil, err
			}
		}
	}
	if n == 0 {
		return nil, fmt.Errorf("topic %s: %w", d.Topic, kerr.UnknownTopicOrPartition)
	}
	r := &kgo.Record{Topic: d.Topic, Partition: d.Partition % n, Key: d.Key, Value: d.Bytes}
	headers := d.Headers
	if !d.whole() {
		original, err := s.log.original(ctx, d.Place())
		if err != nil {
			if d.Masked != "" {
				return nil, fmt.Errorf("card numbers in the letter are masked, and the record itself: %w", err)
			}
			return nil, fmt.Errorf("the letter holds %d of %d bytes, and the record itself: %w", len(d.Bytes), d.Size, err)
		}
		r.Key, r.Value, headers = original.Key, original.Value, nil
		for _, h := range original.Headers {
			headers = append(headers, Header{h.Key, h.Value})
		}
	}
	for _, h := range headers {
		if h.Key != HeaderReplayOf {
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
	}
	r.Headers = append(r.Headers, kgo.RecordHeader{Key: HeaderReplayOf, Value: []byte(d.Place().String())})
	if size, most := batchSize(r), s.log.largest(d.Topic); size > int(most) {
		return nil, fmt.Errorf("%w: a batch of it alone has %d bytes, topic %s takes %d (its max.message.bytes)", errUnfit, size, d.Topic, most)
	}
	return r, nil
}

// errUnfit reports a record that was once taken, in a compressed batch or under other
// settings, and that its topic no longer takes.
var errUnfit = errors.New("the record does not fit its topic")

// batchSize is at most how many bytes a batch of one record has before it is
// compressed.
func batchSize(r *kgo.Record) int {
	const batch, record, header = 61, 36, 10 // the fixed fields, and lengths as varints
	size := batch + record + len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		size += header + len(h.Key) + len(h.Value)
	}
	return size
}

// original reads one record; feature.ErrExpired if the log no longer holds it.
func (l *Log) original(ctx context.Context, at Place) (*kgo.Record, error) {
	start, end, err := l.bounds(ctx, at.Topic, at.Partition)
	if err != nil {
		return nil, err
	}
	var found *kgo.Record
	if start <= at.Offset {
		err = l.readRange(ctx, at.Topic, at.Partition, at.Offset, min(end, at.Offset+1), func(r *kgo.Record) error {
			found = r
			return nil
		})
	}
	if err == nil && found == nil {
		err = fmt.Errorf("%s: %w", at, feature.ErrExpired)
	}
	return found, err
}

// send sends the records and marks their letters, in one transaction.
func (s *resender) send(ctx context.Context) error {
	if !slices.ContainsFunc(s.records, func(r *kgo.Record) bool { return r != nil }) {
		return nil
	}
	if s.query.Before != nil {
		if err := s.query.Before(ctx, s.sent()); err != nil {
			return err
		}
	}
	if err := s.writer.begin(); err != nil {
		return s.taken(err)
	}
	for _, r := range s.records {
		if r != nil {
			s.writer.put(ctx, r)
		}
	}
	if err := s.writer.flush(ctx); err != nil { // the marks need the places
		return s.taken(err)
	}
	for i, r := range s.records {
		if r == nil {
			continue
		}
		l := &s.letters[i]
		l.To = Place{r.Topic, r.Partition, r.Offset}
		s.writer.put(ctx, newMark(s.log.cfg.Topics.DeadLetters, s.at[i], l.Letter.Place(), l.To, s.query.By))
	}
	return s.taken(s.writer.commit(ctx))
}

// sent returns the letters of which there are records.
func (s *resender) sent() (letters []ResentLetter) {
	for i, r := range s.records {
		if r != nil {
			letters = append(letters, s.letters[i])
		}
	}
	return letters
}

// taken says who is in the way where a transaction was fenced.
func (s *resender) taken(err error) error {
	if errors.Is(err, errFenced) {
		return fmt.Errorf("%w: %w", ErrResending, err)
	}
	return err
}
