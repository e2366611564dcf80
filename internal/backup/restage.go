package backup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/feature"
)

// Log reads a part of a window again and hands over its accepted rows for a version, in
// batches that are valid during the call; the rows' keys and bytes may be kept. The error
// is feature.ErrExpired if the log no longer holds it all. tap.Reader provides it.
type Log interface {
	Rows(ctx context.Context, view *feature.View, version feature.Version, window feature.Window, spans []feature.Span, fn func([]feature.Row) error) error
}

// Rows is the online store that is filled. Stage is idempotent, may be called many times
// at once, and keeps the newest of each key in a version.
type Rows interface {
	Stage(ctx context.Context, view feature.ViewID, version feature.Version, rows []feature.Row) (bytes uint64, err error)
	Fold(ctx context.Context, view feature.ViewID, floor feature.Version, dead, touched []feature.Version) (removed int, err error)
	Sync(ctx context.Context) error
}

// Progress is how far a Restage is.
type Progress struct {
	Parts, OfParts int
	Rows           uint64
	Took           time.Duration
}

// FoldableFunc returns up to which version the records of a view may be folded at this
// moment; its floor is at least that of the plan. Rows that are not in the store yet, and
// are not staged, may be hidden by a deletion behind that version.
type FoldableFunc func(ctx context.Context, view feature.ViewID, floor feature.Version) (feature.Version, error)

// Plan is what to stage.
type Plan struct {
	Parts    []Part
	Vectors  map[feature.ViewID]feature.Vector
	Foldable FoldableFunc   // nil: records may be folded up to the floor
	Parallel int            // parts read at once, and batches staged at once; at least 1
	Tell     func(Progress) // called about once a second; nil: nobody is told
}

// Restage reads the rows of parts from the log again and stages them. What the log no
// longer holds is listed and left out; any other error ends it, and it may be repeated.
// Rows of certified versions that newer certified ones hide are folded away at the end,
// as the gate had done.
func Restage(ctx context.Context, log Log, rows Rows, plan Plan) (Restaged, error) {
	s := &stager{log: log, rows: rows, plan: plan, began: time.Now(), counts: map[versionOf]*count{}, batches: make(chan batch, 2*plan.Parallel)}
	err := s.run(ctx)
	if err == nil {
		err = s.fold(ctx)
	}
	if err == nil {
		err = rows.Sync(ctx)
	}
	s.done.Took = time.Since(s.began)
	if err != nil {
		return s.done, fmt.Errorf("stage rows again: %w", err)
	}
	s.compare()
	return s.done, nil
}

// versionOf names a version of a view.
type versionOf struct {
	view    feature.ViewID
	version feature.Version
}

// count is what was staged of a version.
type count struct {
	view          string
	said, rows    uint64
	deleted, lost bool
}

// batch is rows on their way from the log to the store.
type batch struct {
	versionOf
	rows []feature.Row
}

// stager is one Restage under way.
type stager struct {
	log     Log
	rows    Rows
	plan    Plan
	began   time.Time
	batches chan batch

	mu     sync.Mutex
	done   Restaged
	counts map[versionOf]*count
	told   time.Time
}

// run reads parts and stages their batches, both Parallel at a time.
func (s *stager) run(ctx context.Context) error {
	all, ctx := errgroup.WithContext(ctx)
	parts := make(chan Part)
	all.Go(func() error {
		defer close(parts)
		for _, p := range s.plan.Parts {
			select {
			case parts <- p:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	var readers sync.WaitGroup
	for range max(1, s.plan.Parallel) {
		readers.Add(1)
		all.Go(func() error {
			defer readers.Done()
			for p := range parts {
				if err := s.read(ctx, p); err != nil {
					return err
				}
			}
			return nil
		})
		all.Go(func() error { return s.stage(ctx) })
	}
	all.Go(func() error {
		readers.Wait()
		close(s.batches)
		return nil
	})
	return all.Wait()
}

// read hands the rows of a part to those that stage.
func (s *stager) read(ctx context.Context, p Part) error {
	of := versionOf{p.View.ID, p.Version}
	s.note(of, func(c *count) { c.view, c.said = p.View.Name, p.Rows })
	if p.Gone != "" {
		s.lose(p, p.Gone)
		return nil
	}
	err := s.log.Rows(ctx, p.View, p.Version, p.Window, []feature.Span{p.Span}, func(rows []feature.Row) error {
		s.note(of, func(c *count) {
			c.rows += uint64(len(rows))
			c.deleted = c.deleted || slices.ContainsFunc(rows, func(r feature.Row) bool { return r.Record.Deleted })
		})
		select {
		case s.batches <- batch{of, slices.Clone(rows)}:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	if errors.Is(err, feature.ErrExpired) {
		s.lose(p, err.Error())
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s version %d: %w", p.View.Name, p.Version, err)
	}
	s.note(of, func(*count) { s.done.Parts++ })
	return nil
}

// note changes a version's count.
func (s *stager) note(of versionOf, change func(*count)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.counts[of]
	if c == nil {
		c = &count{}
		s.counts[of] = c
	}
	change(c)
}

func (s *stager) lose(p Part, reason string) {
	s.note(versionOf{p.View.ID, p.Version}, func(c *count) {
		c.lost = true
		s.done.Lost = append(s.done.Lost, Lost{p.View.Name, p.Version, p.Window, p.State, fmt.Sprintf("%s/%d", p.Span.Topic, p.Span.Partition), reason})
	})
}

// stage stages batches until there are no more.
func (s *stager) stage(ctx context.Context) error {
	for b := range s.batches {
		if _, err := s.rows.Stage(ctx, b.view, b.version, b.rows); err != nil {
			return err
		}
		s.tell(len(b.rows))
	}
	return nil
}

// tell counts staged rows, and says so now and then.
func (s *stager) tell(rows int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done.Rows += uint64(rows)
	if now := time.Now(); s.plan.Tell != nil && now.Sub(s.told) >= time.Second {
		s.told = now
		s.plan.Tell(Progress{s.done.Parts + len(s.done.Lost), len(s.plan.Parts), s.done.Rows, now.Sub(s.began)})
	}
}

// fold removes what newer certified versions hide. A key with more than one record is
// also in a version other than the largest, so that the largest need not be walked unless
// it has deletions.
func (s *stager) fold(ctx context.Context) error {
	for view, vector := range s.plan.Vectors {
		floor := vector.Floor
		if s.plan.Foldable != nil {
			var err error
			if floor, err = s.plan.Foldable(ctx, view, floor); err != nil {
				return err
			}
		}
		var touched []feature.Version
		var largest feature.Version
		for of, c := range s.counts {
			if of.view != view || of.version > floor || c.rows == 0 {
				continue
			}
			touched = append(touched, of.version)
			if before := s.counts[versionOf{view, largest}]; before == nil || c.rows > before.rows {
				largest = of.version
			}
		}
		if c := s.counts[versionOf{view, largest}]; c != nil && !c.deleted {
			touched = slices.DeleteFunc(touched, func(v feature.Version) bool { return v == largest })
		}
		if len(touched) == 0 {
			continue
		}
		slices.Sort(touched)
		n, err := s.rows.Fold(ctx, view, floor, vector.Dead, touched)
		if s.done.Folded += n; err != nil {
			return err
		}
	}
	return nil
}

// compare finds the versions that have other rows than when they were sealed.
func (s *stager) compare() {
	for of, c := range s.counts {
		if c.said > 0 && !c.lost && c.rows != c.said {
			s.done.Differences = append(s.done.Differences, Difference{c.view, of.version, c.said, c.rows})
		}
	}
	slices.SortFunc(s.done.Differences, func(a, b Difference) int { return int(a.Version) - int(b.Version) })
	slices.SortFunc(s.done.Lost, func(a, b Lost) int { return int(a.Version) - int(b.Version) })
}
