package materialize

import (
	"context"
	"errors"
	"fmt"

	"sluice/feature"
)

// ErrLostRows reports a row store that does not hold rows which it acknowledged, and
// does not take them again either.
var ErrLostRows = errors.New("rows are missing from the store")

// errEnough ends the reading of a sample.
var errEnough = errors.New("enough rows")

// shards names the data sets of a view's row store; empty where they never change.
func (g *Gate) shards(ctx context.Context, view *feature.View) (string, error) {
	if g.deps.Shards == nil {
		return "", nil
	}
	return g.deps.Shards(ctx, view)
}

// audit reads rows of a sealed version back from the store and holds them against
// the log: the first of one partition, another one with every window; and all rows of
// all partitions if the store's data sets changed since the version was opened. If
// some are missing, the version's rows are staged again and all read back.
func (g *Gate) audit(ctx context.Context, c *candidate) error {
	if c.offline {
		return g.complete(ctx, c)
	}
	if len(c.info.Spans) == 0 || c.broken != nil {
		return nil
	}
	whole := c.desk.suspects(c.info.Version, c.shards)
	if !whole && g.cfg.AuditRows == 0 {
		return nil
	}
	a := &auditing{gate: g, candidate: c, has: holds}
	var err error
	if whole {
		err = a.readBack(ctx, c.info.Spans, 0)
	} else {
		err = a.sample(ctx, c.info.Spans[int(c.info.Version)%len(c.info.Spans)])
	}
	if errors.Is(err, feature.ErrExpired) {
		return a.unread(err, whole)
	}
	if err == nil && a.lost > 0 {
		err = a.again(ctx)
	}
	if err != nil {
		return fmt.Errorf("audit version %d: %w", c.info.Version, err)
	}
	return g.unmoved(ctx, c)
}

// unmoved returns feature.ErrConflict if the row store's data sets are others than when
// the decision began.
func (g *Gate) unmoved(ctx context.Context, c *candidate) error {
	now, err := g.shards(ctx, c.desk.view)
	if err == nil && now != c.shards {
		err = fmt.Errorf("the row store's servers changed meanwhile: %w", feature.ErrConflict)
	}
	return err
}

// suspects reports whether rows of a version may have been lost with a server, given
// the data sets of this moment.
func (d *Desk) suspects(version feature.Version, shards string) bool {
	return d.memory.Shards != "" && shards != d.memory.Shards || version <= d.memory.Suspect
}

// moved notes the store's data sets. If they changed, every version there is may have
// been open then.
func (d *Desk) moved(shards string) {
	if d.memory.Shards != "" && shards != d.memory.Shards {
		for version := range d.versions {
			d.memory.Suspect = max(d.memory.Suspect, version)
		}
	}
	if d.memory.Shards == "" {
		d.memory.Mended = shards
	}
	d.memory.Shards = shards
}

// auditing is a version that is read back.
type auditing struct {
	gate *Gate
	*candidate
	has         func(chain []feature.Record, row feature.Record) bool
	there, lost int
	keys        []feature.Key
	chains      [][]feature.Record
}

// sample reads some rows of a span back. A write that repeats one of a window before
// has no row, and to know it takes the event ids of those windows, which is most of
// the work: so it is done only if a row is not there.
func (a *auditing) sample(ctx context.Context, span feature.Span) error {
	alone := span
	alone.EventIDs = false
	if err := a.read(ctx, []feature.Span{alone}, a.gate.cfg.AuditRows); err != nil {
		return err
	}
	if a.lost > 0 && span.EventIDs {
		return a.readBack(ctx, []feature.Span{span}, a.gate.cfg.AuditRows)
	}
	a.count()
	return nil
}

// readBack reads as many rows as most of the given spans, or all of them if most is
// 0, and counts those that are there and those that are not.
func (a *auditing) readBack(ctx context.Context, spans []feature.Span, most int) error {
	err := a.read(ctx, spans, most)
	a.count()
	return err
}

func (a *auditing) count() {
	name := a.desk.view.Name
	a.gate.metrics.audited.WithLabelValues(name, "there").Add(float64(a.there))
	a.gate.metrics.audited.WithLabelValues(name, "lost").Add(float64(a.lost))
}

func (a *auditing) read(ctx context.Context, spans []feature.Span, most int) error {
	some := a.info
	some.Spans = spans
	a.there, a.lost = 0, 0
	err := rowsOf(ctx, a.gate.deps.Log, a.desk.view, &some, some.Version, func(batch []feature.Row) (err error) {
		if err := a.compare(ctx, batch); err != nil {
			return err
		}
		if most > 0 && a.there+a.lost >= most {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return err
}

// rowsOf reads the rows that a version has, as those of the given one.
func rowsOf(ctx context.Context, log Log, view *feature.View, info *feature.VersionInfo, as feature.Version, fn func([]feature.Row) error) error {
	for _, part := range info.Parts() {
		if err := log.Rows(ctx, view, as, part.Window, part.Spans, fn); err != nil {
			return err
		}
	}
	return nil
}

func (a *auditing) compare(ctx context.Context, batch []feature.Row) (err error) {
	a.keys = a.keys[:0]
	for i := range batch {
		a.keys = append(a.keys, batch[i].Key)
	}
	if a.chains, err = a.gate.deps.Rows.Read(ctx, a.desk.view.ID, a.keys, a.chains); err != nil {
		return err
	}
	for i := range batch {
		if a.has(a.chains[i], batch[i].Record) {
			a.there++
		} else {
			a.lost++
		}
	}
	return nil
}

// holds reports whether a chain has a row of its version, or one that the version got
// later.
func holds(chain []feature.Record, row feature.Record) bool {
	for _, r := range chain {
		if r.Version == row.Version {
			return !row.Newer(r)
		}
	}
	return false
}

// again stages the rows of the version again, from the log, and reads all of them
// back.
func (a *auditing) again(ctx context.Context) error {
	a.gate.log.Error("rows of a version are missing from the store, staging it again", "view", a.desk.view.Name, "version", a.info.Version, "missing", a.lost, "of", a.there+a.lost)
	return a.restage(ctx)
}

// restage stages all rows of the version from the log, and reads them back.
func (a *auditing) restage(ctx context.Context) error {
	deps, view := a.gate.deps, a.desk.view
	err := rowsOf(ctx, deps.Log, view, &a.info, a.info.Version, func(batch []feature.Row) error {
		_, err := deps.Rows.Stage(ctx, view.ID, a.info.Version, batch)
		return err
	})
	if err == nil {
		err = deps.Rows.Sync(ctx)
	}
	if err == nil {
		err = a.readBack(ctx, a.info.Spans, 0)
	}
	if err == nil && a.lost > 0 {
		err = fmt.Errorf("%d of %d: %w", a.lost, a.there+a.lost, ErrLostRows)
	}
	return err
}

// unread decides what a log means that no longer reaches back: nothing, unless rows
// may have been lost. Then the gate stays closed.
func (a *auditing) unread(err error, whole bool) error {
	a.gate.metrics.audited.WithLabelValues(a.desk.view.Name, "unread").Add(float64(a.info.Rows))
	if whole {
		a.broken = fmt.Errorf("the row store's servers changed while its rows were staged, and they cannot be read back: %w", err)
		return nil
	}
	a.gate.log.Warn("rows not read back: the log no longer holds them", "view", a.desk.view.Name, "version", a.info.Version)
	return nil
}
