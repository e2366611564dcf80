package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"time"
)

// Registry is a registry in a SQLite file or on a PostgreSQL server.
type Registry struct {
	dialect
	reader querier
	tries  tries

	closers []io.Closer

	mu      sync.Mutex
	changed chan struct{}
}

// tries say how long one attempt may take, and how long reads and writes that met a
// lost connection are tried again. Zero: for ever, and never.
type tries struct {
	attempt, reads, writes time.Duration
}

func newRegistry(d dialect, reader querier) *Registry {
	return &Registry{dialect: d, reader: reader, changed: make(chan struct{})}
}

const (
	firstPause = 10 * time.Millisecond // before the second attempt; then twice that, and so on
	lastPause  = 500 * time.Millisecond
)

// Close ends every connection. Nothing may use the registry any more.
func (s *Registry) Close() error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i].Close())
	}
	s.closers = nil
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close registry: %w", s.explain(err))
	}
	return nil
}

// Changed returns a channel that is closed by the next change; then ask again. Take
// the channel before reading what it guards.
//
// Changes that this Registry commits close it before the call that made them
// returns. On PostgreSQL those of every other process do so as well, as soon as the
// server has told of them; a connection that was lost and is back counts as a
// change, since some may have been missed. In a SQLite file the changes of other
// processes do not.
func (s *Registry) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

func (s *Registry) announce() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.changed)
	s.changed = make(chan struct{})
}

// read runs fn against the database, again if the connection is lost.
func (s *Registry) read(ctx context.Context, fn func(ctx context.Context, q querier) error) error {
	return s.persist(ctx, s.tries.reads, func(ctx context.Context) error {
		return s.once(ctx, func(ctx context.Context) error { return fn(ctx, s.reader) })
	})
}

// write runs fn in one transaction, and again from its start if that came to nothing
// for a reason that lies in the connection. What fn leaves behind is then that of
// its last run. After ErrUncertain nobody knows whether the last run was committed.
func (s *Registry) write(ctx context.Context, fn func(ctx context.Context, tx *transaction) error) error {
	var tx transaction
	err := s.persist(ctx, s.tries.writes, func(ctx context.Context) error { return s.transact(ctx, &tx, fn) })
	if err == nil && !tx.quiet || errors.Is(err, ErrUncertain) {
		s.announce()
	}
	return err
}

// persist calls try until it succeeds, fails for good, or patience has run out.
func (s *Registry) persist(ctx context.Context, patience time.Duration, try func(ctx context.Context) error) error {
	deadline := time.Now().Add(patience)
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		err := s.once(ctx, try)
		if err == nil {
			return nil
		}
		if !s.transient(err) || errors.Is(err, ErrUncertain) || time.Now().Add(pause).After(deadline) || !sleep(ctx, pause) {
			return s.explain(err)
		}
	}
}

// once calls try within the time of one attempt.
func (s *Registry) once(ctx context.Context, try func(ctx context.Context) error) error {
	if s.tries.attempt > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.tries.attempt)
		defer cancel()
	}
	return try(ctx)
}

// sleep waits for about d; false if ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d/2 + rand.N(d)):
		return ctx.Err() == nil
	}
}
