package redis

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Identity names the data sets of the primaries as they are now. It changes when one
// of them fails over, is restarted empty, joins or goes: rows that were acknowledged
// before may be lost then, and have to be looked for. The text is of no other use.
func (s *Store) Identity(ctx context.Context) (string, error) {
	id, err := s.identity(ctx)
	if err != nil {
		return "", fmt.Errorf("ask the servers who they are: %w", err)
	}
	return id, nil
}

func (s *Store) identity(ctx context.Context) (string, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return "", err
	}
	defer leave()
	shards, err := s.places.all(ctx)
	if err != nil {
		return "", err
	}
	var mu sync.Mutex
	var ids []string
	err = s.everywhere(ctx, shards, func(ctx context.Context, at *shard) error {
		info, err := at.slow.Info(ctx, "replication").Result()
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		ids = append(ids, infoField(info, "master_replid"))
		return nil
	})
	if err != nil {
		return "", err
	}
	slices.Sort(ids)
	return strings.Join(ids, " "), nil
}
