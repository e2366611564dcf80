package tap

import (
	"context"
	"testing"
	"time"
)

// newGrowing returns a log whose topics have so many partitions to begin with, and a
// context with a deadline.
func newGrowing(t *testing.T, partitions int32) (*Log, context.Context) {
	t.Helper()
	broker, err := StartBroker(BrokerConfig{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { broker.Close() })
	names := DefaultTopics()
	names.Partitions = partitions
	log, err := NewLog(LogConfig{Brokers: broker.Addrs(), Topics: names})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	t.Cleanup(cancel)
	if err := log.EnsureTopics(ctx, names.Writes); err != nil {
		t.Fatal(err)
	}
	return log, ctx
}

// TestWatermarkOfGrownTopic adds partitions behind the back of a producer that has
// written to the topic already. The next watermark must reach them, at once.
func TestWatermarkOfGrownTopic(t *testing.T) {
	const first, last = 2, 5
	log, ctx := newGrowing(t, first)
	for n := first; n <= last; n++ {
		if n > first {
			resp, err := log.admin.UpdatePartitions(ctx, n, log.cfg.Topics.Writes)
			if err == nil {
				err = resp.Error()
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := log.WriteWatermark(ctx, log.cfg.Topics.Writes, "", time.Unix(int64(n), 0)); err != nil {
			t.Fatalf("watermark of %d partitions: %v", n, err)
		}
	}
	for p := range int32(last) {
		want := int64(last - max(first-1, int(p))) // each partition has those since it was there
		if _, end, err := log.bounds(ctx, log.cfg.Topics.Writes, p); err != nil || end != want {
			t.Errorf("partition %d has %d watermarks, %v, want %d", p, end, err, want)
		}
	}
}

// TestStateOfGrownTopic wants a place in the profiles topic for the state of a
// partition that was added.
func TestStateOfGrownTopic(t *testing.T) {
	log, ctx := newGrowing(t, 1)
	if _, err := log.admin.UpdatePartitions(ctx, 3, log.cfg.Topics.Writes); err != nil {
		t.Fatal(err)
	}
	if err := log.holdState(ctx, source{log.cfg.Topics.Writes, 2}); err != nil {
		t.Fatal(err)
	}
	counts, err := log.Partitions(ctx, log.cfg.Topics.Profiles)
	if err != nil || counts[log.cfg.Topics.Profiles] != 3 {
		t.Errorf("profiles topic has %d partitions, %v, want 3", counts[log.cfg.Topics.Profiles], err)
	}
}
