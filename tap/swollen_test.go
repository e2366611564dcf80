package tap

import (
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/feature"
)

// A batch that is small on the wire and large in memory does not stop its partition:
// its records are dead-lettered, those before and behind it are taken, and the window
// can be read again.
func TestSwollenBatch(t *testing.T) {
	r := newRig(t, 1, delays())
	r.start()
	r.send("sluice.writes", write("UA", day, 1, 1))
	const records = 5
	r.compressed(records, []byte(`{"view":"delays","x":"`+strings.Repeat("x", maxBatchMemory/4)+`"}`))
	r.send("sluice.writes", write("AA", day, 2, 1))
	if counts := r.drain(); counts.Accepted != 2 || counts.DeadLettered != records || !counts.Balanced() {
		t.Fatalf("counts = %+v, want 2 accepted and %d dead-lettered", counts, records)
	}
	letters := r.letters()
	if len(letters) != records {
		t.Fatalf("%d dead letters, want %d", len(letters), records)
	}
	for i, l := range letters {
		if l.Reason != feature.CodeTooLarge || l.Offset != int64(1+i) || l.Size < maxBatchMemory {
			t.Errorf("letter %+v, want %s for offset %d", l, feature.CodeTooLarge, 1+i)
		}
	}
	if sent := r.resend(Resend{}); outcomes(sent)[Unsendable] != records {
		t.Errorf("replay gave %v, want %d that cannot be sent", outcomes(sent), records)
	}
	seen := ""
	err := r.log.readRange(r.ctx, "sluice.writes", 0, 0, 2+records, func(r *kgo.Record) error {
		seen += strconv.FormatInt(r.Offset, 10) + " "
		return nil
	})
	if err != nil || seen != "0 6 " {
		t.Errorf("the log read again gives %q (%v), want the first and the last", seen, err)
	}
}

// compressed sends n equal records in one batch, which is small until it is unpacked.
func (r *rig) compressed(n int, value []byte) {
	r.Helper()
	queued := make(queue, n)
	client, err := kgo.NewClient(append(baseOptions(r.log.cfg.Brokers), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(kgo.ZstdCompression()), kgo.ProducerBatchMaxBytes(2*maxBatchMemory),
		kgo.BrokerMaxWriteBytes(3*maxBatchMemory), kgo.ProducerLinger(deadline), kgo.ManualFlushing(),
		kgo.MaxBufferedRecords(n+1), kgo.WithHooks(queued))...)
	if err != nil {
		r.Fatal(err)
	}
	defer client.Close()
	sent := make(chan error, n)
	for range n {
		client.Produce(r.ctx, &kgo.Record{Topic: "sluice.writes", Value: value}, func(_ *kgo.Record, err error) { sent <- err })
	}
	for range n { // a flush before that sends what is queued by then as a batch of its own
		<-queued
	}
	if err := client.Flush(r.ctx); err != nil {
		r.Fatal(err)
	}
	for range n {
		if err := <-sent; err != nil {
			r.Fatal(err)
		}
	}
}

// queue hears of records that wait to be sent.
type queue chan struct{}

func (q queue) OnProduceRecordPartitioned(*kgo.Record, int32) { q <- struct{}{} }

// TestResendUnfit sends letters again of which one holds a record that came in a
// compressed batch and is too large to be sent as it was: the others are sent.
func TestResendUnfit(t *testing.T) {
	r := newRig(t, 1, delays())
	r.start()
	r.compressed(1, []byte(`{"view":"delays","x":"`+strings.Repeat("x", 2*maxBatch)+`"}`))
	r.send("sluice.writes", Out{Value: []byte("not JSON")})
	if counts := r.drain(); counts.DeadLettered != 2 {
		t.Fatalf("counts = %+v, want 2 dead-lettered", counts)
	}
	sent := r.resend(Resend{})
	if len(sent) != 2 || sent[0].Outcome != Unsendable || !strings.Contains(sent[0].Text, "max.message.bytes") || sent[1].Outcome != Resent {
		t.Errorf("replay gave %+v, want the first unsendable with why, the second sent", sent)
	}
}
