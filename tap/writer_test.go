package tap

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A claim is in the log when it returns, and the writer's next transaction commits, also
// where the client is interrupted at its first record. That takes other processes that
// want the processors: six of this test at once, under the race detector on two cores,
// failed in 24 of 30 runs before a claim was two records, and in none of 30 since.
func TestClaimIsCommitted(t *testing.T) {
	const claims, partitions = 400, 4
	r := newRig(t, partitions, delays())
	topic := r.log.cfg.Topics.Profiles
	take := func(at source) error {
		w, err := newWriter(r.broker.Addrs(), at)
		if err != nil {
			return err
		}
		defer w.close()
		if _, err := w.claim(r.ctx, topic, at); err != nil {
			return fmt.Errorf("claim: %w", err)
		}
		if err := w.begin(); err != nil {
			return fmt.Errorf("begin: %w", err)
		}
		w.put(r.ctx, &kgo.Record{Topic: topic, Partition: at.partition, Key: stateKey{kind: kindProgress, at: at}.append(nil), Value: []byte("{}")})
		if err := w.commit(r.ctx); err != nil {
			return fmt.Errorf("commit: %w", err)
		}
		return nil
	}
	for i := range claims {
		if err := take(source{fmt.Sprintf("writes%d", i), int32(i % partitions)}); err != nil {
			t.Fatalf("writer %d: %v", i, err)
		}
	}
	there := map[source]bool{}
	for p := range int32(partitions) {
		start, end, err := r.log.bounds(r.ctx, topic, p)
		if err != nil {
			t.Fatal(err)
		}
		err = r.log.readRange(r.ctx, topic, p, start, end, func(r *kgo.Record) error {
			if k, err := parseKey(r.Key); err == nil && k.kind == kindClaim {
				there[k.at] = true
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(there) != claims {
		t.Errorf("%d claims are in the log, want %d", len(there), claims)
	}
}
