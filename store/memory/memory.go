// Package memory is an online store in memory that forgets everything when the
// process ends: for tests, and as the plain reading of what package embedded does.
//
// Its methods keep what those of embedded.Store promise, and pass the same suite. A
// Grouped keeps what those of a redis.Store promise of groups and of expiry as well.
// A Store is safe for concurrent use. Package memory imports feature alone.
package memory

import (
	"context"
	"slices"
	"sync"

	"sluice/feature"
)

// Store is an online store in memory. The zero Store is empty and ready.
type Store struct {
	mu     sync.RWMutex
	chains map[place][]feature.Record // rising by version
}

type place struct {
	view feature.ViewID
	key  feature.Key
}

// Stage writes rows into a version: of each key the newest by (event time, seq)
// stays. bytes is what the rows take, keys included.
func (s *Store) Stage(ctx context.Context, view feature.ViewID, version feature.Version, rows []feature.Row) (bytes uint64, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stage(view, version, rows, func(feature.Key) {}), nil
}

// stage writes rows, and names each key that has a record from one of them.
func (s *Store) stage(view feature.ViewID, version feature.Version, rows []feature.Row, put func(feature.Key)) (bytes uint64) {
	if s.chains == nil {
		s.chains = map[place][]feature.Record{}
	}
	for _, r := range rows {
		r.Record.Version = version
		bytes += size(r.Key, r.Record)
		r.Record.Row = slices.Clone(r.Record.Row)
		p := place{view, r.Key}
		chain, fresh := insert(s.chains[p], r.Record)
		if s.chains[p] = chain; fresh {
			put(r.Key)
		}
	}
	return bytes
}

func size(key feature.Key, r feature.Record) uint64 {
	return uint64(len(key) + len(feature.AppendRecord(nil, r)))
}

// insert puts a record into a chain, unless there is one of its version that is as new.
func insert(chain []feature.Record, r feature.Record) (_ []feature.Record, put bool) {
	at, found := slices.BinarySearchFunc(chain, r.Version, func(x feature.Record, v feature.Version) int { return int(int64(x.Version) - int64(v)) })
	if !found {
		return slices.Insert(chain, at, r), true
	}
	if put = r.Newer(chain[at]); put {
		chain[at] = r
	}
	return chain, put
}

// Read returns the records of every key, rising by version. They share no memory
// with the store.
func (s *Store) Read(ctx context.Context, view feature.ViewID, keys []feature.Key, dst [][]feature.Record) ([][]feature.Record, error) {
	if err := ctx.Err(); err != nil {
		return dst, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	dst = dst[:0]
	for _, key := range keys {
		dst = append(dst, s.chain(view, key))
	}
	return dst, nil
}

// chain returns a copy of the records of a key.
func (s *Store) chain(view feature.ViewID, key feature.Key) []feature.Record {
	chain := slices.Clone(s.chains[place{view, key}])
	for i := range chain {
		chain[i].Row = slices.Clone(chain[i].Row)
	}
	return chain
}

// Drop removes every record of a version and returns how many there were.
func (s *Store) Drop(_ context.Context, view feature.ViewID, version feature.Version) (rows int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p := range s.chains {
		if p.view == view {
			rows += s.cut(p, func(r feature.Record) bool { return r.Version == version })
		}
	}
	return rows, nil
}

// cut removes the records of a chain that gone names, and returns how many.
func (s *Store) cut(p place, gone func(feature.Record) bool) int {
	before := len(s.chains[p])
	chain := slices.DeleteFunc(s.chains[p], gone)
	if s.chains[p] = chain; len(chain) == 0 {
		delete(s.chains, p)
	}
	return before - len(chain)
}

// Fold shortens the chains of the keys that the touched versions wrote, as
// embedded.Store does.
func (s *Store) Fold(_ context.Context, view feature.ViewID, floor feature.Version, dead, touched []feature.Version) (removed int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p, chain := range s.chains {
		if p.view == view && slices.ContainsFunc(chain, func(r feature.Record) bool { return slices.Contains(touched, r.Version) }) {
			removed += s.fold(p, feature.Vector{Floor: floor, Dead: slices.Sorted(slices.Values(dead))})
		}
	}
	return removed, nil
}

func (s *Store) fold(p place, v feature.Vector) int {
	var best feature.Record
	above := false
	for _, r := range s.chains[p] {
		above = above || r.Version > v.Floor
		if r.Version <= v.Floor && v.Sees(r.Version) && (best.Version == 0 || r.Newer(best)) {
			best = r
		}
	}
	keep := best.Version
	if best.Deleted && !above {
		keep = 0
	}
	return s.cut(p, func(r feature.Record) bool { return r.Version <= v.Floor && r.Version != keep })
}

// Stat returns how many records a version has and the bytes that they take, keys
// included.
func (s *Store) Stat(_ context.Context, view feature.ViewID, version feature.Version) (rows, bytes uint64, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for p, chain := range s.chains {
		for _, r := range chain {
			if p.view == view && r.Version == version {
				rows++
				bytes += size(p.key, r)
			}
		}
	}
	return rows, bytes, nil
}

// Sync does nothing: memory survives nothing.
func (s *Store) Sync(ctx context.Context) error { return ctx.Err() }

// Size returns the bytes of all records, keys included.
func (s *Store) Size() (bytes uint64) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for p, chain := range s.chains {
		for _, r := range chain {
			bytes += size(p.key, r)
		}
	}
	return bytes
}

// Close does nothing.
func (s *Store) Close() error { return nil }
