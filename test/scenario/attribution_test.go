package scenario

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// One of three producers sends cents from the middle of a window on: the verdict names it,
// and in each partition a record at or near its first bad one.
func TestAttribution(t *testing.T) {
	h := openHouse(t)
	h.define()
	log, err := kgo.NewClient(kgo.SeedBrokers(h.kafka), kgo.DefaultProduceTopic("sluice.writes"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	const partitions, bad = 4, 24
	firstBad := map[string]int64{}
	for i := range bad + 1 {
		var records []*kgo.Record
		for j, w := range payments(i, 1) {
			producer := fmt.Sprintf("pos-%d", j%3)
			cents := i == bad && j >= *windowRows/2 && producer == "pos-2"
			if cents {
				w.Values["amount"] = 100 * w.Values["amount"].(float64)
			}
			body, err := json.Marshal(map[string]any{"view": w.View, "key": w.Key, "event_time": w.EventTime, "values": w.Values})
			if err != nil {
				t.Fatal(err)
			}
			records = append(records, &kgo.Record{Partition: int32(j / 3 % partitions), Value: body, Headers: []kgo.RecordHeader{
				{Key: "producer", Value: []byte(producer)}, {Key: "schema", Value: []byte("v3")}, {Key: "cents", Value: fmt.Append(nil, cents)},
			}})
		}
		if err := log.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
			t.Fatal(err)
		}
		for _, r := range records {
			name := fmt.Sprintf("%s/%d", r.Topic, r.Partition)
			if _, known := firstBad[name]; !known && string(r.Headers[2].Value) == "true" {
				firstBad[name] = r.Offset
			}
		}
		if err := h.push(i, nil); err != nil {
			t.Fatal(err)
		}
	}
	v, err := h.judged(bad)
	if err != nil || v.Decision != "reject" {
		t.Fatalf("window of a producer with another unit: %+v, %v, want it rejected", v, err)
	}
	h.storesOrigins(t, v.ID, firstBad)
	h.namesProducer(t, v.ID, firstBad)
}

// storesOrigins waits until it is stored where the reasons of a verdict begin, for which
// nobody asked: ?trace=false reads no log.
func (h *house) storesOrigins(t *testing.T, id string, firstBad map[string]int64) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); <-tick.C {
		var v struct {
			Reasons []struct {
				FirstOffset map[string]int64 `json:"first_offset"`
			}
		}
		if err := h.get("/api/v1/verdicts/"+id+"?trace=false", &v); err != nil {
			t.Fatal(err)
		}
		if len(v.Reasons[0].FirstOffset) == len(firstBad) {
			return
		}
	}
	t.Error("where the verdict's reasons begin was not stored")
}

func (h *house) namesProducer(t *testing.T, id string, firstBad map[string]int64) {
	t.Helper()
	var v struct {
		Reasons []struct {
			Feature, Producer, Slice, Text string
			FirstOffset                    map[string]int64 `json:"first_offset"`
			Shares                         []struct {
				Dimension, Value string
				Share            float64
			}
		}
	}
	if err := h.get("/api/v1/verdicts/"+id, &v); err != nil {
		t.Fatal(err)
	}
	r := v.Reasons[0]
	if r.Feature != "amount" || r.Producer != "pos-2" || !strings.Contains(r.Text, "comes from producer=pos-2") || len(r.Shares) == 0 || r.Shares[0].Value != "pos-2" {
		t.Errorf("reason %+v, want producer pos-2 in it", r)
	}
	for partition, first := range firstBad {
		// A partition has every twelfth row of a producer, and other producers' between.
		if got, ok := r.FirstOffset[partition]; !ok || got < first-9 || got > first+9 {
			t.Errorf("it begins at %v, want within three rows of the producer of %v", r.FirstOffset, firstBad)
			break
		}
	}
	out, code := h.sluice("explain", id)
	if code != 0 || !strings.Contains(out, "comes from producer=pos-2") || !strings.Contains(out, "It begins at offset ") {
		t.Errorf("explain: exit %d: %s", code, out)
	}
	t.Logf("%s", out)
	if out, code := h.sluice("verdict", "verify", id); code != 0 {
		t.Errorf("verify: exit %d: %s", code, out)
	}
}
