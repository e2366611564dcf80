package app

import (
	"context"
	"slices"

	"sluice/feature"
	"sluice/store/registry"
)

// begun knows which source partitions were read before, for the tap, which must not take
// one whose progress was lost for a new one. The registry has a note of each; of those that
// only a release read that made none, it has the spans of their windows.
type begun struct {
	*registry.Registry
	catalog *catalog
	topics  *topics
}

// Begun returns under which id a partition's topic was last read, and whether the partition
// ever was.
func (b begun) Begun(ctx context.Context, topic string, partition int32) (topicID string, known bool, err error) {
	if topicID, known, err = b.Registry.Begun(ctx, topic, partition); known || err != nil {
		return topicID, known, err
	}
	defs := b.catalog.Definitions()
	for i := range defs.Views {
		if b.topics.of(&defs.Views[i]) != topic {
			continue
		}
		versions, err := b.Versions(ctx, defs.Views[i].ID, 0, 0)
		if err != nil {
			return "", false, err
		}
		if id := spanOf(versions, topic, partition); id != "" {
			return id, true, nil
		}
	}
	return "", false, nil
}

// spanOf returns the id that a topic had when the newest of versions was sealed that has
// records of the partition; empty if none has, or the id was not known.
func spanOf(versions []feature.VersionInfo, topic string, partition int32) string {
	for _, v := range slices.Backward(versions) {
		for _, s := range v.Spans {
			if s.Topic == topic && s.Partition == partition && s.TopicID != "" {
				return s.TopicID
			}
		}
	}
	return ""
}
