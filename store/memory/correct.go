package memory

import (
	"context"
	"slices"

	"sluice/feature"
)

// Correct puts records of a version as they are, where the version has one of their keys,
// and removes those that it has of other keys.
func (s *Store) Correct(ctx context.Context, view feature.ViewID, version feature.Version, put []feature.Row, gone []feature.Key) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range put {
		chain := s.chains[place{view, r.Key}]
		if at := slices.IndexFunc(chain, func(x feature.Record) bool { return x.Version == version }); at >= 0 {
			chain[at] = r.Record
			chain[at].Version, chain[at].Row = version, slices.Clone(r.Record.Row)
		}
	}
	for _, key := range gone {
		s.cut(place{view, key}, func(r feature.Record) bool { return r.Version == version })
	}
	return nil
}
