package tap

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// EnsureTopics creates what is missing of the given topics of writes (the default
// one among them), the dead letters and the profiles topic, which is compacted
// and has as many partitions as the largest of the others. Topics that exist stay
// as they are, but a profiles topic with fewer partitions gets more.
func (l *Log) EnsureTopics(ctx context.Context, writes ...string) error {
	t := l.cfg.Topics
	names := append([]string{t.Writes, t.DeadLetters}, writes...)
	slices.Sort(names)
	names = slices.Compact(names)
	large := map[string]*string{"max.message.bytes": kadm.StringPtr(strconv.Itoa(maxBatch))}
	if err := l.create(ctx, t.Partitions, large, names...); err != nil {
		return err
	}
	most := t.Partitions
	counts, err := l.partitions(ctx, names...)
	if err != nil {
		return err
	}
	if err := l.learn(ctx, names); err != nil {
		return err
	}
	for _, n := range counts {
		most = max(most, n)
	}
	compacted := map[string]*string{
		"cleanup.policy": kadm.StringPtr("compact"), "min.cleanable.dirty.ratio": kadm.StringPtr("0.2"),
		"segment.bytes": kadm.StringPtr(strconv.Itoa(64 << 20)),
	}
	if err := l.create(ctx, most, compacted, t.Profiles); err != nil {
		return err
	}
	counts, err = l.partitions(ctx, t.Profiles)
	if err != nil || counts[t.Profiles] >= most {
		return err
	}
	resp, err := l.admin.UpdatePartitions(ctx, int(most), t.Profiles)
	if err == nil {
		err = resp.Error()
	}
	if err != nil {
		return fmt.Errorf("grow topic %s to %d partitions: %w", t.Profiles, most, err)
	}
	return nil
}

func (l *Log) create(ctx context.Context, partitions int32, configs map[string]*string, names ...string) error {
	resp, err := l.admin.CreateTopics(ctx, partitions, -1, configs, names...)
	if err != nil {
		return fmt.Errorf("create topics %v: %w", names, err)
	}
	for _, r := range resp.Sorted() {
		if r.Err != nil && !errors.Is(r.Err, kerr.TopicAlreadyExists) {
			return fmt.Errorf("create topic %s: %w", r.Topic, r.Err)
		}
	}
	return nil
}

// Partitions returns how many partitions each topic has.
func (l *Log) Partitions(ctx context.Context, topics ...string) (map[string]int32, error) {
	return l.partitions(ctx, topics...)
}

// A topic that was just created is known to every broker a moment later.
const (
	knownWithin = 5 * time.Second
	knownAgain  = 20 * time.Millisecond
)

// partitions counts the partitions of topics. It waits for those that the brokers
// do not know yet.
func (l *Log) partitions(ctx context.Context, topics ...string) (map[string]int32, error) {
	waiting, cancel := context.WithTimeout(ctx, knownWithin)
	defer cancel()
	for {
		counts, err := l.countPartitions(ctx, topics)
		if !errors.Is(err, kerr.UnknownTopicOrPartition) {
			return counts, err
		}
		select {
		case <-waiting.Done():
			return nil, err
		case <-time.After(knownAgain):
		}
	}
}

func (l *Log) countPartitions(ctx context.Context, topics []string) (map[string]int32, error) {
	details, err := l.admin.ListTopics(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("list topics %v: %w", topics, err)
	}
	counts := map[string]int32{}
	for _, d := range details {
		if d.Err != nil {
			return nil, fmt.Errorf("list topic %s: %w", d.Topic, d.Err)
		}
		counts[d.Topic] = int32(len(d.Partitions))
	}
	return counts, nil
}
