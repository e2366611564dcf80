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
	long := []byte(`{"view":"delays","x":"` + strings.Repeat("x", maxBatchMemory/4) + `"}`)
	client, err := kgo.NewClient(append(baseOptions(r.log.cfg.Brokers), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(kgo.ZstdCompression()), kgo.ProducerBatchMaxBytes(2*maxBatchMemory),
		kgo.BrokerMaxWriteBytes(3*maxBatchMemory), kgo.ProducerLinger(deadline), kgo.ManualFlushing(),
		kgo.MaxBufferedRecords(records+1))...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	sent := make(chan error, records)
	for range records {
		client.Produce(r.ctx, &kgo.Record{Topic: "sluice.writes", Value: long}, func(_ *kgo.Record, err error) { sent <- err })
	}
	if err := client.Flush(r.ctx); err != nil {
		t.Fatal(err)
	}
	for range records {
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
	}
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
	err = r.log.readRange(r.ctx, "sluice.writes", 0, 0, 2+records, func(r *kgo.Record) error {
		seen += strconv.FormatInt(r.Offset, 10) + " "
		return nil
	})
	if err != nil || seen != "0 6 " {
		t.Errorf("the log read again gives %q (%v), want the first and the last", seen, err)
	}
}
