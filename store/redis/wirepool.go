package redis

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// longestRedial is the longest time between two tries to connect again.
const longestRedial = time.Second

// shared are the connections of a shard over which many callers read at once. They
// are made in the background when a read finds none: reads meanwhile, and those that
// they have no room for, take connections of the pool. A nil shared has none.
type shared struct {
	dial         func(ctx context.Context) (net.Conn, error)
	dialTimeout  time.Duration
	writeTimeout time.Duration
	redial       time.Duration // shortest time between two tries to connect
	log          *slog.Logger
	name         string
	pace         *pace  // of the shard
	dialed       func() // see Config

	slots  []slot
	ctx    context.Context
	cancel context.CancelFunc
	group  sync.WaitGroup
}

// slot is the place of one connection.
type slot struct {
	live    atomic.Pointer[wire]
	dialing atomic.Bool
	until   atomic.Int64 // Unix nanoseconds before which it is not dialled
	pause   atomic.Int64 // until the next try but one
}

func newShared(n int, c Config, name string, log *slog.Logger, dial func(context.Context) (net.Conn, error)) *shared {
	s := &shared{
		dial: dial, dialTimeout: c.DialTimeout, writeTimeout: c.WriteTimeout, redial: c.MinRetryBackoff,
		log: log, name: name, slots: make([]slot, n), dialed: c.dialed,
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// send sends q over the first connection that is not busy, else over the one that is
// least so, but not over avoid; nil if there is none with room.
func (s *shared) send(q *question, avoid *wire) *wire {
	if s == nil || q.keys > questionKey {
		return nil
	}
	var best *wire
	least := int64(wireKeys)
	for i := range s.slots {
		at := &s.slots[i]
		w := at.live.Load()
		if w == nil {
			s.connect(at)
			continue
		}
		if w == avoid {
			continue
		}
		keys := w.keys.Load()
		if keys < least {
			best, least = w, keys
		}
		if keys < wireEager {
			break
		}
	}
	if best == nil || !best.send(q) {
		return nil
	}
	return best
}

// connect dials for a slot in the background, unless that is being done or it is
// too early.
func (s *shared) connect(at *slot) {
	if time.Now().UnixNano() < at.until.Load() || !at.dialing.CompareAndSwap(false, true) {
		return
	}
	if s.ctx.Err() != nil {
		return
	}
	s.group.Go(func() {
		defer at.dialing.Store(false)
		ctx, cancel := context.WithTimeout(s.ctx, s.dialTimeout)
		defer cancel()
		conn, err := s.dial(ctx)
		pause := min(max(2*time.Duration(at.pause.Load()), s.redial), longestRedial)
		at.pause.Store(int64(pause))
		at.until.Store(time.Now().Add(pause).UnixNano())
		if err != nil {
			s.log.Debug("a shared connection cannot be made; reads take connections of the pool", "shard", s.name, "err", err)
			return
		}
		made := time.Now()
		w := newWire(conn, s.writeTimeout)
		w.pace = s.pace
		if s.dialed != nil {
			s.dialed()
		}
		at.live.Store(w)
		s.group.Go(func() {
			err := w.run()
			at.live.CompareAndSwap(w, nil)
			if time.Since(made) > longestRedial {
				at.pause.Store(0)
			}
			if s.ctx.Err() == nil {
				s.log.Warn("a shared connection broke; it is made again, and reads take connections of the pool meanwhile", "shard", s.name, "err", err)
			}
		})
		if s.ctx.Err() != nil {
			w.fail(ErrClosed)
		}
	})
}

// close ends the connections; no read is going on.
func (s *shared) close() {
	if s == nil {
		return
	}
	s.cancel()
	for i := range s.slots {
		if w := s.slots[i].live.Load(); w != nil {
			w.fail(ErrClosed)
		}
	}
	s.group.Wait()
}
