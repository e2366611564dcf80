package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	goredis "github.com/redis/go-redis/v9"

	"sluice/feature"
)

// Drop removes every record of a version and returns how many there were. Those of
// other versions stay. One that a crash cuts short is finished by the next. Rows that
// are staged into the version meanwhile may stay; they are dropped by the next.
func (s *Store) Drop(ctx context.Context, view feature.ViewID, version feature.Version) (rows int, err error) {
	rows, err = s.drop(ctx, view, version)
	if err != nil {
		return rows, fmt.Errorf("drop version %d of view %d: %w", version, view, err)
	}
	return rows, nil
}

func (s *Store) drop(ctx context.Context, view feature.ViewID, version feature.Version) (rows int, err error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return 0, err
	}
	defer leave()
	var removed counter
	settled, err := s.isSettled(ctx, view, version)
	if err != nil {
		return 0, err
	}
	of := s.placeOf(view)
	field, head := of.field(version), s.layout.head(of)
	w := &walk{store: s, of: of, version: version, pops: true, make: func(keys []any) goredis.Cmder {
		return function(ctx, dropFunc, keys, field, head, 1)
	}, answer: removed.add}
	err = w.lists(ctx)
	if err == nil && settled {
		w.make = func(keys []any) goredis.Cmder { return function(ctx, dropFunc, keys, field, head, 0) }
		err = w.everything(ctx)
		if err == nil {
			err = s.settle(ctx, view, []feature.Version{version}, 0)
		}
	}
	return removed.n, err
}

// Fold shortens the chains of the keys that the touched versions wrote: of their
// records at or below floor that are not of a dead version only the newest stays,
// and not even that if it is a deletion and there is no record above the floor.
// Records of dead versions at or below floor are removed. It returns how many
// records went, and may be repeated.
//
// floor is one that no live lease undercuts, and dead names every version up to it
// that readers may not see and whose rows are still there: one that is left out
// hides the good rows below it for ever. Once a deletion is gone, a row that is
// staged later with an earlier event time shows again.
//
// A touched version up to the floor is folded for good: its index is removed, and to
// touch it again changes nothing. A certified version has to be touched once, then,
// and not before it is at or below the floor of every lease.
func (s *Store) Fold(ctx context.Context, view feature.ViewID, floor feature.Version, dead, touched []feature.Version) (removed int, err error) {
	removed, err = s.fold(ctx, view, floor, dead, touched)
	if err != nil {
		return removed, fmt.Errorf("fold view %d up to version %d: %w", view, floor, err)
	}
	return removed, nil
}

func (s *Store) fold(ctx context.Context, view feature.ViewID, floor feature.Version, dead, touched []feature.Version) (int, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return 0, err
	}
	defer leave()
	var settled []feature.Version
	for _, version := range touched {
		if version <= floor && !slices.Contains(dead, version) {
			settled = append(settled, version)
		}
	}
	if err := s.settle(ctx, view, settled, 1); err != nil {
		return 0, err
	}
	var removed counter
	of := s.placeOf(view)
	names, head, prefix, lasting := listed(dead, floor), s.layout.head(of), of.prefix(), 0
	if of.group == "" && s.expiryMillis(view) == 0 {
		lasting = 1
	}
	for _, version := range touched {
		pops, flag := version <= floor, 0
		if pops {
			flag = 1
		}
		w := &walk{store: s, of: of, version: version, pops: pops, make: func(keys []any) goredis.Cmder {
			return function(ctx, foldFunc, keys, head, flag, uint64(floor), names, prefix, lasting)
		}, answer: removed.add}
		if err := w.lists(ctx); err != nil {
			return removed.n, fmt.Errorf("version %d: %w", version, err)
		}
	}
	return removed.n, nil
}

// listed writes versions up to the floor as ,1,2,
func listed(versions []feature.Version, floor feature.Version) string {
	var b strings.Builder
	b.WriteByte(',')
	for _, v := range versions {
		if v <= floor {
			b.WriteString(strconv.FormatUint(uint64(v), 10))
			b.WriteByte(',')
		}
	}
	return b.String()
}

// Stat returns how many records a version has and the bytes that they take, keys
// included. It asks for every one of them, and goes through the whole key space if
// the version was folded. Rows that are staged meanwhile may be counted or not.
func (s *Store) Stat(ctx context.Context, view feature.ViewID, version feature.Version) (rows, bytes uint64, err error) {
	rows, bytes, err = s.stat(ctx, view, version)
	if err != nil {
		return 0, 0, fmt.Errorf("count version %d of view %d: %w", version, view, err)
	}
	return rows, bytes, nil
}

func (s *Store) stat(ctx context.Context, view feature.ViewID, version feature.Version) (rows, bytes uint64, err error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return 0, 0, err
	}
	defer leave()
	settled, err := s.isSettled(ctx, view, version)
	if err != nil {
		return 0, 0, err
	}
	of := s.placeOf(view)
	field, head := of.field(version), s.layout.head(of)
	var mu sync.Mutex
	w := &walk{store: s, of: of, version: version, seen: map[string]bool{}, make: func(keys []any) goredis.Cmder {
		return function(ctx, statFunc, keys[1:], field, head)
	}, answer: func(cmd *goredis.Cmd) error {
		pair, err := cmd.Int64Slice()
		if err != nil || len(pair) != 2 {
			return errors.Join(err, fmt.Errorf("answer of %d numbers", len(pair)))
		}
		mu.Lock()
		defer mu.Unlock()
		rows, bytes = rows+uint64(pair[0]), bytes+uint64(pair[1])
		return nil
	}}
	if err = w.lists(ctx); err == nil && settled {
		err = w.everything(ctx)
	}
	return rows, bytes, err
}

// counter adds up what calls removed.
type counter struct {
	mu sync.Mutex
	n  int
}

func (c *counter) add(cmd *goredis.Cmd) error {
	n, err := cmd.Int()
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n += n
	return nil
}

// function makes a call of a Function; the first of its keys decides its shard.
func function(ctx context.Context, name string, keys []any, args ...any) *goredis.Cmd {
	all := append(make([]any, 0, 3+len(keys)+len(args)), "fcall", name, len(keys))
	cmd := goredis.NewCmd(ctx, append(append(all, keys...), args...)...)
	cmd.SetFirstKeyPos(3)
	return cmd
}

// isSettled reports whether a version was folded, so that its index may be gone.
func (s *Store) isSettled(ctx context.Context, view feature.ViewID, version feature.Version) (bool, error) {
	key, bucket, bit := s.layout.settled(view, version)
	at, err := s.places.of(ctx, bucket)
	if err != nil {
		return false, err
	}
	cmd := goredis.NewIntCmd(ctx, "getbit", key, bit)
	s.exec(ctx, at, []goredis.Cmder{cmd})
	n, err := cmd.Result()
	if err != nil {
		return false, shardError(at, err)
	}
	return n == 1, nil
}

// settle notes of versions that they were folded, or with 0 that they are gone.
func (s *Store) settle(ctx context.Context, view feature.ViewID, versions []feature.Version, value int) error {
	if len(versions) == 0 {
		return nil
	}
	var cmds []goredis.Cmder
	var at *shard
	for _, version := range versions {
		key, bucket, bit := s.layout.settled(view, version)
		var err error
		if at, err = s.places.of(ctx, bucket); err != nil {
			return err
		}
		cmds = append(cmds, goredis.NewIntCmd(ctx, "setbit", key, bit, value))
	}
	s.exec(ctx, at, cmds) // they are all of one view, so of one bucket
	for _, cmd := range cmds {
		if err := cmd.Err(); err != nil {
			return shardError(at, err)
		}
	}
	return nil
}
