package tap

import (
	"context"
	"testing"
	"time"
)

// TestWatermarkOfGrownTopic adds partitions behind the back of a producer that has
// written to the topic already. The next watermark must reach them, at once.
func TestWatermarkOfGrownTopic(t *testing.T) {
	const first, last = 2, 5
	broker, err := StartBroker(BrokerConfig{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	topics := DefaultTopics()
	topics.Partitions = first
	log, err := NewLog(LogConfig{Brokers: broker.Addrs(), Topics: topics})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	if err := log.EnsureTopics(ctx, topics.Writes); err != nil {
		t.Fatal(err)
	}
	for n := first; n <= last; n++ {
		if n > first {
			resp, err := log.admin.UpdatePartitions(ctx, n, topics.Writes)
			if err == nil {
				err = resp.Error()
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := log.WriteWatermark(ctx, topics.Writes, "", time.Unix(int64(n), 0)); err != nil {
			t.Fatalf("watermark of %d partitions: %v", n, err)
		}
	}
	for p := range int32(last) {
		want := int64(last - max(first-1, int(p))) // each partition has those since it was there
		if _, end, err := log.bounds(ctx, topics.Writes, p); err != nil || end != want {
			t.Errorf("partition %d has %d watermarks, %v, want %d", p, end, err, want)
		}
	}
}

// TestStateOfGrownTopic wants a place in the profiles topic for the state of a
// partition that was added.
func TestStateOfGrownTopic(t *testing.T) {
	broker, err := StartBroker(BrokerConfig{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	topics := DefaultTopics()
	topics.Partitions = 1
	log, err := NewLog(LogConfig{Brokers: broker.Addrs(), Topics: topics})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	if err := log.EnsureTopics(ctx, topics.Writes); err != nil {
		t.Fatal(err)
	}
	if _, err := log.admin.UpdatePartitions(ctx, 3, topics.Writes); err != nil {
		t.Fatal(err)
	}
	if err := log.holdState(ctx, source{topics.Writes, 2}); err != nil {
		t.Fatal(err)
	}
	counts, err := log.Partitions(ctx, topics.Profiles)
	if err != nil || counts[topics.Profiles] != 3 {
		t.Errorf("profiles topic has %d partitions, %v, want 3", counts[topics.Profiles], err)
	}
}
