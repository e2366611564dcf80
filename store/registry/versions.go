package registry

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"sluice/feature"
)

const (
	windowQuery   = `SELECT body FROM versions WHERE view_id = $1 AND window_start = $2 AND kind = 'window'`
	versionQuery  = `SELECT body FROM versions WHERE view_id = $1 AND version = $2`
	versionsQuery = `SELECT body FROM versions WHERE view_id = $1 AND version > $2 ORDER BY version LIMIT $3`
	nextVersion   = `SELECT coalesce(max(version), 0) + 1 FROM versions WHERE view_id = $1`
	insertVersion = `INSERT INTO versions (view_id, version, kind, window_start, step, state, body) VALUES ($1, $2, $3, $4, $5, $6, $7)`
	updateVersion = `UPDATE versions SET kind = $3, window_start = $4, step = $5, state = $6, body = $7 WHERE view_id = $1 AND version = $2`
)

// OpenVersion returns the version that rows of window w are staged into, and
// allocates it by compare-and-set on (view, window start) if there is none. It is
// idempotent. ErrSealed, with the version, means that it takes no more rows; or that the
// version of this start is of a window of another length, which the view's definition had.
//
// A new version of an optimistic view is listed in the vector in the same
// transaction, with an audit row "list", unless the view is frozen or MaxVisible
// versions are listed; it then stays staged, with the reason, until there is room or it
// has passed.
func (s *Registry) OpenVersion(ctx context.Context, view *feature.View, w feature.Window, now time.Time) (feature.VersionInfo, error) {
	info, err := one(ctx, s, decoded[feature.VersionInfo], windowQuery, int64(view.ID), nanos(w.Start))
	if errors.Is(err, sql.ErrNoRows) {
		info, err = s.allocate(ctx, view, w, now)
	}
	switch {
	case err == nil && info.Step != feature.StepOpen:
		err = fmt.Errorf("version %d is %s: %w", info.Version, info.Step, feature.ErrSealed)
	case err == nil && !info.Window.End.Equal(w.End): // the view's windows had another length
		err = fmt.Errorf("version %d is of the window that ends at %s: %w", info.Version, info.Window.End.Format(time.RFC3339Nano), feature.ErrSealed)
	}
	if err != nil {
		return info, fmt.Errorf("open version of %s for the window at %s: %w", view.Name, w.Start.UTC().Format(time.RFC3339Nano), err)
	}
	return info, nil
}

// allocate makes the version of a window, unless somebody else just did.
func (s *Registry) allocate(ctx context.Context, view *feature.View, w feature.Window, now time.Time) (info feature.VersionInfo, err error) {
	if view.ID == 0 {
		return info, invalid("view without id: save its definition first")
	}
	err = s.write(ctx, func(ctx context.Context, tx *transaction) error {
		tx.view = view.ID
		if err := tx.lock(ctx, viewLock(view.ID)); err != nil {
			return err
		}
		var err error
		info, err = decoded[feature.VersionInfo](tx.QueryRowContext(ctx, windowQuery, int64(view.ID), nanos(w.Start)))
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if err := tx.restored(ctx); err != nil {
			return err
		}
		info = feature.VersionInfo{Kind: feature.KindWindow, Window: w, Step: feature.StepOpen, State: feature.StateStaged}
		if view.Publish.Mode == feature.Optimistic {
			return listNew(ctx, tx, view, &info, now)
		}
		return insertNew(ctx, tx, view.ID, &info)
	})
	return info, err
}

// listNew inserts a version that readers see from its first row, if there is room.
func listNew(ctx context.Context, tx *transaction, view *feature.View, info *feature.VersionInfo, now time.Time) error {
	old, err := vector(tx.QueryRowContext(ctx, vectorQuery, int64(view.ID)))
	if err != nil {
		return err
	}
	if err := tx.QueryRowContext(ctx, nextVersion, int64(view.ID)).Scan(unsigned[feature.Version]{&info.Version}); err != nil {
		return err
	}
	next, listed := old.With(info.Version)
	switch {
	case old.Frozen:
		info.Reason = "waits: the view is frozen"
		return insertNew(ctx, tx, view.ID, info)
	case !listed:
		info.Reason = fmt.Sprintf("waits: %d versions are listed above the floor", feature.MaxVisible)
		return insertNew(ctx, tx, view.ID, info)
	}
	info.State, info.PublishedAt = feature.StateVisible, now
	if err := insertNew(ctx, tx, view.ID, info); err != nil {
		return err
	}
	next.Generation++
	if err := putVector(ctx, tx, view.ID, next); err != nil {
		return err
	}
	why := feature.Audit{At: now, By: "tap", Action: "list", View: view.Name, Version: info.Version, Reason: "publish.mode is optimistic"}
	if err := showVectors(&why, old, next); err != nil {
		return err
	}
	return insertAudit(ctx, tx, why)
}

// OpenKind allocates a fresh version of kind batch or approved for info's window,
// which may have others, and returns info with its number. Without a step it is
// open, without a state staged.
func (s *Registry) OpenKind(ctx context.Context, view *feature.View, info feature.VersionInfo) (feature.VersionInfo, error) {
	err := invalid("kind %q is neither batch nor approved, or the view has no id", info.Kind)
	info.Step, info.State = cmp.Or(info.Step, feature.StepOpen), cmp.Or(info.State, feature.StateStaged)
	if view.ID != 0 && (info.Kind == feature.KindBatch || info.Kind == feature.KindApproved) {
		err = s.write(ctx, func(ctx context.Context, tx *transaction) error {
			tx.view = view.ID
			if err := tx.lock(ctx, viewLock(view.ID)); err != nil {
				return err
			}
			if err := tx.restored(ctx); err != nil {
				return err
			}
			return insertNew(ctx, tx, view.ID, &info)
		})
	}
	if err != nil {
		return feature.VersionInfo{}, fmt.Errorf("open %s version of %s: %w", info.Kind, view.Name, err)
	}
	return info, nil
}

// Await returns once every change of a view is over that was asked for before: committed or
// undone. A commit whose answer was lost may still be under way at the server, and what it
// changes cannot be read yet; who wants to know what became of it reads after Await. It
// waits no longer than a write does.
func (s *Registry) Await(ctx context.Context, view feature.ViewID) error {
	err := s.write(ctx, func(ctx context.Context, tx *transaction) error {
		tx.quiet = true
		return tx.lock(ctx, viewLock(view))
	})
	if err != nil {
		return fmt.Errorf("await changes of view %d: %w", view, err)
	}
	return nil
}

// insertNew gives info the view's next number and inserts it.
func insertNew(ctx context.Context, tx *transaction, view feature.ViewID, info *feature.VersionInfo) error {
	if err := tx.QueryRowContext(ctx, nextVersion, int64(view)).Scan(unsigned[feature.Version]{&info.Version}); err != nil {
		return err
	}
	*info = inUTC(*info)
	return putVersion(ctx, tx, insertVersion, view, *info)
}

func putVersion(ctx context.Context, tx *transaction, query string, view feature.ViewID, info feature.VersionInfo) error {
	body, err := encode(info)
	if err != nil {
		return err
	}
	return tx.put(ctx, naming("version %d", info.Version), query, int64(view), int64(info.Version), string(info.Kind), nanos(info.Window.Start),
		string(info.Step), string(info.State), body)
}

func inUTC(info feature.VersionInfo) feature.VersionInfo {
	for _, t := range []*time.Time{&info.Window.Start, &info.Window.End, &info.DecidedAt, &info.PublishedAt} {
		*t = t.UTC()
	}
	return info
}

// Version returns a version of a view; ErrNotFound if there is none.
func (s *Registry) Version(ctx context.Context, view feature.ViewID, version feature.Version) (feature.VersionInfo, error) {
	info, err := one(ctx, s, decoded[feature.VersionInfo], versionQuery, int64(view), int64(version))
	if err != nil {
		return feature.VersionInfo{}, fmt.Errorf("read version %d of view %d: %w", version, view, missing(err))
	}
	return info, nil
}

// VersionOf returns the version that the tap stages the window starting at start
// into; ErrNotFound if there is none. Batch and approved versions of the same
// window are not meant.
func (s *Registry) VersionOf(ctx context.Context, view feature.ViewID, start time.Time) (feature.VersionInfo, error) {
	info, err := one(ctx, s, decoded[feature.VersionInfo], windowQuery, int64(view), nanos(start))
	if err != nil {
		return feature.VersionInfo{}, fmt.Errorf("read version of view %d at %s: %w", view, start.UTC().Format(time.RFC3339Nano), missing(err))
	}
	return info, nil
}

// Versions lists the versions of a view above after, rising, at most limit of
// them; every one if limit is 0.
func (s *Registry) Versions(ctx context.Context, view feature.ViewID, after feature.Version, limit int) ([]feature.VersionInfo, error) {
	infos, err := all(ctx, s, decoded[feature.VersionInfo], versionsQuery, int64(view), int64(after), rowLimit(limit))
	if err != nil {
		return nil, fmt.Errorf("list versions of view %d: %w", view, err)
	}
	return infos, nil
}

// missing turns a query without a row into ErrNotFound.
func missing(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return feature.ErrNotFound
	}
	return err
}
