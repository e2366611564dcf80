package registry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

const (
	leaseQuery  = `SELECT holder, ends_at FROM leases WHERE owner = $1`
	upsertLease = `INSERT INTO leases (owner, holder, ends_at) VALUES ($1, $2, $3)
		ON CONFLICT (owner) DO UPDATE SET holder = excluded.holder, ends_at = excluded.ends_at`
	endLease  = `DELETE FROM leases WHERE owner = $1 AND holder = $2`
	dropLease = `DELETE FROM leases WHERE owner = $1`
)

// Lead makes holder the owner of that name for ttl from now, by the database's
// clock, and returns its epoch; 0 while the lease of another holder lasts. A holder
// that renews its lease keeps its epoch; whoever takes it over gets the next one,
// as by Acquire. The lease says who should work; the epoch alone keeps two that
// believe to hold it apart. It is refused with ErrRestoring until a restore has come to its
// end.
func (s *Registry) Lead(ctx context.Context, owner, holder string, ttl time.Duration) (epoch uint64, err error) {
	err = s.write(ctx, func(ctx context.Context, tx *transaction) error {
		epoch = 0
		if err := tx.lock(ctx, ownerLock(owner, false)); err != nil {
			return err
		}
		if err := tx.restored(ctx); err != nil {
			return err
		}
		var now, ends int64 // Unix milliseconds
		var held string
		if err := tx.QueryRowContext(ctx, tx.clock()).Scan(&now); err != nil {
			return err
		}
		err := tx.QueryRowContext(ctx, leaseQuery, owner).Scan(&held, &ends)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		// Nobody gives a lease of more than ttl: one that ends later was given before the
		// database's clock was set back, and would keep everybody out until then.
		lasts := held != "" && now < ends && ends-now <= ttl.Milliseconds()
		tx.quiet = held == holder || lasts // nobody new is in charge
		if tx.quiet && held != holder {
			return nil
		}
		if _, err := tx.ExecContext(ctx, upsertLease, owner, holder, now+ttl.Milliseconds()); err != nil {
			return err
		}
		if held != holder {
			if _, err := tx.ExecContext(ctx, upsertEpoch, owner); err != nil {
				return err
			}
		}
		return tx.QueryRowContext(ctx, epochQuery, owner).Scan(unsigned[uint64]{&epoch})
	})
	if err != nil {
		return 0, fmt.Errorf("lead %s: %w", owner, err)
	}
	return epoch, nil
}

// Resign ends the lease of owner if holder has it, so that the next one need not
// wait for its end. The epoch stays.
func (s *Registry) Resign(ctx context.Context, owner, holder string) error {
	err := s.write(ctx, func(ctx context.Context, tx *transaction) error {
		if err := tx.lock(ctx, ownerLock(owner, false)); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, endLease, owner, holder)
		return err
	})
	if err != nil {
		return fmt.Errorf("resign %s: %w", owner, err)
	}
	return nil
}
