package scenario

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// kafkaRecords sends over the Kafka protocol what HTTP cannot carry.
func (h *house) kafkaRecords(t *testing.T, want *tally) {
	producer, err := kgo.NewClient(kgo.SeedBrokers(h.kafka), kgo.ProducerBatchMaxBytes(8<<20), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	header := func(key, value string) []kgo.RecordHeader {
		return []kgo.RecordHeader{{Key: key, Value: []byte(value)}}
	}
	at := windowStart(1).Add(time.Minute).Format(time.RFC3339)
	for _, tc := range []struct {
		badWrite
		topic   string
		headers []kgo.RecordHeader
	}{
		{badWrite{name: "no value", fate: deadLettered, reason: "decode", says: []string{"without a value", "delete"}}, "sluice.writes", nil},
		{badWrite{name: "white space", record: " \n", fate: deadLettered, reason: "decode", says: []string{"object"}}, "sluice.writes", nil},
		{badWrite{name: "line breaks", record: "{\n\"view\":\n\"typed\",\"x\n", fate: deadLettered, reason: "decode"}, "sluice.writes", nil},
		{badWrite{name: "bytes", record: "\x00\xff\x00\x01Avro?", fate: deadLettered, reason: "decode", says: []string{"byte 0"}}, "sluice.writes", nil},
		{badWrite{name: "record above 1 MiB", record: typedRecord("big", `"text":`+quote(strings.Repeat("x", 1<<20))), fate: deadLettered, reason: "too_large", says: []string{"1048576"}}, "sluice.writes", nil},
		{badWrite{name: "header names no view", record: `{"id":"a"}`, fate: deadLettered, reason: "unknown_view", says: []string{"sluice-view"}}, "sluice.writes", header("sluice-view", "typo")},
		{badWrite{name: "watermark that is no time", record: "", fate: deadLettered, reason: "invalid_argument", says: []string{"sluice-watermark", "soon"}}, "sluice.writes", header("sluice-watermark", "soon")},
		{badWrite{name: "watermark of another age", record: "", fate: deadLettered, reason: "invalid_argument", says: []string{"sluice-watermark"}}, "sluice.writes", header("sluice-watermark", "9999-01-01T00:00:00Z")},
		{badWrite{name: "watermark of no view", record: "", fate: deadLettered, reason: "unknown_view"}, "sluice.writes",
			append(header("sluice-watermark", "2026-05-01T00:00:00Z"), kgo.RecordHeader{Key: "sluice-view", Value: []byte("typo")})},
		{badWrite{name: "flat topic, malformed", record: `{"id":"a",`, fate: deadLettered, reason: "decode", says: []string{"flat"}}, "flat.writes", nil},
		{badWrite{name: "flat topic, wrong type", record: `{"id":"a","ts":"` + at + `","value":"x"}`, fate: deadLettered, reason: "type", feature: "v", says: []string{"value"}}, "flat.writes", nil},
		{badWrite{name: "flat topic, no time", record: `{"id":"a","event_time":"` + at + `","value":1}`, fate: deadLettered, reason: "invalid_argument", says: []string{`"ts"`}}, "flat.writes", nil},
		{badWrite{name: "flat topic, other columns", record: `{"id":"a","ts":"` + at + `","value":1,"colour":"red"}`, fate: accepted}, "flat.writes", nil},
		{badWrite{name: "good", record: strings.Replace(typedRecord("kafka", `"f64":3`), first.Add(time.Minute).Format(time.RFC3339), at, 1), fate: accepted}, "sluice.writes", header("event_id", "k1")},
		{badWrite{name: "good again", record: strings.Replace(typedRecord("kafka", `"f64":4`), first.Add(time.Minute).Format(time.RFC3339), at, 1), fate: duplicate}, "sluice.writes", header("event_id", "k1")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := &kgo.Record{Topic: tc.topic, Partition: 2, Headers: tc.headers}
			if tc.record != "" {
				r.Value = []byte(tc.record)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if err := producer.ProduceSync(ctx, r).FirstErr(); err != nil {
				t.Fatalf("produce: %v", err)
			}
			want.count(tc.fate)
			if tc.fate == accepted || tc.fate == duplicate {
				return
			}
			var found letter
			path := fmt.Sprintf("/api/v1/deadletters/%s/%d/%d", r.Topic, r.Partition, r.Offset)
			h.until("dead letter of "+tc.name, 20*time.Second, func() error { return h.get(path, &found) })
			tc.compare(t, found)
			if n := min(len(tc.record), 900_000); len(found.Bytes) < n || string(found.Bytes[:n]) != tc.record[:n] {
				t.Errorf("dead letter has %d bytes, %.40q, want the %d of the record", len(found.Bytes), found.Bytes, len(tc.record))
			}
		})
	}
	for _, topic := range []string{"sluice.profiles", "sluice.dead"} {
		for _, value := range []string{"garbage", "{}", "\x00\x01\x02"} {
			r := &kgo.Record{Topic: topic, Partition: 2, Key: []byte(value), Value: []byte(value)}
			if err := producer.ProduceSync(t.Context(), r).FirstErr(); err != nil {
				t.Fatalf("produce to %s: %v", topic, err)
			}
		}
	}
	clean := cleanTyped(1)
	h.writes(t, "typed", clean...)
	want.Received, want.Accepted = want.Received+len(clean), want.Accepted+len(clean)
	h.close(t, 1, "typed")
	if v := h.verdictOf(t, "typed", 1); v.Decision != "publish" || v.Rows != len(clean)+1 {
		t.Errorf("clean window after the bad records: %s, %s, %d rows, want it published with %d: %+v", v.State, v.Decision, v.Rows, len(clean)+1, v.Reasons)
	}
	h.addsUpTo(t, *want)
}

// future sets the clock: what lies ahead of it is kept out and moves no watermark.
func (h *house) future(t *testing.T, want *tally) {
	if err := h.post("/api/v1/clock", map[string]any{"now": windowStart(2).Add(30 * time.Minute)}, nil); err != nil {
		t.Fatal(err)
	}
	record := func(id string, at time.Time) string {
		return strings.Replace(typedRecord(id, `"f64":1`), first.Add(time.Minute).Format(time.RFC3339), at.Format(time.RFC3339), 1)
	}
	ahead := record("ahead", windowStart(5))
	edge := record("edge", windowStart(2).Add(35*time.Minute))
	late := record("late", windowStart(0).Add(time.Minute))
	h.writes(t, "typed", append(cleanTyped(2), ahead, edge, late)...)
	want.Received, want.Accepted, want.Late, want.Quarantined = want.Received+cleanRows+3, want.Accepted+cleanRows+2, want.Late+1, want.Quarantined+1
	h.addsUpTo(t, *want)
	c := badWrite{name: "ahead", record: ahead, fate: quarantined, reason: "future", says: []string{"typed", "ahead of the clock", "5m", "check the producer's clock"}}
	i := slices.IndexFunc(h.letters(t), func(l letter) bool { return string(l.Bytes) == ahead })
	if i < 0 {
		t.Fatalf("no dead letter of %s", ahead)
	}
	c.compare(t, h.letters(t)[i])
	var list struct{ Items []window }
	if err := h.get("/api/v1/views/typed/windows?start="+windowStart(2).Format(time.RFC3339), &list); err != nil || len(list.Items) != 1 || list.Items[0].State != "open" {
		t.Errorf("window of the clock after a record ahead of it: %+v, %v, want it open", list.Items, err)
	}
	h.close(t, 2, "typed")
	if v := h.verdictOf(t, "typed", 2); v.Decision != "publish" || v.Rows != cleanRows+2 {
		t.Errorf("window of the clock: %s, %s, %d rows, want it published with %d: %+v", v.State, v.Decision, v.Rows, cleanRows+2, v.Reasons)
	}
}
