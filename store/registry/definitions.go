package registry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"

	"sluice/feature"
)

const (
	definitionsQuery = `SELECT generation, body FROM definitions ORDER BY generation DESC LIMIT 1`
	definitionsAt    = `SELECT body FROM definitions WHERE generation = $1`
	formerQuery      = `SELECT generation, body FROM definitions WHERE generation < $1 ORDER BY generation DESC LIMIT 1`
	insertDefs       = `INSERT INTO definitions (generation, body) VALUES ($1, $2)`
	viewQuery        = `SELECT view_id FROM views WHERE name = $1`
	insertView       = `INSERT INTO views (view_id, name, online, row_group) SELECT coalesce(max(view_id), 0) + 1, $1, $2, $3 FROM views`
	placeQuery       = `SELECT online, row_group FROM views WHERE view_id = $1`
	placesQuery      = `SELECT name, online, row_group FROM views`
	groupQuery       = `SELECT count(*) FROM views WHERE row_group = $1`
	featureQuery     = `SELECT feature_id FROM features WHERE view_id = $1 AND name = $2 AND type = $3`
	insertFeature    = `INSERT INTO features (view_id, feature_id, name, type)
		SELECT $1, coalesce(max(feature_id), 0) + 1, $2, $3 FROM features WHERE view_id = $1`
)

// Definitions returns what the last apply put in force and its generation, which
// is 0, with nothing defined, before the first.
func (s *Registry) Definitions(ctx context.Context) (feature.Definitions, uint64, error) {
	var defs feature.Definitions
	var generation uint64
	err := s.read(ctx, func(ctx context.Context, q querier) (err error) {
		defs, generation, err = definitions(ctx, q)
		return err
	})
	if err != nil {
		return feature.Definitions{}, 0, fmt.Errorf("read definitions: %w", err)
	}
	return defs, generation, nil
}

// DefinitionsAt returns what an apply put in force with the given generation;
// ErrNotFound if none did.
func (s *Registry) DefinitionsAt(ctx context.Context, generation uint64) (feature.Definitions, error) {
	var defs feature.Definitions
	err := s.read(ctx, func(ctx context.Context, q querier) error {
		var body []byte
		if err := q.QueryRowContext(ctx, definitionsAt, int64(generation)).Scan(&body); err != nil {
			return missing(err)
		}
		return decode(body, &defs)
	})
	if err != nil {
		return feature.Definitions{}, fmt.Errorf("read definitions of generation %d: %w", generation, err)
	}
	return defs, nil
}

// Former returns the view of a name as it was last in force; ErrNotFound for one that never
// was.
func (s *Registry) Former(ctx context.Context, name string) (feature.View, error) {
	var former *feature.View
	err := s.read(ctx, func(ctx context.Context, q querier) error {
		var id int64
		if err := q.QueryRowContext(ctx, viewQuery, name).Scan(&id); err != nil {
			return missing(err)
		}
		for before := int64(math.MaxInt64); former == nil; {
			var body []byte
			var defs feature.Definitions
			if err := q.QueryRowContext(ctx, formerQuery, before).Scan(&before, &body); err != nil {
				return missing(err)
			}
			if err := decode(body, &defs); err != nil {
				return err
			}
			former = defs.View(name)
		}
		return nil
	})
	if err != nil {
		return feature.View{}, fmt.Errorf("read how view %s was defined: %w", name, err)
	}
	return *former, nil
}

func definitions(ctx context.Context, q querier) (defs feature.Definitions, generation uint64, err error) {
	var body []byte
	err = q.QueryRowContext(ctx, definitionsQuery).Scan(unsigned[uint64]{&generation}, &body)
	if errors.Is(err, sql.ErrNoRows) {
		return feature.Definitions{}, 0, nil
	}
	if err != nil {
		return feature.Definitions{}, 0, err
	}
	return defs, generation, decode(body, &defs)
}

// SaveDefinitions puts defs in force with the next generation and why as audit
// row, and returns them with their ids. A view keeps its id for ever by its name;
// a feature by its name and type, so that one whose type changes gets another id,
// and its former one again if the type comes back. A view's online store and group are
// those with which it was first saved. ErrConflict unless ifGeneration is the current
// generation, and, as a *feature.Error, for a view that names another store or group, or
// is one too many in its group; ErrInvalid for a name used twice.
func (s *Registry) SaveDefinitions(ctx context.Context, ifGeneration uint64, defs feature.Definitions, why feature.Audit) (feature.Definitions, uint64, error) {
	defs = withViews(defs)
	err := s.write(ctx, func(ctx context.Context, tx *transaction) error {
		if err := tx.lock(ctx, lock{space: spaceDefinitions}); err != nil {
			return err
		}
		_, generation, err := definitions(ctx, tx)
		if err != nil {
			return err
		}
		if generation != ifGeneration {
			return fmt.Errorf("definitions are of generation %d: %w", generation, feature.ErrConflict)
		}
		if err := number(ctx, tx, defs.Views); err != nil {
			return err
		}
		body, err := encode(defs)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, insertDefs, int64(ifGeneration)+1, body); err != nil {
			return err
		}
		return insertAudit(ctx, tx, why)
	})
	if err != nil {
		return feature.Definitions{}, 0, fmt.Errorf("save definitions at generation %d: %w", ifGeneration, err)
	}
	return defs, ifGeneration + 1, nil
}

// withViews copies the parts of defs that ids are written to.
func withViews(defs feature.Definitions) feature.Definitions {
	defs.Views = slices.Clone(defs.Views)
	for i := range defs.Views {
		defs.Views[i].Features = slices.Clone(defs.Views[i].Features)
	}
	return defs
}

// number gives every view and feature its id.
func number(ctx context.Context, tx *transaction, views []feature.View) error {
	seen := map[string]bool{}
	for i := range views {
		v := &views[i]
		if seen[v.Name] {
			return invalid("view %s is defined twice", v.Name)
		}
		seen[v.Name] = true
		id, err := idOf(ctx, tx, viewQuery, []any{v.Name}, insertView, []any{v.Name, v.Online, v.Group})
		if err != nil {
			return fmt.Errorf("view %s: %w", v.Name, err)
		}
		v.ID = feature.ViewID(id)
		if err := checkPlace(ctx, tx, v); err != nil {
			return err
		}
		if err := numberFeatures(ctx, tx, v); err != nil {
			return fmt.Errorf("view %s: %w", v.Name, err)
		}
	}
	return nil
}

// checkPlace refuses a view that names another online store or group than its rows are in,
// also if it was out of force meanwhile: its versions are still known. It refuses a view
// more than a group may have as well.
func checkPlace(ctx context.Context, tx *transaction, v *feature.View) error {
	in := *v
	if err := tx.QueryRowContext(ctx, placeQuery, int64(v.ID)).Scan(&in.Online, &in.Group); err != nil {
		return fmt.Errorf("online store of view %s: %w", v.Name, err)
	}
	var members int
	if v.Group != "" {
		if err := tx.QueryRowContext(ctx, groupQuery, v.Group).Scan(&members); err != nil {
			return fmt.Errorf("group of view %s: %w", v.Name, err)
		}
	}
	return checkPlaces(&in, v, members)
}

// CheckDefinitions returns the error that SaveDefinitions has for where the rows of the
// views of defs would be looked for: a *feature.Error of code conflict for a view that names
// another online store or group than it was first saved with, also if it is out of force,
// or is one too many in its group. It changes nothing.
func (s *Registry) CheckDefinitions(ctx context.Context, defs feature.Definitions) error {
	views, err := all(ctx, s, placeOf, placesQuery)
	if err != nil {
		return fmt.Errorf("read where views are: %w", err)
	}
	known, members := make(map[string]*feature.View, len(views)), map[string]int{}
	for i := range views {
		known[views[i].Name] = &views[i]
		members[views[i].Group]++
	}
	for i := range defs.Views {
		v := &defs.Views[i]
		in := known[v.Name]
		if in == nil {
			in = v
			members[v.Group]++
		}
		if err := checkPlaces(in, v, members[v.Group]); err != nil {
			return err
		}
	}
	return nil
}

// placeOf reads the name of a view and where its rows are.
func placeOf(row scanner) (v feature.View, err error) {
	return v, row.Scan(&v.Name, &v.Online, &v.Group)
}

// checkPlaces refuses v where the rows of the view of that name are as in says, and so many
// views are in its group, itself included.
func checkPlaces(in, v *feature.View, members int) error {
	switch {
	case in.OnlineStore() != v.OnlineStore():
		return feature.MovedError(v.Name, in.OnlineStore(), v.OnlineStore())
	case in.Group != v.Group:
		return feature.RegroupedError(v.Name, in.Group, v.Group)
	case v.Group != "" && members > feature.MaxGroup:
		return feature.FullGroupError(v.Name, v.Group)
	}
	return nil
}

func numberFeatures(ctx context.Context, tx *transaction, v *feature.View) error {
	for i := range v.Features {
		f := &v.Features[i]
		if v.FeatureAt(f.Name) != i {
			return invalid("feature %s is defined twice", f.Name)
		}
		of := []any{int64(v.ID), f.Name, f.Type.String()}
		id, err := idOf(ctx, tx, featureQuery, of, insertFeature, of)
		if err != nil {
			return fmt.Errorf("feature %s: %w", f.Name, err)
		}
		f.ID = uint32(id)
	}
	return nil
}

// idOf returns the id that query finds, which insert makes if there is none.
func idOf(ctx context.Context, tx *transaction, query string, by []any, insert string, with []any) (id int64, err error) {
	if err = tx.QueryRowContext(ctx, query, by...).Scan(&id); !errors.Is(err, sql.ErrNoRows) {
		return id, err
	}
	if _, err := tx.ExecContext(ctx, insert, with...); err != nil {
		return 0, err
	}
	return id, tx.QueryRowContext(ctx, query, by...).Scan(&id)
}
