package registry

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"

	"sluice/feature"
)

// transaction is a write under way. Whoever asks it something after put calls flush
// between.
type transaction struct {
	*sql.Tx
	dialect
	conn   *sql.Conn
	kept   []put
	token  [16]byte       // names it among all
	view   feature.ViewID // whose decision it is; 0 for none
	logged bool           // it holds the lock of the log
	quiet  bool           // it changes nothing that others wait for
}

// put is a statement that answers nothing. done, if it is not nil, says what its
// number of rows, or its error, means.
type put struct {
	query string
	args  []any
	done  func(rows int64, err error) error
}

// result is what a statement came to.
func (p put) result(rows int64, err error) error {
	if p.done == nil {
		return err
	}
	return p.done(rows, err)
}

// naming says what a statement was about if it fails.
func naming(format string, args ...any) func(int64, error) error {
	return func(_ int64, err error) error {
		if err == nil {
			return nil
		}
		return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), err)
	}
}

// transact runs fn in one transaction, tx. The error is nil only if it is committed,
// and ErrUncertain if nobody knows whether it is.
func (s *Registry) transact(ctx context.Context, tx *transaction, fn func(ctx context.Context, tx *transaction) error) error {
	*tx = transaction{dialect: s.dialect}
	rand.Read(tx.token[:]) // never fails
	var unclear error
	err := s.once(ctx, func(ctx context.Context) (err error) {
		if tx.Tx, tx.conn, err = s.begin(ctx); err != nil {
			return err
		}
		defer tx.release()
		if err = fn(ctx, tx); err == nil {
			err = tx.finish(ctx)
		}
		if err != nil {
			return errors.Join(err, tx.undo())
		}
		unclear = tx.Commit()
		return nil
	})
	if err != nil || unclear == nil {
		return err
	}
	return s.settle(ctx, tx, unclear)
}

// settle finds out what became of a transaction whose commit gave cause. It returns
// cause if nothing was committed.
func (s *Registry) settle(ctx context.Context, tx *transaction, cause error) error {
	if !s.doubtful(cause) {
		return cause
	}
	var there bool
	err := s.persist(ctx, s.tries.writes, func(ctx context.Context) error {
		return s.once(ctx, func(ctx context.Context) (err error) {
			there, err = s.committed(ctx, tx)
			return err
		})
	})
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w: %w", ErrUncertain, cause, err)
	case there:
		return nil
	}
	return cause
}

// undo ends the transaction without its changes. One whose context or connection
// ended is over already.
func (tx *transaction) undo() error {
	if err := tx.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) && !tx.transient(err) {
		return err
	}
	return nil
}

// release gives the connection back. One that is broken is not taken back, and what
// it broke of is known by then.
func (tx *transaction) release() {
	if tx.conn != nil {
		tx.conn.Close()
	}
}

// put carries out a statement, at the latest before the commit. Its error may come
// from any later call.
func (tx *transaction) put(ctx context.Context, done func(rows int64, err error) error, query string, args ...any) error {
	return tx.dialect.put(ctx, tx, put{query: query, args: args, done: done})
}

// flush carries out what was put.
func (tx *transaction) flush(ctx context.Context) error { return tx.dialect.flush(ctx, tx) }

// lock takes locks until the transaction ends. What it reads afterwards stays as it
// is until then.
func (tx *transaction) lock(ctx context.Context, locks ...lock) error {
	if p, needed := tx.lockPut(locks); needed {
		if err := tx.dialect.put(ctx, tx, p); err != nil {
			return err
		}
	}
	return tx.flush(ctx)
}

// lockLog does so for the log before the statements that are put after it, as the
// last of all locks: whoever follows the log by its numbers misses nothing, because
// they are given in the order of the commits.
func (tx *transaction) lockLog(ctx context.Context) error {
	if tx.logged {
		return nil
	}
	tx.logged = true
	if p, needed := tx.lockPut([]lock{{space: spaceLog}}); needed {
		return tx.dialect.put(ctx, tx, p)
	}
	return nil
}

// finish carries out what is left before the commit.
func (tx *transaction) finish(ctx context.Context) error {
	if p, needed := tx.finishPut(tx); needed {
		if err := tx.dialect.put(ctx, tx, p); err != nil {
			return err
		}
	}
	return tx.flush(ctx)
}
