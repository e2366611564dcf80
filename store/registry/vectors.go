package registry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"

	"sluice/feature"
)

const (
	vectorQuery  = `SELECT body FROM vectors WHERE view_id = $1`
	vectorsQuery = `SELECT view_id, body FROM vectors`
	upsertVector = `INSERT INTO vectors (view_id, generation, body) VALUES ($1, $2, $3)
		ON CONFLICT (view_id) DO UPDATE SET generation = excluded.generation, body = excluded.body
		WHERE vectors.generation = excluded.generation - 1`
	shownQuery = `SELECT version, state FROM versions WHERE view_id = $1 AND version IN ($3, $4, $5, $6)
		UNION ALL SELECT version, state FROM versions WHERE view_id = $1 AND version <= $2 AND state <> 'visible' AND step <> 'swept'`
)

// Vector returns a view's vector; its generation is 0 before the first change.
func (s *Registry) Vector(ctx context.Context, view feature.ViewID) (feature.Vector, error) {
	v, err := one(ctx, s, vector, vectorQuery, int64(view))
	if err != nil {
		return feature.Vector{}, fmt.Errorf("read vector of view %d: %w", view, err)
	}
	return v, nil
}

// Vectors returns the vector of every view whose vector was ever changed, all of
// one moment.
func (s *Registry) Vectors(ctx context.Context) (map[feature.ViewID]feature.Vector, error) {
	type item struct {
		view   int64
		vector feature.Vector
	}
	items, err := all(ctx, s, func(row scanner) (i item, err error) {
		var body []byte
		if err = row.Scan(&i.view, &body); err != nil {
			return i, err
		}
		return i, decode(body, &i.vector)
	}, vectorsQuery)
	if err != nil {
		return nil, fmt.Errorf("read vectors: %w", err)
	}
	vectors := make(map[feature.ViewID]feature.Vector, len(items))
	for _, i := range items {
		vectors[feature.ViewID(i.view)] = i.vector
	}
	return vectors, nil
}

// vector scans a vector; the zero one if there is no row.
func vector(row scanner) (feature.Vector, error) {
	v, err := decoded[feature.Vector](row)
	if errors.Is(err, sql.ErrNoRows) {
		return feature.Vector{}, nil
	}
	return v, err
}

// putVector stores the vector that follows the one in force.
func putVector(ctx context.Context, tx *transaction, view feature.ViewID, v feature.Vector) error {
	body, err := encode(v)
	if err != nil {
		return err
	}
	return tx.put(ctx, func(rows int64, err error) error {
		if err == nil && rows != 1 {
			return fmt.Errorf("generation %d does not follow the one in force: %w", v.Generation, feature.ErrConflict)
		}
		return err
	}, upsertVector, int64(view), int64(v.Generation), body)
}

// checkVector refuses a vector that is out of order or lets its floor fall.
func checkVector(v, old feature.Vector) error {
	switch {
	case !rising(v.Visible) || !rising(v.Dead):
		return invalid("vector %+v: versions do not rise", v)
	case len(v.Visible) > feature.MaxVisible:
		return invalid("vector lists %d versions above the floor, at most %d may be", len(v.Visible), feature.MaxVisible)
	case len(v.Visible) > 0 && v.Visible[0] <= v.Floor:
		return invalid("vector lists version %d, which is not above its floor %d", v.Visible[0], v.Floor)
	case len(v.Dead) > 0 && v.Dead[len(v.Dead)-1] > v.Floor:
		return invalid("vector has dead version %d above its floor %d", v.Dead[len(v.Dead)-1], v.Floor)
	case v.Floor < old.Floor:
		return invalid("floor falls from %d to %d", old.Floor, v.Floor)
	}
	return nil
}

func rising(versions []feature.Version) bool {
	for i := 1; i < len(versions); i++ {
		if versions[i] <= versions[i-1] {
			return false
		}
	}
	return true
}

// checkShown refuses a commit after which a reader could see rows of a version
// that is not visible: listed though it is staged, held or dead, or passed by the
// floor without being among the vector's dead.
func checkShown(ctx context.Context, tx *transaction, view feature.ViewID, v feature.Vector) error {
	if err := tx.flush(ctx); err != nil {
		return err
	}
	states, err := shown(ctx, tx, view, v)
	if err != nil {
		return err
	}
	for _, version := range v.Visible {
		state, opened := states[version]
		if !opened {
			return fmt.Errorf("listed version %d: %w", version, feature.ErrNotFound)
		}
		if state != feature.StateVisible {
			return invalid("version %d is listed and its state is %s", version, state)
		}
	}
	for _, version := range slices.Sorted(maps.Keys(states)) {
		if _, dead := slices.BinarySearch(v.Dead, version); version <= v.Floor && !dead {
			return invalid("floor %d shows version %d, which is neither visible, nor dead, nor swept", v.Floor, version)
		}
	}
	return nil
}

// shown returns the states of what a vector lists, and of what lies hidden below its
// floor.
func shown(ctx context.Context, tx *transaction, view feature.ViewID, v feature.Vector) (map[feature.Version]feature.State, error) {
	args := []any{int64(view), int64(v.Floor)}
	for i := range feature.MaxVisible {
		listed := int64(0) // no version has it
		if i < len(v.Visible) {
			listed = int64(v.Visible[i])
		}
		args = append(args, listed)
	}
	states := map[feature.Version]feature.State{}
	_, err := list(ctx, tx, func(row scanner) (version feature.Version, err error) {
		var state feature.State
		err = row.Scan(unsigned[feature.Version]{&version}, &state)
		states[version] = state
		return version, err
	}, shownQuery, args...)
	return states, err
}

// showVectors fills in what an audit row leaves out of a change of vector.
func showVectors(a *feature.Audit, old, next feature.Vector) (err error) {
	if len(a.Before) == 0 {
		if a.Before, err = encode(old); err != nil {
			return err
		}
	}
	if len(a.After) == 0 {
		a.After, err = encode(next)
	}
	return err
}
