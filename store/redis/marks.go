package redis

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"

	goredis "github.com/redis/go-redis/v9"

	"sluice/feature"
)

// sources is what a store knows of the sources that it writes for.
type sources struct{ m sync.Map } // string → *source

// source is one of them. One call at a time is made for it.
type source struct {
	mu    sync.Mutex
	token string // of this ownership
	safe  int64  // every row below it was acknowledged; at first what Own was given
	start int64  // what Own was given
	calls uint64 // made of the Function
	last  [buckets]uint64
}

// Own takes a source over: what was known of it is forgotten, and what another
// process stages for it under an earlier ownership is refused as lost where this
// one has written. offset is where the source is read from. Call it when a partition
// is assigned, not when it is read again from an offset that Lost gave.
func (s *Store) Own(name string, offset int64) {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	s.marks.m.Store(name, &source{token: hex.EncodeToString(b[:]), safe: offset, start: offset})
}

// Disown forgets a source.
func (s *Store) Disown(name string) { s.marks.m.Delete(name) }

// from says which source a call of Stage is for.
type from struct {
	*source
	name string
}

// number counts a call of the Function. Each has its own, so that a mark says how
// much of a bucket is there even if several calls wrote to it.
func (f *from) number() uint64 {
	if f == nil {
		return 0
	}
	f.calls++
	return f.calls
}

// args are the arguments of the stage Function that are for the source. The mark
// promises what was safe before this call of Stage, not the call itself: a bucket may
// get its rows from several calls of the Function, and any of them may fail.
func (f *from) args(number uint64, of []uint8) []any {
	args := []any{f.name, f.token, number, mark{f.token, number, f.safe}.String()}
	for _, b := range of {
		args = append(args, f.last[b])
	}
	return args
}

// acknowledged notes that a call is there.
func (f *from) acknowledged(number uint64, of []uint8) {
	if f == nil {
		return
	}
	for _, b := range of {
		f.last[b] = max(f.last[b], number)
	}
}

// StageMarked is Stage for a source that was taken over with Own. offset is one below
// which every row of the source is staged by then, or was never to be: if more rows of
// earlier offsets are held back for another call, it is the lowest of those. With the rows of
// each bucket, in one call of a Function, it writes a mark: which call they are from.
// A bucket whose mark is behind the last call that was acknowledged to this process
// lost that call, and perhaps others, in a failover; then nothing is written to it
// and the error is ErrLost. Rows that are not newer than what is stored advance the
// mark all the same.
//
// What to do then: ask Lost for an offset, and stage the rows of the source from there
// on again. After any other error the rows have to be staged again, too, before later
// ones.
func (s *Store) StageMarked(ctx context.Context, view feature.ViewID, version feature.Version, rows []Row, name string, offset int64) (bytes uint64, err error) {
	known, ok := s.marks.m.Load(name)
	if !ok {
		return 0, fmt.Errorf("stage %d rows of view %d version %d: source %s: %w", len(rows), view, version, name, ErrUnowned)
	}
	src := known.(*source)
	src.mu.Lock()
	defer src.mu.Unlock()
	bytes, err = s.stage(ctx, view, version, rows, &from{src, name})
	if err == nil {
		src.safe = offset
	}
	return bytes, err
}

// Lost tells whether a failover has lost rows that StageMarked had acknowledged for
// a source since Own. acknowledged is the offset up to which the caller counts on
// them; if nothing is lost it is returned, else an earlier one from which on the
// source has to be staged again: at the earliest the one that Own was given, or 0 if
// a shard came back without any of its data. A loss is told once: the store takes it
// that the caller goes back. It asks every shard for its marks, in one round trip;
// call it before progress is saved, and after errors.
//
// It knows nothing of rows that were acknowledged to a process that is gone: those
// the caller must have made sure of with Sync before it saved its progress.
func (s *Store) Lost(ctx context.Context, name string, acknowledged int64) (rewind int64, lost bool, err error) {
	rewind, lost, err = s.lost(ctx, name, acknowledged)
	if err != nil {
		return acknowledged, false, fmt.Errorf("look for lost rows of %s: %w", name, err)
	}
	return rewind, lost, nil
}

func (s *Store) lost(ctx context.Context, name string, acknowledged int64) (rewind int64, lost bool, err error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return 0, false, err
	}
	defer leave()
	known, ok := s.marks.m.Load(name)
	if !ok {
		return 0, false, ErrUnowned
	}
	src := known.(*source)
	src.mu.Lock()
	defer src.mu.Unlock()
	found, err := s.readMarks(ctx, name, src)
	if err != nil {
		return 0, false, err
	}
	marks := make([]survivor, len(found))
	for i, f := range found {
		if marks[i], err = src.survivor(f); err != nil {
			return 0, false, fmt.Errorf("bucket %d: %w", f.bucket, err)
		}
	}
	rewind = acknowledged
	for i, f := range found {
		if marks[i].call < src.last[f.bucket] {
			rewind, lost = min(rewind, marks[i].offset), true
			src.last[f.bucket] = marks[i].call
		}
	}
	if lost {
		src.safe = min(src.safe, rewind)
	}
	return rewind, lost, nil
}

// found is what a bucket answers when it is asked for the mark of a source.
type found struct {
	bucket uint8
	mark   *goredis.StringCmd
	marks  *goredis.IntCmd // whether it has marks at all
}

// survivor is the last call that a bucket has, 0 for none of this ownership, and the
// offset below which it has everything.
type survivor struct {
	call   uint64
	offset int64
}

func (src *source) survivor(f found) (survivor, error) {
	marks, err := f.marks.Result()
	if err != nil {
		return survivor{}, err
	}
	text, err := f.mark.Result()
	switch {
	case marks == 0:
		return survivor{}, nil
	case errors.Is(err, goredis.Nil):
		return survivor{offset: src.start}, nil
	case err != nil:
		return survivor{}, err
	}
	m, err := decodeMark(text)
	if err != nil || m.token != src.token {
		return survivor{offset: src.start}, err
	}
	return survivor{m.call, m.offset}, nil
}

// readMarks asks for the marks of the buckets that were written for a source.
func (s *Store) readMarks(ctx context.Context, name string, src *source) (list []found, err error) {
	batches := map[*shard][]goredis.Cmder{}
	for b := range uint8(buckets) {
		if src.last[b] == 0 {
			continue
		}
		at, err := s.places.of(ctx, b)
		if err != nil {
			return nil, err
		}
		key := s.layout.marks(b)
		f := found{b, goredis.NewStringCmd(ctx, "hget", key, name), goredis.NewIntCmd(ctx, "exists", key)}
		list = append(list, f)
		batches[at] = append(batches[at], f.mark, f.marks)
	}
	var group sync.WaitGroup
	for at, cmds := range batches {
		group.Go(func() { s.exec(ctx, at, cmds) })
	}
	group.Wait()
	return list, nil
}
