package redis

import (
	"context"
	"fmt"
	"sync"

	goredis "github.com/redis/go-redis/v9"

	"sluice/feature"
)

const (
	// walkRows is how many entities one call of a Function is for.
	walkRows = 128
	// walkBuckets is how many lists are gone through at once on a shard.
	walkBuckets = 32
	scanCount   = 1000
)

// walk goes through the entities of a version, and calls a Function for them.
type walk struct {
	store   *Store
	of      place
	version feature.Version
	pops    bool // the Function takes the entities off their list
	// make makes the call; keys are the list's and then the rows'.
	make   func(keys []any) goredis.Cmder
	answer func(*goredis.Cmd) error
	seen   map[string]bool // keys of rows, each for one call; nil does without
	mu     sync.Mutex      // of seen
}

// cursor is how far a walk has come in the list of a bucket.
type cursor struct {
	bucket uint8
	list   string
	from   int64
	read   *goredis.StringSliceCmd
}

// lists goes through the index of the version, on every shard at once.
func (w *walk) lists(ctx context.Context) error {
	byShard := map[*shard][]*cursor{}
	var shards []*shard
	for b := range buckets {
		at, err := w.store.places.of(ctx, uint8(b))
		if err != nil {
			return err
		}
		if byShard[at] == nil {
			shards = append(shards, at)
		}
		byShard[at] = append(byShard[at], &cursor{bucket: uint8(b), list: w.store.layout.version(uint8(b), w.of.view, w.version)})
	}
	return w.store.everywhere(ctx, shards, func(ctx context.Context, at *shard) error { return w.shard(ctx, at, byShard[at]) })
}

// shard goes through the lists of one shard, some at a time.
func (w *walk) shard(ctx context.Context, at *shard, open []*cursor) error {
	for len(open) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(walkBuckets, len(open))
		left, err := w.step(ctx, at, open[:n])
		if err != nil {
			return err
		}
		open = append(left, open[n:]...)
	}
	return nil
}

// step reads the next entities of each list and makes the calls for them. It returns
// the lists that may have more.
func (w *walk) step(ctx context.Context, at *shard, open []*cursor) (left []*cursor, err error) {
	reads := make([]goredis.Cmder, len(open))
	for i, c := range open {
		c.read = goredis.NewStringSliceCmd(ctx, "lrange", c.list, c.from, c.from+walkRows-1)
		reads[i] = c.read
	}
	w.store.exec(ctx, at, reads)
	var calls []goredis.Cmder
	for _, c := range open {
		entities, err := c.read.Result()
		if err != nil {
			return nil, explain(err)
		}
		if len(entities) == 0 {
			continue
		}
		if !w.pops {
			c.from += int64(len(entities))
		}
		left = append(left, c)
		rows := make([]string, len(entities))
		for i, entity := range entities {
			rows[i] = w.store.layout.row(c.bucket, w.of, entity)
		}
		calls = w.call(calls, c.list, rows)
	}
	return left, w.do(ctx, at, calls)
}

// call adds the call for rows, if there is one to make.
func (w *walk) call(calls []goredis.Cmder, list string, rows []string) []goredis.Cmder {
	keys := make([]any, 1, 1+len(rows))
	keys[0] = list
	for _, row := range rows {
		if w.isNew(row) {
			keys = append(keys, row)
		}
	}
	if len(keys) == 1 {
		return calls
	}
	return append(calls, w.make(keys))
}

// isNew reports whether a row comes up for the first time.
func (w *walk) isNew(row string) bool {
	if w.seen == nil {
		return true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.seen[row] {
		return false
	}
	w.seen[row] = true
	return true
}

func (w *walk) do(ctx context.Context, at *shard, calls []goredis.Cmder) error {
	if len(calls) == 0 {
		return nil
	}
	w.store.exec(ctx, at, calls)
	for _, cmd := range calls {
		if err := w.answer(cmd.(*goredis.Cmd)); err != nil {
			return explain(err)
		}
	}
	return nil
}

// everything goes through all rows of the view, whatever versions they have.
func (w *walk) everything(ctx context.Context) error {
	shards, err := w.store.places.all(ctx)
	if err != nil {
		return err
	}
	w.pops = false
	return w.store.everywhere(ctx, shards, w.scan)
}

// scan goes through a shard's key space.
func (w *walk) scan(ctx context.Context, at *shard) error {
	pattern := w.store.layout.rowsPattern(w.of)
	for cursor, first := uint64(0), true; first || cursor != 0; first = false {
		page := goredis.NewScanCmd(ctx, nil, "scan", cursor, "match", pattern, "count", scanCount)
		w.store.exec(ctx, at, []goredis.Cmder{page})
		keys, next, err := page.Result()
		if err != nil {
			return fmt.Errorf("scan: %w", err)
		}
		cursor = next
		if err := w.do(ctx, at, w.callsOf(keys)); err != nil {
			return err
		}
	}
	return nil
}

// callsOf makes the calls for keys of any buckets.
func (w *walk) callsOf(keys []string) (calls []goredis.Cmder) {
	var rows [buckets][]string
	for _, key := range keys {
		if b, ok := w.store.layout.isRow(key, w.of); ok {
			rows[b] = append(rows[b], key)
		}
	}
	for b, list := range rows {
		if len(list) > 0 {
			calls = w.call(calls, w.store.layout.version(uint8(b), w.of.view, w.version), list)
		}
	}
	return calls
}
