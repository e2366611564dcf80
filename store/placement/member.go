package placement

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sluice/feature"
)

// rest is how long a store is not asked to write, or who it is, after it gave no answer
// to that.
const rest = 5 * time.Second

// member is one store.
type member struct {
	name    string
	unknown bool // no such store is configured: every call is refused
	open    OpenFunc
	store   atomic.Pointer[Store] // nil until it is open
	until   atomic.Int64          // Unix nanoseconds until which it rests
	staged  atomic.Uint64         // calls that staged rows, and have ended
	durable atomic.Uint64         // of them, those whose rows a Sync has made durable
	metrics *metrics
	reads   prometheus.Counter
}

func newMember(name string, open OpenFunc, metrics *metrics) *member {
	m := &member{name: name, open: open, metrics: metrics, reads: metrics.reads.WithLabelValues(name)}
	m.metrics.up.WithLabelValues(name).Set(0)
	m.metrics.errors.WithLabelValues(name, opRead)
	m.metrics.errors.WithLabelValues(name, opWrite)
	return m
}

// opened returns the store if it can be asked.
func (m *member) opened() (Store, error) {
	if m.unknown {
		return nil, fmt.Errorf("online store %s: %w: name it in online_stores", m.name, ErrUnknown)
	}
	store := m.store.Load()
	if store == nil {
		return nil, m.says(ErrClosed)
	}
	return *store, nil
}

// stage calls fn, which stages rows. Also one that failed may have staged some.
func (m *member) stage(ctx context.Context, fn func(Store) error) error {
	return m.write(ctx, func(store Store) error {
		defer m.staged.Add(1)
		return fn(store)
	})
}

// owes reports whether rows were staged that no Sync has covered that has ended. One that
// is going on may have begun before them, and may fail.
func (m *member) owes() bool { return m.durable.Load() < m.staged.Load() }

// sync makes durable what was staged.
func (m *member) sync(ctx context.Context) error {
	covers := m.staged.Load()
	if err := m.write(ctx, func(store Store) error { return store.Sync(ctx) }); err != nil {
		return err
	}
	for {
		done := m.durable.Load()
		if done >= covers || m.durable.CompareAndSwap(done, covers) {
			return nil
		}
	}
}

// says puts the store's name before an error.
func (m *member) says(err error) error {
	if err == nil || m.name == feature.DefaultOnline {
		return err
	}
	return fmt.Errorf("online store %s: %w", m.name, err)
}

// write calls fn with the store, unless it rests. If the store gives no answer, and not
// because the caller has left, it rests from then on.
func (m *member) write(ctx context.Context, fn func(Store) error) error {
	store, err := m.opened()
	if err != nil {
		return m.failed(opWrite, err)
	}
	now := time.Now()
	if until := m.until.Load(); until > now.UnixNano() {
		return m.failed(opWrite, m.says(ErrResting))
	}
	err = fn(store)
	if err != nil && ctx.Err() == nil && silent(err) && m.name != feature.DefaultOnline {
		m.until.Store(time.Now().Add(rest).UnixNano())
	}
	return m.failed(opWrite, m.says(err))
}

// guard looks after the servers of the store once it is open.
func (m *member) guard(ctx context.Context) {
	tick := time.NewTicker(retry)
	defer tick.Stop()
	for {
		if store := m.store.Load(); store != nil {
			if g, ok := (*store).(Guarded); ok {
				g.Guard(ctx)
			}
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// failed counts an error.
func (m *member) failed(op string, err error) error {
	if err != nil && m.metrics != nil {
		m.metrics.errors.WithLabelValues(m.name, op).Inc()
	}
	return err
}

// silent reports whether an error is the want of an answer.
func silent(err error) bool {
	var timeout net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}
