package tap

import (
	"cmp"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// portion says how much a client that reads asks for at once: so much that the records take
// about most() bytes once they are unpacked, whatever their batches are compressed to. A
// broker counts what is on the wire, of which a megabyte may be ten of records, or a
// thousand; but it gives one batch at least, which maxBatchMemory bounds.
type portion struct {
	most func() int32

	mu     sync.Mutex
	client *kgo.Client
	swell  float64 // bytes in memory for each on the wire, as of late; 0: nothing was read
}

const (
	recordMemory = 256 // of a fetched record besides its bytes, about
	firstSwell   = 64  // before anything was read
	leastShare   = 256 // of what is wanted, on the wire: less costs more requests than it saves memory
)

// What a partition fetches at once, at least, however many there are, and at most, however
// few: less costs requests, and more saves none that count.
const (
	leastFetched = 256 << 10
	mostFetched  = 1 << 20
)

// portionOf is a partition's part of what the records that are fetched may take in a process
// that reads so many: of each there are two, since the next is fetched while one is read.
func portionOf(whole int32, partitions int) int32 {
	part := whole / 2 / int32(max(1, partitions))
	return min(max(part, leastFetched), mostFetched, whole)
}

func newPortion(most func() int32) *portion { return &portion{most: most} }

// size is how many bytes of a partition are asked for.
func (p *portion) size() int32 {
	most := p.most()
	return max(1, most/leastShare, int32(float64(most)/cmp.Or(p.swell, firstSwell)))
}

// OnNewClient is called by a client before it reads.
func (p *portion) OnNewClient(client *kgo.Client) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.client = client
}

// OnFetchBatchRead is called by the client with each batch.
func (p *portion) OnFetchBatchRead(_ kgo.BrokerMetadata, _ string, _ int32, m kgo.FetchBatchMetrics) {
	if m.CompressedBytes == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.note(m)
	p.client.UpdateFetchMaxBytes(2*p.size(), p.size())
}

// note takes a batch into account by what it takes in memory: an eighth of a portion that
// swells more than those before counts at once, what swells less after eight portions. The
// first says all that is known.
func (p *portion) note(m kgo.FetchBatchMetrics) {
	memory := float64(m.UncompressedBytes + recordMemory*m.NumRecords)
	swell, weight := max(1, memory/float64(m.CompressedBytes)), 1.0/8
	switch {
	case p.swell == 0:
		p.swell = swell
	case swell > p.swell:
		weight = 8
	}
	p.swell += (swell - p.swell) * min(1, weight*memory/float64(p.most()))
}
