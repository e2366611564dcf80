package tap

import (
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
)

// foreign notes the records of the profiles topic that no tap wrote: their key
// is none of a state record. They are passed over, and none of ours is replaced
// by them. Several readers of the topic share one, and each record counts once a
// process. It is safe for concurrent use.
type foreign struct {
	mu     sync.Mutex
	count  prometheus.Counter // nil: not counted
	logger *slog.Logger
	next   map[int32]int64  // offset behind the last that was noted, by partition
	seen   map[int32]uint64 // how many were noted
}

// foreignEvery is how many foreign records of a partition share a log line after
// the first.
const foreignEvery = 1000

// report sets where records are told; before, they are only passed over.
func (f *foreign) report(count prometheus.Counter, logger *slog.Logger) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count, f.logger = count, logger
	f.next, f.seen = map[int32]int64{}, map[int32]uint64{}
}

// note counts a record, and logs the first of a partition and then one in a
// thousand: what a stranger writes must not fill the log. Readers read a
// partition from its start, so an offset below one that was noted was noted, too.
func (f *foreign) note(r *kgo.Record, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.count == nil || r.Offset < f.next[r.Partition] {
		return
	}
	f.next[r.Partition] = r.Offset + 1
	f.seen[r.Partition]++
	f.count.Inc()
	if n := f.seen[r.Partition]; n%foreignEvery == 1 {
		f.logger.Warn("a record that no tap wrote is passed over: only Sluice may write to this topic",
			"topic", r.Topic, "partition", r.Partition, "offset", r.Offset, "bytes", len(r.Value), "seen", n, "err", err)
	}
}
