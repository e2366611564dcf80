package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"sluice/tap"
)

// errOtherLog is that the log is not the one that the registry's writes were read from.
var errOtherLog = errors.New("name the log of this installation (kafka.brokers, kafka.writes); if its topics were lost and made anew, start a tap on them first")

// own refuses a log of which the registry knows no partition by the id of its topic, though
// it has topics of the same names: what is saved, or read again, would be of another
// installation. states are those of the log.
func (p *parts) own(ctx context.Context, states []tap.State) error {
	known, nameless, other := map[string][]string{}, false, []string(nil)
	err := p.registry.ReadSources(ctx, func(topic string, _ int32, topicID string) error {
		nameless = nameless || topicID == ""
		if !slices.Contains(known[topic], topicID) {
			known[topic] = append(known[topic], topicID)
		}
		return nil
	})
	if err != nil || nameless {
		return err
	}
	for _, s := range states {
		if slices.Contains(known[s.Topic], s.TopicID) {
			return nil
		}
	}
	for topic, ids := range known {
		now, err := p.log.TopicIDs(ctx, topic)
		if err != nil {
			return err
		}
		id, there := now[topic]
		if slices.Contains(ids, id) {
			return nil
		}
		if there {
			other = append(other, topic)
		}
	}
	if len(other) == 0 {
		return nil
	}
	slices.Sort(other)
	return fmt.Errorf("%s at %s: not what this registry's writes were read from: %w", strings.Join(other, ", "), strings.Join(p.brokers, ","), errOtherLog)
}
