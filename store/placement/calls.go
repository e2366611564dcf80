package placement

import (
	"context"
	"errors"
	"sync"
	"time"

	"sluice/feature"
)

// Read returns the records of every key of a view, from the store that the view is in,
// as that store's Read does.
func (s *Stores) Read(ctx context.Context, view feature.ViewID, keys []feature.Key, dst [][]feature.Record) ([][]feature.Record, error) {
	return s.read(ctx, view, keys, dst, func(store Store) ([][]feature.Record, error) { return store.Read(ctx, view, keys, dst) })
}

// Whole is a store that has replicas to ask; *redis.Store says what ReadWhole promises.
type Whole interface {
	ReadWhole(ctx context.Context, view feature.ViewID, keys []feature.Key, whole time.Time, dst [][]feature.Record) ([][]feature.Record, error)
}

// ReadWhole is Read for a caller who looks at versions alone all of whose rows were
// written before whole, where the store of the view has a use for that.
func (s *Stores) ReadWhole(ctx context.Context, view feature.ViewID, keys []feature.Key, whole time.Time, dst [][]feature.Record) ([][]feature.Record, error) {
	return s.read(ctx, view, keys, dst, func(store Store) ([][]feature.Record, error) {
		if w, ok := store.(Whole); ok {
			return w.ReadWhole(ctx, view, keys, whole, dst)
		}
		return store.Read(ctx, view, keys, dst)
	})
}

func (s *Stores) read(ctx context.Context, view feature.ViewID, keys []feature.Key, dst [][]feature.Record, from func(Store) ([][]feature.Record, error)) ([][]feature.Record, error) {
	m, err := s.at(ctx, view)
	if err != nil {
		return none(dst, len(keys), len(keys), err)
	}
	return m.read(dst, len(keys), len(keys), from)
}

// read has a store read chains of a number of keys.
func (m *member) read(dst [][]feature.Record, chains, keys int, from func(Store) ([][]feature.Record, error)) ([][]feature.Record, error) {
	store, err := m.opened()
	if err != nil {
		return none(dst, chains, keys, m.failed(opRead, err))
	}
	m.reads.Inc()
	dst, err = from(store)
	if err != nil {
		return dst, m.failed(opRead, m.says(err))
	}
	return dst, nil
}

// none is the answer of a store that cannot be asked: no chain could be read. It is an
// error of these keys alone, so that the other views of a request are answered.
func none(dst [][]feature.Record, chains, keys int, err error) ([][]feature.Record, error) {
	dst = dst[:0]
	for range chains {
		dst = append(dst, nil)
	}
	return dst, &unread{err, keys}
}

// unread is an error of all keys of a call.
type unread struct {
	error
	of int
}

func (e *unread) Unwrap() error { return e.error }

// Missing returns the positions of the keys whose chains could not be read.
func (e *unread) Missing() []int {
	all := make([]int, e.of)
	for i := range all {
		all[i] = i
	}
	return all
}

// Lagging returns those that were read from a replica: none.
func (e *unread) Lagging() []int { return nil }

// Stage writes rows into a version, in the store that the view is in.
func (s *Stores) Stage(ctx context.Context, view feature.ViewID, version feature.Version, rows []feature.Row) (bytes uint64, err error) {
	m, err := s.at(ctx, view)
	if err != nil {
		return 0, err
	}
	err = m.stage(ctx, func(store Store) error {
		bytes, err = store.Stage(ctx, view, version, rows)
		return err
	})
	return bytes, err
}

// Drop removes every record of a version and returns how many there were.
func (s *Stores) Drop(ctx context.Context, view feature.ViewID, version feature.Version) (rows int, err error) {
	m, err := s.at(ctx, view)
	if err != nil {
		return 0, err
	}
	err = m.write(ctx, func(store Store) error {
		rows, err = store.Drop(ctx, view, version)
		return err
	})
	return rows, err
}

// Fold shortens the chains of the keys that the touched versions wrote.
func (s *Stores) Fold(ctx context.Context, view feature.ViewID, floor feature.Version, dead, touched []feature.Version) (removed int, err error) {
	m, err := s.at(ctx, view)
	if err != nil {
		return 0, err
	}
	err = m.write(ctx, func(store Store) error {
		removed, err = store.Fold(ctx, view, floor, dead, touched)
		return err
	})
	return removed, err
}

// Correct puts records of a version as they are, and removes others, as the store of the
// view does.
func (s *Stores) Correct(ctx context.Context, view feature.ViewID, version feature.Version, put []feature.Row, gone []feature.Key) error {
	m, err := s.at(ctx, view)
	if err != nil {
		return err
	}
	return m.stage(ctx, func(store Store) error { return store.Correct(ctx, view, version, put, gone) })
}

// Stat returns how many records a version has and the bytes that they take. A view that
// is nowhere, as before a restore, is counted in all stores.
func (s *Stores) Stat(ctx context.Context, view feature.ViewID, version feature.Version) (rows, bytes uint64, err error) {
	m, err := s.at(ctx, view)
	members := s.members
	switch {
	case err == nil:
		members = []*member{m}
	case !errors.Is(err, ErrUnplaced):
		return 0, 0, err
	}
	for _, m := range members {
		err := m.write(ctx, func(store Store) error {
			n, size, err := store.Stat(ctx, view, version)
			rows, bytes = rows+n, bytes+size
			return err
		})
		if err != nil {
			return 0, 0, err
		}
	}
	return rows, bytes, nil
}

// Sync makes every row staged so far durable, in all stores that had some which are not
// yet.
func (s *Stores) Sync(ctx context.Context) error {
	var members []*member
	for _, m := range s.members {
		if m.owes() {
			members = append(members, m)
		}
	}
	return syncAll(ctx, members)
}

// syncAll makes the rows of some stores durable, at once.
func syncAll(ctx context.Context, members []*member) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	errs := make([]error, len(members))
	var group sync.WaitGroup
	for i, m := range members {
		group.Go(func() { errs[i] = m.sync(ctx) })
	}
	group.Wait()
	return errors.Join(errs...)
}

// Identity names the data sets of the servers that hold a view's rows, as they are now;
// empty where they never change.
func (s *Stores) Identity(ctx context.Context, view feature.ViewID) (id string, err error) {
	m, err := s.at(ctx, view)
	if err != nil {
		return "", err
	}
	err = m.write(ctx, func(store Store) error {
		named, ok := store.(Named)
		if !ok {
			return nil
		}
		id, err = named.Identity(ctx)
		return err
	})
	return id, err
}

// Guard looks after the servers of every store that can, until ctx ends; *redis.Store
// says what that is. One process of an installation calls it.
func (s *Stores) Guard(ctx context.Context) {
	var group sync.WaitGroup
	for _, m := range s.members {
		group.Go(func() { m.guard(ctx) })
	}
	group.Wait()
	<-ctx.Done() // there may be none that can
}

// Guarded is a store on servers that have to be looked after: Guard returns when ctx ends,
// or the store is closed.
type Guarded interface {
	Guard(ctx context.Context)
}

// Named is a store on servers: Identity changes when rows that were acknowledged may
// have been lost.
type Named interface {
	Identity(ctx context.Context) (string, error)
}
