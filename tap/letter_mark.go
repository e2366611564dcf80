package tap

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/feature"
)

// The headers of a mark: a record of the dead-letter topic, behind the letter and in its
// partition, that says that the letter was sent again. It has no kind, so that it is no
// letter.
const (
	markOf = letterPrefix + "replayed"
	markTo = letterPrefix + "replayed-as"
	markBy = letterPrefix + "replayed-by"
)

func newMark(topic string, partition int32, of, to Place, by string) *kgo.Record {
	return &kgo.Record{Topic: topic, Partition: partition, Headers: []kgo.RecordHeader{
		{Key: markOf, Value: []byte(of.String())}, {Key: markTo, Value: []byte(to.String())},
		{Key: markBy, Value: []byte(clip(by))},
		{Key: letterAt, Value: []byte(time.Now().UTC().Format(time.RFC3339Nano))},
	}}
}

// parseMark reads a mark; false if r is none.
func parseMark(r *kgo.Record) (of, to Place, ok bool) {
	a, isMark := header(r, markOf)
	b, whole := header(r, markTo)
	if !isMark || !whole {
		return of, to, false
	}
	of, err := ParsePlace(a)
	to, err2 := ParsePlace(b)
	return of, to, err == nil && err2 == nil
}

// FindLetter returns the newest dead letter of a record and where it was sent again, in
// the order of sending; feature.ErrNotFound if there is none.
func (l *Log) FindLetter(ctx context.Context, at Place) (letter DeadLetter, sent []Place, err error) {
	topic := l.cfg.Topics.DeadLetters
	counts, err := l.partitions(ctx, topic)
	if err != nil {
		return letter, nil, fmt.Errorf("find dead letter %s: %w", at, err)
	}
	found := false
	for p := range counts[topic] {
		start, end, err := l.bounds(ctx, topic, p)
		if err == nil {
			err = l.readRange(ctx, topic, p, start, end, func(r *kgo.Record) error {
				if of, to, ok := parseMark(r); ok && of == at {
					sent = append(sent, to)
				} else if d, ok := parseLetter(r); ok && d.Place() == at {
					letter, found = d, true
				}
				return nil
			})
		}
		if err != nil {
			return letter, nil, fmt.Errorf("find dead letter %s: %w", at, err)
		}
	}
	if !found {
		return letter, nil, fmt.Errorf("dead letter %s: %w", at, feature.ErrNotFound)
	}
	return letter, sent, nil
}
