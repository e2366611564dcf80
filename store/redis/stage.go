package redis

import (
	"context"
	"fmt"
	"sync"

	goredis "github.com/redis/go-redis/v9"

	"sluice/feature"
)

const (
	// callRows and callBytes bound one call of a Function, which keeps its server
	// from everything else meanwhile: for well under a millisecond.
	callRows  = 128
	callBytes = 256 << 10
	// batchBytes is how much is sent to a shard before its answers are read.
	batchBytes = 1 << 20
)

// Stage writes rows into a version: of each key the newest by (event time, seq)
// stays, whether it is stored already or comes twice. The server compares, so calls
// with the same keys may run at once, from any process. The rows of a bucket become
// readable together, those of a call do not. The versions that the records name are
// not looked at.
//
// bytes is what the rows take, keys included, and depends on rows alone: a replay
// counts the same. Stage does not refuse a version that was dropped; its rows would
// come back as staged. It is idempotent: after an error, which may be a
// *PartialError, the same rows may be staged again, or only those that failed.
func (s *Store) Stage(ctx context.Context, view feature.ViewID, version feature.Version, rows []Row) (bytes uint64, err error) {
	return s.stage(ctx, view, version, rows, nil)
}

// stage stages rows for a source, or for none.
func (s *Store) stage(ctx context.Context, view feature.ViewID, version feature.Version, rows []Row, from *from) (bytes uint64, err error) {
	leave, err := s.enter(ctx)
	if err == nil && (version == 0 || version > MaxVersion) {
		leave()
		err = ErrVersion
	}
	if err == nil {
		defer leave()
		c := stagers.Get().(*stager)
		defer c.release()
		bytes = c.choose(rows)
		err = s.stageCalls(ctx, c, view, version, rows, from).send(len(rows))
	}
	if err != nil {
		return 0, fmt.Errorf("stage %d rows of view %d version %d: %w", len(rows), view, version, err)
	}
	return bytes, nil
}

// stager is the memory of one call of Stage.
type stager struct {
	newest    map[feature.Key]int32 // which row of a key to store
	ofBuckets [buckets][]int32      // those rows
}

var stagers = sync.Pool{New: func() any { return &stager{newest: map[feature.Key]int32{}} }}

// kept is the largest call whose memory is kept for the next.
const kept = 1 << 14

func (c *stager) release() {
	if len(c.newest) > kept {
		return
	}
	clear(c.newest)
	for b := range c.ofBuckets {
		c.ofBuckets[b] = c.ofBuckets[b][:0]
	}
	stagers.Put(c)
}

// choose picks the newest row of each key, and returns what all rows take.
func (c *stager) choose(rows []Row) (bytes uint64) {
	for i := range rows {
		r := &rows[i]
		bytes += uint64(len(r.Key) + recordHeader + len(r.Record.Row))
		other, found := c.newest[r.Key]
		if !found || newer(r.Record, rows[other].Record) {
			c.newest[r.Key] = int32(i)
		}
	}
	for i := range rows {
		if c.newest[rows[i].Key] == int32(i) {
			b := bucketOf(rows[i].Key)
			c.ofBuckets[b] = append(c.ofBuckets[b], int32(i))
		}
	}
	return bytes
}

// recordHeader is what feature.AppendRecord puts before a row.
var recordHeader = len(feature.AppendRecord(nil, feature.Record{}))

// newer compares two records of one version.
func newer(a, b feature.Record) bool {
	a.Version, b.Version = 0, 0
	return a.Newer(b)
}

// stageCall is one call of the stage Function: rows of one bucket, or of several
// that are on a server alone.
type stageCall struct {
	at      *shard
	number  uint64 // for the source, if there is one
	rows    []int32
	buckets []uint8
	counts  []int // rows of each bucket
	size    int
	answer  int64
	err     error // of the call, or why it could not be made
}

// stageCalls gathers the calls that write what c chose.
func (s *Store) stageCalls(ctx context.Context, c *stager, view feature.ViewID, version feature.Version, rows []Row, from *from) *callWriter {
	of := s.placeOf(view)
	w := &callWriter{store: s, ctx: ctx, of: of, field: of.field(version), head: s.layout.head(of), version: version, all: rows, from: from}
	for b, list := range &c.ofBuckets {
		if len(list) == 0 {
			continue
		}
		at, err := s.places.of(ctx, uint8(b))
		if err != nil {
			w.calls = append(w.calls, &stageCall{rows: list, err: err})
			continue
		}
		w.bucket(at, uint8(b), list)
	}
	w.flush()
	return w
}

// callWriter gathers rows into calls. The command of a call is made when it is sent: all of
// them at once would be the rows once more.
type callWriter struct {
	store   *Store
	ctx     context.Context
	of      place
	version feature.Version
	field   string
	head    int
	all     []Row
	from    *from
	calls   []*stageCall
	open    *stageCall
}

func (w *callWriter) bucket(at *shard, bucket uint8, list []int32) {
	if w.open != nil && w.store.cfg.Cluster {
		w.flush()
	}
	fresh := true
	for n, i := range list {
		if w.open != nil && (len(w.open.rows) >= callRows || w.open.size >= callBytes) {
			w.flush()
		}
		if w.open == nil {
			w.open, fresh = &stageCall{at: at}, true
		}
		if fresh {
			w.open.buckets, w.open.counts, fresh = append(w.open.buckets, bucket), append(w.open.counts, 0), false
		}
		w.open.rows = append(w.open.rows, list[n])
		w.open.size += w.head + 2*len(w.all[i].Key) + recordHeader + len(w.all[i].Record.Row)
		w.open.counts[len(w.open.counts)-1]++
	}
}

// flush ends the open call.
func (w *callWriter) flush() {
	if w.open == nil {
		return
	}
	w.open.number = w.from.number()
	w.calls, w.open = append(w.calls, w.open), nil
}

// command makes the command of a call. It only reads w, and may be called at once for
// several.
func (w *callWriter) command(o *stageCall) *goredis.Cmd {
	n, m := len(o.rows), len(o.buckets)
	texts := make([]string, 0, 2*n+2*m)
	args := make([]any, 0, 16+2*n+4*m)
	// A pointer into texts takes no memory of its own, as a string in an interface does.
	add := func(text string) {
		texts = append(texts, text)
		args = append(args, &texts[len(texts)-1])
	}
	keys := n + m
	if w.from != nil {
		keys += m
	}
	args = append(args, "fcall", stageFunc, keys)
	at, left := 0, o.counts[0]
	for _, i := range o.rows {
		if left == 0 {
			at++
			left = o.counts[at]
		}
		left--
		add(w.store.layout.row(o.buckets[at], w.of, string(w.all[i].Key)))
	}
	args[3] = texts[0] // go-redis finds the slot by the first key, which must be a plain string
	for _, b := range o.buckets {
		add(w.store.layout.version(b, w.of.view, w.version))
	}
	if w.from != nil {
		for _, b := range o.buckets {
			args = append(args, w.store.layout.marks(b))
		}
	}
	grouped := 0
	if w.of.group != "" {
		grouped = 1
	}
	args = append(args, w.field, w.store.expiryMillis(w.of.view), grouped, w.head, n, m)
	for _, i := range o.rows {
		r := &w.all[i].Record
		args = append(args, feature.AppendRecord(make([]byte, 0, recordHeader+len(r.Row)), *r))
	}
	for _, count := range o.counts {
		args = append(args, count)
	}
	if w.from != nil {
		args = append(args, w.from.args(o.number, o.buckets)...)
	}
	cmd := goredis.NewCmd(w.ctx, args...)
	cmd.SetFirstKeyPos(3)
	return cmd
}
