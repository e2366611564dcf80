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
	// memoryEvery is the time between two looks at how full the primaries are, and
	// memoryClosely that once one of them is short of memory.
	memoryEvery   = 10 * time.Second
	memoryClosely = time.Second
	// tightMemory is the share of its limit from which a server is short of memory: at
	// the limit it refuses writes, and windows wait.
	tightMemory = 0.8
	// againOnline is the share of the offline limit below which rows are staged again: what
	// is staged first is what was left out, which must not lead straight back.
	againOnline = 0.98
)

// fullness is how full the fullest primary is.
type fullness struct {
	server  string
	share   float64 // of its maxmemory
	offline bool    // it was beyond the offline limit, and has not come back far enough
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

// ErrOffline reports a store whose servers are so full that rows of the stream are to stay
// out of it for now.
var ErrOffline = errors.New("the online store is nearly full")

// Offline is ErrOffline, with the server and how full it is, from when the fullest primary
// uses more than Config.OfflineLimit of its maxmemory until it uses 2 % less than that.
// From memory_limit or 80 % on there is a look in a second.
func (s *Store) Offline() error {
	f := s.fullest.Load()
	if f == nil || !f.offline {
		return nil
	}
	return fmt.Errorf("%w: %s uses %.0f %% of its maxmemory, offline_limit is %.0f %%", ErrOffline, f.server, 100*f.share, 100*s.cfg.OfflineLimit)
}

// watchMemory exports how full the fullest primary is, until ctx ends.
func (s *Store) watchMemory(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	tight := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		tight = s.lookAtMemory(ctx, tight)
		if timer.Reset(memoryEvery); tight || s.Crowded() != nil || s.Offline() != nil {
			timer.Reset(memoryClosely)
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
	s.note(fullness{server: fullest, share: most})
	if tight = most > tightMemory; tight && !was {
		s.log.Warn("row store: a server is short of memory; at its limit it takes no more rows", "server", fullest, "used_of_maxmemory", most)
	}
	return tight
}

// note keeps what a look found, and says in the log when rows of the stream begin to stay
// out, and when they no longer do.
func (s *Store) note(f fullness) {
	was := s.Offline() != nil
	limit := s.cfg.OfflineLimit
	f.offline = limit > 0 && (f.share > limit || was && f.share > againOnline*limit)
	s.fullest.Store(&f)
	s.metrics.offline.Set(0)
	if f.offline {
		s.metrics.offline.Set(1)
	}
	switch {
	case f.offline && !was:
		s.log.Error("row store: a server is nearly full; rows of the stream stay in the log, and are staged once there is room", "server", f.server, "used_of_maxmemory", f.share, "offline_limit", limit)
	case was && !f.offline:
		s.log.Info("row store: there is room again; rows of the stream are staged, and those that stayed in the log", "server", f.server, "used_of_maxmemory", f.share, "offline_limit", limit)
	}
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
