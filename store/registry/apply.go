package registry

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"sluice/feature"
)

const (
	insertVerdict = `INSERT INTO verdicts (id, view_id, kind, version, window_start, window_end, state, decision, at, body, evidence)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`
	insertBlob    = `INSERT INTO blobs (digest, packed) VALUES ($1, $2) ON CONFLICT (digest) DO NOTHING`
	upsertHistory = `INSERT INTO history (view_id, window_start, window_end, version, layout, normal, profile, summary)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (view_id, window_start) DO UPDATE SET
		window_end = excluded.window_end, version = excluded.version, layout = excluded.layout,
		normal = excluded.normal, profile = excluded.profile, summary = excluded.summary`
	deleteHistory  = `DELETE FROM history WHERE view_id = $1 AND window_start = $2`
	insertLayout   = `INSERT INTO layouts (view_id, starts, digest, packed) VALUES ($1, $2, $3, $4) ON CONFLICT (view_id, starts, digest) DO NOTHING`
	insertBaseline = `INSERT INTO baselines (view_id, body) VALUES ($1, $2)`
	upsertMemory   = `INSERT INTO memories (view_id, packed) VALUES ($1, $2) ON CONFLICT (view_id) DO UPDATE SET packed = excluded.packed`
)

// Apply carries out a decision in one transaction and returns the vector in force
// after it. With an error nothing is changed, and the vector, as far as it was
// read, is the one in force.
//
// The errors are those of feature.Commit, and besides them ErrConflict for a
// version that would come back from the dead or go back a step, ErrNotFound for a
// version that was never opened, and ErrInvalid for a commit that could show rows
// of a version that is not visible, that changes a vector without an audit row, or
// whose blobs are not what their names say.
func (s *Registry) Apply(ctx context.Context, c feature.Commit) (feature.Vector, error) {
	a := &application{Commit: c}
	if err := s.apply(ctx, a); err != nil {
		return a.old, fmt.Errorf("apply to view %d at generation %d: %w", c.View, c.IfGeneration, err)
	}
	return a.next, nil
}

func (s *Registry) apply(ctx context.Context, a *application) error {
	if a.View == 0 {
		return invalid("view without id")
	}
	if a.Vector != nil && len(a.Audit) == 0 {
		return invalid("a change of vector without an audit row")
	}
	if err := a.pack(ctx, s); err != nil {
		return err
	}
	return s.write(ctx, func(ctx context.Context, tx *transaction) error {
		a.tx, tx.view = tx, a.View
		for _, step := range []func(context.Context) error{
			a.lock, a.compare, a.versions, a.vector, a.verdicts, a.blobs, a.history, a.baseline, a.log, a.notices,
		} {
			if err := step(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

// application is a commit on its way into the registry.
type application struct {
	feature.Commit
	tx        *transaction
	old, next feature.Vector
	packed    map[string][]byte // blobs that were not there before
}

// pack checks and compresses the blobs that are not there yet, before the write
// lock is taken. Blobs are never removed, so one that is there stays.
func (a *application) pack(ctx context.Context, s *Registry) error {
	a.packed = make(map[string][]byte, len(a.Blobs))
	for digest, blob := range a.Blobs {
		there, err := one(ctx, s, scanCount, hasBlobQuery, digest)
		if err != nil {
			return err
		}
		if there > 0 {
			continue
		}
		if digest != digestOf(blob) {
			return invalid("blob %.80q has another digest", digest)
		}
		a.packed[digest] = pack(blob)
	}
	return nil
}

// lock keeps others from changing what the commit is compared with: the view's state,
// and who is in charge.
func (a *application) lock(ctx context.Context) error {
	locks := []lock{viewLock(a.View)}
	if a.Owner != "" {
		locks = append(locks, ownerLock(a.Owner, true))
	}
	return a.tx.lock(ctx, locks...)
}

// compare holds the commit against what others may have changed.
func (a *application) compare(ctx context.Context) (err error) {
	if a.old, err = vector(a.tx.QueryRowContext(ctx, vectorQuery, int64(a.View))); err != nil {
		return err
	}
	a.next = a.old
	if a.Owner != "" {
		if err := checkEpoch(ctx, a.tx, a.Owner, a.Epoch); err != nil {
			return err
		}
	}
	if a.old.Generation != a.IfGeneration {
		return fmt.Errorf("the vector has generation %d: %w", a.old.Generation, feature.ErrConflict)
	}
	if a.Seal != nil {
		return checkIdle(ctx, a.tx, a.View, a.Seal.Idle)
	}
	return nil
}

func (a *application) versions(ctx context.Context) error {
	for _, info := range a.Versions {
		stored, err := decoded[feature.VersionInfo](a.tx.QueryRowContext(ctx, versionQuery, int64(a.View), int64(info.Version)))
		if err == nil {
			err = checkMove(stored, info)
		}
		if err != nil {
			return fmt.Errorf("version %d: %w", info.Version, missing(err))
		}
	}
	for _, info := range a.Versions {
		if err := putVersion(ctx, a.tx, updateVersion, a.View, inUTC(info)); err != nil {
			return err
		}
	}
	return nil
}

var stepOrder = []feature.Step{feature.StepOpen, feature.StepSealed, feature.StepDecided, feature.StepCertified, feature.StepSwept}

// checkMove refuses to take a version back: to an earlier step, or from the dead.
func checkMove(from, to feature.VersionInfo) error {
	if !slices.Contains(stepOrder, to.Step) {
		return invalid("step %q", to.Step)
	}
	if slices.Index(stepOrder, to.Step) < slices.Index(stepOrder, from.Step) {
		return fmt.Errorf("it is %s already, not %s: %w", from.Step, to.Step, feature.ErrConflict)
	}
	if from.State.Dead() && to.State != from.State {
		return fmt.Errorf("it is %s already, not %s: %w", from.State, to.State, feature.ErrConflict)
	}
	if from.Kind != to.Kind || !from.Window.Start.Equal(to.Window.Start) {
		return invalid("another kind or window than it was opened for")
	}
	return nil
}

func (a *application) vector(ctx context.Context) error {
	if a.Vector != nil {
		if err := checkVector(*a.Vector, a.old); err != nil {
			return err
		}
		a.next = *a.Vector
		a.next.Generation = a.old.Generation + 1
		if err := putVector(ctx, a.tx, a.View, a.next); err != nil {
			return err
		}
	}
	if a.Vector == nil && len(a.Versions) == 0 {
		return nil
	}
	return checkShown(ctx, a.tx, a.View, a.next)
}

func (a *application) verdicts(ctx context.Context) error {
	for _, v := range a.Verdicts {
		if v.At.IsZero() {
			v.At = a.Now
		}
		if err := a.tx.put(ctx, func(_ int64, err error) error { return a.judged(v, err) },
			insertVerdict, v.ID, int64(a.View), v.Kind, int64(v.Version), nanos(v.Window.Start), nanos(v.Window.End),
			v.State, v.Decision, nanos(v.At), pack(notNil(v.Body)), pack(notNil(v.Case))); err != nil {
			return err
		}
		if err := a.record(ctx, &v); err != nil {
			return err
		}
	}
	return nil
}

// judged says what an error at storing a verdict means.
func (a *application) judged(v feature.VerdictRow, err error) error {
	if a.tx.taken(err) {
		return fmt.Errorf("verdict %s, or another %s verdict of version %d, is there already: %w", v.ID, v.Kind, v.Version, feature.ErrConflict)
	}
	return naming("verdict %s", v.ID)(0, err)
}

func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

func (a *application) blobs(ctx context.Context) error {
	for _, digest := range slices.Sorted(maps.Keys(a.packed)) {
		if err := a.tx.put(ctx, naming("blob %s", digest), insertBlob, digest, a.packed[digest]); err != nil {
			return err
		}
	}
	return nil
}

// log writes audit rows and alerts. Those without a time happen at Now, and audit
// rows of a change of vector show it unless they show something else.
func (a *application) log(ctx context.Context) error {
	for _, row := range a.Audit {
		if row.At.IsZero() {
			row.At = a.Now
		}
		if a.Vector != nil {
			if err := showVectors(&row, a.old, a.next); err != nil {
				return err
			}
		}
		if err := insertAudit(ctx, a.tx, row); err != nil {
			return err
		}
	}
	for _, alert := range a.Alerts {
		if alert.At.IsZero() {
			alert.At = a.Now
		}
		if err := putAlert(ctx, a.tx, alert); err != nil {
			return err
		}
	}
	return resolve(ctx, a.tx, a.Resolve, a.Now)
}

func (a *application) history(ctx context.Context) error {
	for _, start := range a.DropHistory {
		if err := a.tx.put(ctx, naming("drop history"), deleteHistory, int64(a.View), nanos(start)); err != nil {
			return err
		}
	}
	for _, h := range a.History {
		normal := 0
		if h.Normal {
			normal = 1
		}
		if err := a.tx.put(ctx, naming("history"), upsertHistory, int64(a.View), nanos(h.Window.Start), nanos(h.Window.End), int64(h.Version),
			h.Layout, normal, pack(h.Profile), pack(h.Summary)); err != nil {
			return err
		}
	}
	for _, l := range a.Layouts {
		if err := a.tx.put(ctx, naming("layout %s", l.Digest), insertLayout, int64(a.View), nanos(l.From), l.Digest, pack(notNil(l.Body))); err != nil {
			return err
		}
	}
	return nil
}

func (a *application) baseline(ctx context.Context) error {
	if a.Baseline != nil {
		row := *a.Baseline
		if row.At.IsZero() {
			row.At = a.Now
		}
		row.At, row.From = row.At.UTC(), row.From.UTC()
		body, err := encode(row)
		if err != nil {
			return err
		}
		if err := a.tx.put(ctx, naming("baseline"), insertBaseline, int64(a.View), body); err != nil {
			return err
		}
	}
	if a.Memory == nil {
		return nil
	}
	return a.tx.put(ctx, naming("memory"), upsertMemory, int64(a.View), pack(a.Memory))
}
