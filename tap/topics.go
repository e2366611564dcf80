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
	"github.com/twmb/franz-go/pkg/kmsg"
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
		"cleanup.policy": kadm.StringPtr(Compacted), "min.cleanable.dirty.ratio": kadm.StringPtr("0.2"),
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

// Compacted is the cleanup.policy of the profiles topic.
const Compacted = "compact"

// policy returns the cleanup.policy of the profiles topic; empty if that is not told.
func (l *Log) policy(ctx context.Context) (string, error) {
	topic := l.cfg.Topics.Profiles
	configs, err := l.admin.DescribeTopicConfigs(ctx, topic)
	if err != nil {
		return "", fmt.Errorf("read settings of topic %s: %w", topic, err)
	}
	for _, c := range configs {
		for _, pair := range c.Configs {
			if pair.Key == "cleanup.policy" {
				return pair.MaybeValue(), nil
			}
		}
	}
	return "", nil
}

// holdState makes sure that the profiles topic has a partition for the state of a
// source partition, which may have been added to its topic since.
func (l *Log) holdState(ctx context.Context, at source) error {
	counts, err := l.partitions(ctx, l.cfg.Topics.Profiles)
	switch {
	case errors.Is(err, kerr.UnknownTopicOrPartition): // deleted
	case err != nil || at.partition < counts[l.cfg.Topics.Profiles]:
		return err
	}
	return l.EnsureTopics(ctx, at.topic)
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

// countPartitions asks a broker. The admin client would say what it was told within the
// last MetadataMinAge, and a window could be closed without a partition added since.
func (l *Log) countPartitions(ctx context.Context, topics []string) (map[string]int32, error) {
	req := kmsg.NewPtrMetadataRequest()
	for _, name := range topics {
		topic := kmsg.NewMetadataRequestTopic()
		topic.Topic = kmsg.StringPtr(name)
		req.Topics = append(req.Topics, topic)
	}
	resp, err := req.RequestWith(ctx, l.client)
	if err != nil {
		return nil, fmt.Errorf("list topics %v: %w", topics, away(err))
	}
	counts := map[string]int32{}
	for _, t := range resp.Topics {
		if t.Topic == nil {
			continue
		}
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
			return nil, fmt.Errorf("list topic %s: %w", *t.Topic, err)
		}
		counts[*t.Topic] = int32(len(t.Partitions))
		l.recognise(*t.Topic, t.TopicID)
	}
	return counts, nil
}

// recognise notes the id of a topic. The client keeps to the topic that it knew: one
// that was deleted and made anew under its name has to be forgotten first, or nothing
// could be written to it until this process ends.
func (l *Log) recognise(topic string, id [16]byte) {
	if id == ([16]byte{}) {
		return // a broker that knows no ids
	}
	l.mu.Lock()
	former, known := l.ids[topic]
	l.ids[topic] = id
	l.mu.Unlock()
	if known && former != id {
		l.client.PurgeTopicsFromClient(topic)
	}
}

// identify returns the id of a topic as the brokers know it now; empty if they know no
// ids.
func (l *Log) identify(ctx context.Context, topic string) (string, error) {
	if _, err := l.partitions(ctx, topic); err != nil {
		return "", err
	}
	return l.identity(topic), nil
}

// identity returns the id that a topic had when it was last asked for; empty if it was
// not, or has none.
func (l *Log) identity(topic string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	id, known := l.ids[topic]
	if !known {
		return ""
	}
	return kadm.TopicID(id).String()
}
