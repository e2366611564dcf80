package control

import (
	"context"
	"fmt"
	"strings"

	"sluice/feature"
	"sluice/internal/definition"
)

// removals adds to a plan what goes out of service with the views that it removes.
func (a *API) removals(ctx context.Context, p *proposal) error {
	for i := range p.plan.Changes {
		c := &p.plan.Changes[i]
		if !c.RemovesView() {
			continue
		}
		removal, err := a.removal(ctx, p.old.View(c.Name))
		if err != nil {
			return fmt.Errorf("plan the removal of view %s: %w", c.Name, err)
		}
		c.Removes = &removal
	}
	return nil
}

func (a *API) removal(ctx context.Context, v *feature.View) (definition.Removal, error) {
	vector, err := a.deps.Registry.Vector(ctx, v.ID)
	if err != nil {
		return definition.Removal{}, fmt.Errorf("read vector: %w", err)
	}
	versions, err := a.deps.Registry.Versions(ctx, v.ID, 0, 0)
	if err != nil {
		return definition.Removal{}, fmt.Errorf("list versions: %w", err)
	}
	r := definition.Removal{ServedVersion: vector.Newest()}
	for i := range versions {
		if !versions[i].State.Dead() {
			r.Versions++
			r.Rows += versions[i].Rows
		}
	}
	return r, nil
}

// maxNamed is how many views an error names.
const maxNamed = 10

// unconfirmed is the error of a request that would remove views and does not say
// that it means to; nil if it removes none.
func unconfirmed(p *proposal) error {
	var gone []string
	for i := range p.plan.Changes {
		if c := &p.plan.Changes[i]; c.RemovesView() {
			gone = append(gone, fmt.Sprintf("%s (versions: %d, rows: %d)", c.Name, c.Removes.Versions, c.Removes.Rows))
		}
	}
	if len(gone) == 0 {
		return nil
	}
	names := strings.Join(gone[:min(len(gone), maxNamed)], ", ")
	if more := len(gone) - maxNamed; more > 0 {
		names += fmt.Sprintf(" and %d more", more)
	}
	return invalid(
		fmt.Sprintf("put them back into the files; or, if they are to go, add --allow-remove --if-generation %d (in a request: allow_remove and if_generation)", p.generation),
		"this would remove %d of %d views, which are then no longer judged and served: %s; nothing was changed", len(gone), len(p.old.Views), names,
	)
}
