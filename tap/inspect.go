package tap

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// BrokerInspection is what a look at the brokers found.
type BrokerInspection struct {
	Brokers int
	Version string // what the first broker seems to be, such as v4.0
	Topics  []TopicInspection
}

// TopicInspection is what a look at a topic found.
type TopicInspection struct {
	Name       string
	Missing    bool // it is made when the platform starts
	Partitions int
	Replicas   int     // of the partition that has the fewest
	Leaderless []int32 // partitions that cannot be read or written now
	Policy     string  // cleanup.policy of the profiles topic; empty for the others, and if it is not told
}

// Inspect asks the brokers of the log what they are, and about the given topics and
// Sluice's own. Nothing is changed. The error is that no broker answers.
func (l *Log) Inspect(ctx context.Context, writes ...string) (BrokerInspection, error) {
	t := l.cfg.Topics
	names := append([]string{t.Writes, t.Profiles, t.DeadLetters}, writes...)
	slices.Sort(names)
	names = slices.Compact(names)
	meta, err := l.admin.Metadata(ctx, names...)
	if err != nil {
		return BrokerInspection{}, fmt.Errorf("inspect log: %w", err)
	}
	found := BrokerInspection{Brokers: len(meta.Brokers)}
	versions, err := l.admin.ApiVersions(ctx)
	if err != nil {
		return found, fmt.Errorf("inspect log: versions of the brokers: %w", err)
	}
	if sorted := versions.Sorted(); len(sorted) > 0 && sorted[0].Err == nil {
		found.Version = sorted[0].VersionGuess()
	}
	for _, name := range names {
		found.Topics = append(found.Topics, inspectTopic(name, meta.Topics[name]))
		if last := &found.Topics[len(found.Topics)-1]; name == t.Profiles && !last.Missing {
			if last.Policy, err = l.policy(ctx); err != nil {
				return found, fmt.Errorf("inspect log: %w", err)
			}
		}
	}
	return found, nil
}

func inspectTopic(name string, detail kadm.TopicDetail) TopicInspection {
	topic := TopicInspection{Name: name, Missing: errors.Is(detail.Err, kerr.UnknownTopicOrPartition) || detail.Topic == ""}
	for _, p := range detail.Partitions.Sorted() {
		topic.Partitions++
		if topic.Replicas == 0 || len(p.Replicas) < topic.Replicas {
			topic.Replicas = len(p.Replicas)
		}
		if p.Leader < 0 || errors.Is(p.Err, kerr.LeaderNotAvailable) {
			topic.Leaderless = append(topic.Leaderless, p.Partition)
		}
	}
	return topic
}
