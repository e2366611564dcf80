package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"
)

const (
	// memoryEvery is the time between two looks at how full the primaries are.
	memoryEvery = 10 * time.Second
	// tightMemory is the share of its limit from which a server is short of memory: at
	// the limit it refuses writes, and windows wait.
	tightMemory = 0.8
)

// fullness is how full the fullest primary is.
type fullness struct {
	server string
	share  float64 // of its maxmemory
}

// ErrCrowded reports a store whose servers are to take nothing more but what keeps its rows
// fresh.
var ErrCrowded = errors.New("the online store is short of memory")

// Crowded is ErrCrowded, with the server and how full it is, once the fullest primary used
// more than Config.MemoryLimit of its maxmemory at the last look, of which there is one in
// ten seconds.
func (s *Store) Crowded() error {
	f := s.fullest.Load()
	if s.cfg.MemoryLimit == 0 || f == nil || f.share <= s.cfg.MemoryLimit {
		return nil
	}
	return fmt.Errorf("%w: %s uses %.0f %% of its maxmemory, more than memory_limit of %.0f %%", ErrCrowded, f.server, 100*f.share, 100*s.cfg.MemoryLimit)
}

// watchMemory exports how full the fullest primary is, until ctx ends.
func (s *Store) watchMemory(ctx context.Context) {
	tick := time.NewTicker(memoryEvery)
	defer tick.Stop()
	tight := false
	for {
		tight = s.lookAtMemory(ctx, tight)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// lookAtMemory does so once, and says in the log when a server becomes short of memory:
// tight reports whether one is, and was at the look before. What cannot be asked is left
// out.
func (s *Store) lookAtMemory(ctx context.Context, was bool) (tight bool) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.WriteDeadline)
	defer cancel()
	shards, err := s.places.all(ctx)
	if err != nil {
		return was
	}
	var mu sync.Mutex
	most, fullest, asked := 0.0, "", false
	_ = s.everywhere(ctx, shards, func(ctx context.Context, at *shard) error {
		info, err := at.slow.Info(ctx, "memory").Result()
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		asked = true
		if share := memoryShare(info); share > most {
			most, fullest = share, at.String()
		}
		return nil
	})
	if !asked {
		return was
	}
	s.metrics.memory.Set(most)
	s.fullest.Store(&fullness{server: fullest, share: most})
	if tight = most > tightMemory; tight && !was {
		s.log.Warn("row store: a server is short of memory; at its limit it takes no more rows", "server", fullest, "used_of_maxmemory", most)
	}
	return tight
}

// memoryShare returns how much of its limit a server uses, by its INFO memory; 0 if it
// has none.
func memoryShare(info string) float64 {
	used, err := strconv.ParseFloat(infoField(info, "used_memory"), 64)
	limit, err2 := strconv.ParseFloat(infoField(info, "maxmemory"), 64)
	if err != nil || err2 != nil || limit <= 0 {
		return 0
	}
	return used / limit
}
