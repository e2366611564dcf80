package tap

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/feature"
)

// maxBatchMemory is how large a compressed batch may become in memory, in bytes: a
// megabyte on the wire may be a gigabyte of zeros. The records of a larger batch are
// dead-lettered as too large, without their bytes.
const maxBatchMemory = 64 << 20

// swollen returns the batch that made a fetch fail because it would not fit, nil if
// that is not why.
func swollen(fetches kgo.Fetches) *kgo.ErrDecompressTooLarge {
	for _, e := range fetches.Errors() {
		var batch *kgo.ErrDecompressTooLarge
		if errors.As(e.Err, &batch) {
			return batch
		}
	}
	return nil
}

// pass makes a client, which has stopped at a batch, go on behind it.
func pass(client *kgo.Client, batch *kgo.ErrDecompressTooLarge) {
	client.SetOffsets(map[string]map[int32]kgo.EpochOffset{batch.Topic: {batch.Partition: {Epoch: batch.Epoch, Offset: batch.NextOffset}}})
}

// skip dead-letters every record of a batch that would not fit into memory.
func (p *partition) skip(ctx context.Context, batch *kgo.ErrDecompressTooLarge) {
	for offset := max(p.next, batch.Offset); offset < batch.NextOffset; offset++ {
		p.next, p.changed = offset+1, true
		p.counts.Received++
		p.counts.DeadLettered++
		p.results.dead.Inc()
		bad := dead(feature.CodeTooLarge, "", "", "in a compressed batch of more than %d bytes, records %d to %d; send smaller batches", maxBatchMemory, batch.Offset, batch.NextOffset-1)
		bad.size = maxBatchMemory
		p.letters.send(ctx, &kgo.Record{Topic: batch.Topic, Partition: batch.Partition, Offset: offset}, bad, p.now)
	}
}
