package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"sluice/feature"
	"sluice/internal/definition"
)

// definitionsRequest carries the definitions as their files: YAML, or JSON, which
// is YAML. The server reads and validates them.
type definitionsRequest struct {
	Files        []definition.File `json:"files"`
	By           string            `json:"by"` // where there is no token
	Reason       string            `json:"reason"`
	IfGeneration *uint64           `json:"if_generation"`
	AllowRemove  bool              `json:"allow_remove"` // views may be removed
	Add          bool              `json:"add"`          // what is in force and not in files stays
}

// proposal is what a request would put in force, and in whose place.
type proposal struct {
	request    definitionsRequest
	old, next  feature.Definitions
	generation uint64 // of old
	plan       definition.Changes
}

// propose reads and validates definitions and compares them with those in force.
func (a *API) propose(r *http.Request) (proposal, error) {
	var p proposal
	if err := decode(r, maxFiles, &p.request); err != nil {
		return p, err
	}
	if len(p.request.Files) == 0 || len(p.request.Files) > definition.MaxFiles {
		return p, invalid(`send {"files":[{"name":"features.yaml","text":"..."}]}`, "%d files: want 1 to %d", len(p.request.Files), definition.MaxFiles)
	}
	var err error
	if p.next, err = definition.Parse(p.request.Files); err != nil {
		return p, invalid("mend every line and send it again; nothing was changed", "%v", err)
	}
	if err := a.checkViews(&p.next); err != nil {
		return p, err
	}
	if p.old, p.generation, err = a.deps.Registry.Definitions(r.Context()); err != nil {
		return p, fmt.Errorf("read definitions: %w", err)
	}
	if want := p.request.IfGeneration; want != nil && *want != p.generation {
		return p, &feature.Error{
			Code: feature.CodeConflict, Message: fmt.Sprintf("definitions are of generation %d, not %d", p.generation, *want),
			Hint: "plan again, then apply",
		}
	}
	if p.request.Add {
		if p.next, err = add(p.old, p.next); err != nil {
			return p, err
		}
	}
	if err := a.moved(r.Context(), &p); err != nil {
		return p, err
	}
	p.plan = definition.Plan(p.old, p.next)
	return p, a.removals(r.Context(), &p)
}

// checkViews finds what only the reader of writes can, in all views at once.
func (a *API) checkViews(defs *feature.Definitions) error {
	if a.deps.CheckView == nil {
		return nil
	}
	var problems []error
	for i := range defs.Views {
		if err := a.deps.CheckView(&defs.Views[i]); err != nil {
			problems = append(problems, fmt.Errorf("views.%s: %w", defs.Views[i].Name, err))
		}
	}
	if err := errors.Join(problems...); err != nil {
		return invalid("mend it and send it again; nothing was changed", "%v", err)
	}
	return nil
}

// moved refuses definitions by which the rows of a view would be looked for in another
// online store or group than they are in, also of one that was out of force, or by other
// keys. Of store and group the registry would refuse as well, but only to apply.
func (a *API) moved(ctx context.Context, p *proposal) error {
	if err := a.deps.Registry.CheckDefinitions(ctx, p.next); err != nil {
		return fmt.Errorf("look at where the rows of views are: %w", err)
	}
	for i := range p.next.Views {
		next := &p.next.Views[i]
		old, err := a.former(ctx, p, next.Name)
		if err == nil && old != nil && !slices.Equal(old.Entities, next.Entities) {
			err = a.rekeyed(ctx, old, next)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// former returns a view as it is in force, or was when it was last; nil if it never was.
func (a *API) former(ctx context.Context, p *proposal, name string) (*feature.View, error) {
	if old := p.old.View(name); old != nil {
		return old, nil
	}
	old, err := a.deps.Registry.Former(ctx, name)
	if errors.Is(err, feature.ErrNotFound) {
		return nil, nil
	}
	return &old, err
}

// rekeyed refuses other join keys for a view that has versions. One without may have its
// keys mended.
func (a *API) rekeyed(ctx context.Context, old, next *feature.View) error {
	versions, err := a.deps.Registry.Versions(ctx, old.ID, 0, 1)
	if err != nil {
		return err
	}
	if len(versions) == 0 {
		return nil
	}
	return feature.RekeyedError(old, next)
}

func (a *API) plan(r *http.Request) (any, error) {
	p, err := a.propose(r)
	return p.plan, err
}

type applyAnswer struct {
	Applied    bool                `json:"applied"`
	Digest     string              `json:"digest"`
	Generation uint64              `json:"generation"`
	Changes    []definition.Change `json:"changes"`
}

// apply puts definitions in force in one transaction of the registry. Definitions
// that are in force already change nothing and keep their generation; those that
// remove views are refused unless the request allows it.
func (a *API) apply(r *http.Request) (any, error) {
	p, err := a.propose(r)
	if err != nil {
		return nil, err
	}
	answer := applyAnswer{Applied: true, Digest: p.plan.Digest, Generation: p.generation, Changes: p.plan.Changes}
	if len(p.plan.Changes) == 0 && p.generation > 0 {
		return answer, a.inForce(r.Context(), &p.old, p.generation)
	}
	if !p.request.AllowRemove {
		if err := unconfirmed(&p); err != nil {
			return nil, err
		}
	}
	if answer.Generation, err = a.save(r.Context(), &p, by(r, p.request.By)); err != nil {
		return nil, err
	}
	return answer, nil
}

func (a *API) save(ctx context.Context, p *proposal, by string) (uint64, error) {
	now, _ := a.deps.Clock.Now()
	before, err := json.Marshal(map[string]any{"digest": definition.Digest(p.old), "generation": p.generation})
	if err != nil {
		return 0, fmt.Errorf("encode audit row: %w", err)
	}
	after, err := json.Marshal(map[string]any{"digest": p.plan.Digest, "generation": p.generation + 1, "changes": p.plan.Changes})
	if err != nil {
		return 0, fmt.Errorf("encode audit row: %w", err)
	}
	why := feature.Audit{At: now.UTC(), By: by, Action: "apply", Reason: p.request.Reason, Before: before, After: after}
	saved, generation, err := a.deps.Registry.SaveDefinitions(ctx, p.generation, p.next, why)
	if err != nil {
		return 0, fmt.Errorf("apply definitions: %w", err)
	}
	return generation, a.inForce(ctx, &saved, generation)
}

// inForce tells that definitions are in force. What fails then says so: applying
// them again tries it again.
func (a *API) inForce(ctx context.Context, defs *feature.Definitions, generation uint64) error {
	if a.deps.Applied == nil {
		return nil
	}
	err := a.deps.Applied(ctx, defs)
	if err == nil {
		return nil
	}
	a.deps.Logger.Error("definitions are in force, but what they need is not there", "generation", generation, "err", err)
	text := "the server could not make what they need"
	var known *feature.Error
	if errors.As(err, &known) {
		text = known.Message
	}
	return &feature.Error{
		Code: feature.CodeUnavailable, Message: fmt.Sprintf("definitions are in force with generation %d, but: %s", generation, text),
		Hint: "apply them again; the server's log says more",
	}
}
