package serving

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"sluice/feature"
	"sluice/serving/readership"
	"sluice/serving/refusal"
)

// read lets q in and fills its answers, unless the server is overloaded.
func (s *Server) read(ctx context.Context, q *query, snap *snapshot, lapsed bool) error {
	ticket, err := s.door.enter(ctx, q)
	if err != nil {
		return err
	}
	err = s.fill(ctx, q, snap, lapsed)
	s.door.leave(ticket, q, err)
	return err
}

// fill fills q's answers from one snapshot: one batched read a view, all at once.
func (s *Server) fill(ctx context.Context, q *query, snap *snapshot, lapsed bool) error {
	now := int64(0)
	if t := s.deps.Now(); !t.IsZero() {
		now = t.UnixNano()
	}
	for i := range q.plan.parts {
		p := &q.plan.parts[i]
		shown := &snap.served[p.view.index]
		if shown.vector.Refuse {
			return refuseVector(p.view)
		}
		version, past := q.past[p.view.Name]
		if past {
			var err error
			if shown, err = s.asOf(ctx, p.view, shown, version, lapsed); err != nil {
				return err
			}
		}
		q.answer(p, shown).past = past
		q.buildKeys(i)
	}
	if err := s.fetchAll(ctx, q.answers); err != nil {
		return err
	}
	for _, a := range q.answers {
		p, shown := a.part, a.shown
		version, past := q.past[p.view.Name]
		if past {
			if err := a.known(ctx, snap.served[p.view.index].vector, version); err != nil {
				return err
			}
		}
		if err := a.resolve(shown.vector, now); err != nil {
			return readError(ctx, p.view, err)
		}
		if !past {
			s.kept.keep(a)
			if !q.scan {
				s.cache.remember(a)
			}
		}
		s.explain(ctx, a, shown, now, lapsed)
		if err := q.policy.apply(a, a.age(shown, now)); err != nil {
			return err
		}
		if p.computed != nil {
			if err := s.compute(ctx, q, a); err != nil {
				return err
			}
		}
	}
	if err := q.check(ctx); err != nil {
		return err
	}
	for _, a := range q.answers {
		_, past := q.past[a.part.view.Name]
		s.count(a, now, !past)
	}
	return nil
}

// readError is what a failing store is answered with: the caller's own deadline
// or cancellation, or unavailable.
func readError(ctx context.Context, v *view, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("read %s: %w", v.Name, ctx.Err())
	}
	p := refusal.Of(feature.CodeUnavailable, "try again; if it stays, see the server's log", "the rows of view %s cannot be read", v.Name)
	return fmt.Errorf("%w: %w", p, err)
}

// buildKeys makes the keys of answer i. Views with the same join keys share them.
func (q *query) buildKeys(i int) {
	a := q.answers[i]
	if i > 0 && slices.Equal(q.answers[i-1].part.joins, a.part.joins) {
		a.keys = append(a.keys[:0], q.answers[i-1].keys...)
		return
	}
	q.keyBytes, q.keyEnds = q.keyBytes[:0], q.keyEnds[:0]
	for row := range q.rows {
		for _, join := range a.part.joins {
			q.keyBytes = feature.AppendKeyPart(q.keyBytes, q.key(join, row))
		}
		q.keyEnds = append(q.keyEnds, len(q.keyBytes))
	}
	all, from := string(q.keyBytes), 0
	a.keys = a.keys[:0]
	for _, to := range q.keyEnds {
		a.keys = append(a.keys, feature.Key(all[from:to]))
		from = to
	}
}

// resolve picks each entity's visible row and takes its values apart. now is in
// Unix nanoseconds; 0 is no clock, and then nothing expires.
func (a *partAnswer) resolve(vector feature.Vector, now int64) error {
	version := feature.Version(0)
	a.now = now
	for row, chain := range a.chains {
		record, ok := vector.Resolve(chain)
		if !ok {
			continue
		}
		r := rowAnswer{state: rowFound, kept: a.rows[row].kept, eventTime: record.EventTime, version: record.Version}
		if old := age(now, record.EventTime); now != 0 && a.part.ttl > 0 && old > a.part.ttl {
			r.state = rowExpired
			a.expired++
			a.oldest = max(a.oldest, old)
		}
		if a.found == 0 || record.EventTime > a.newest {
			a.newest = record.EventTime
		}
		a.found++
		version = max(version, record.Version)
		a.rows[row], a.row = r, row
		if err := feature.EachValue(record.Row, a.take); err != nil {
			return fmt.Errorf("row %d, version %d: %w", row, record.Version, err)
		}
		if len(a.part.nested) > 0 {
			if err := a.unnest(row); err != nil {
				return fmt.Errorf("row %d, version %d: %w", row, record.Version, err)
			}
		}
	}
	a.provenance.Version = version
	return nil
}

// explain completes the provenance.
func (s *Server) explain(ctx context.Context, a *partAnswer, shown *served, now int64, lapsed bool) {
	p := &a.provenance
	p.Generation, p.CachedRows = shown.vector.Generation, a.recalled
	if a.found == 0 {
		p.Version = shown.vector.Newest()
	} else if now != 0 {
		p.AgeSeconds = seconds(age(now, a.newest))
	}
	switch {
	case lapsed && a.fault != nil:
		p.Fallback = fallbackBoth
	case lapsed:
		p.Fallback = fallbackLease
	case a.fault != nil:
		p.Fallback = fallbackStore
	}
	p.Stale = lapsed || a.kept > 0
	p.Verdict = s.verdictOf(ctx, a.part.view, shown, p.Version, lapsed)
}

// age returns how old the view is, in nanoseconds: since the newest of the rows
// read and of the end of the windows it shows, so that an entity that is seldom
// written does not make its view look late. 0 without a clock or evidence.
func (a *partAnswer) age(shown *served, now int64) int64 {
	newest := min(shown.newest, now)
	if a.found > 0 {
		newest = max(newest, a.newest)
	}
	if now == 0 || newest == 0 {
		return 0
	}
	return age(now, newest)
}

// count records what is about to be returned: the statuses, how often each version
// was read, and a sample of the rows if sample is set.
func (s *Server) count(a *partAnswer, now int64, sample bool) {
	var n [len(statusNames)]int
	slots, shown, returned, reads, watch := len(a.part.features), a.part.shown, 0, readership.Tally{}, a.part.view.watch
	for row := range a.rows {
		r := &a.rows[row]
		if r.state.returned() {
			returned++
			if watch.Exposure != nil {
				reads.Add(r.version, watch.Exposure)
			}
		}
		if a.part.computed == nil && r.state != rowFound && (r.state != rowExpired || a.part.ttls == nil) {
			n[r.state.of(false)] += shown
			continue
		}
		for slot, cell := range a.cells[row*slots : row*slots+shown] {
			n[a.state(row, slot).of(len(cell) == 0)]++
		}
	}
	a.part.view.metrics.add(n)
	if a.kept > 0 {
		a.part.view.metrics.kept.Add(float64(a.kept))
	}
	if a.recalled > 0 {
		a.part.view.metrics.cached.Add(float64(a.recalled))
	}
	reads.Count(watch.Exposure)
	for _, list := range a.part.reads {
		list.Add(uint64(returned))
	}
	if watch.Sampler != nil && returned > 0 && sample {
		watch.Sampler.Offer(returned, func(at int) { s.sample(a, a.returnedRow(at), now) })
	}
}

// returnedRow returns the row that is at position at of those returned.
func (a *partAnswer) returnedRow(at int) int {
	for row, r := range a.rows {
		if r.state.returned() {
			if at == 0 {
				return row
			}
			at--
		}
	}
	return len(a.rows) - 1
}

// verdictWait is how long a read waits for the registry to name the verdict of a
// version that it meets for the first time.
const verdictWait = 50 * time.Millisecond

// verdictOf returns the id of the verdict on version. Versions that the vector
// names are known from the snapshot; one below the floor is asked for once and
// then kept.
func (s *Server) verdictOf(ctx context.Context, v *view, shown *served, version feature.Version, lapsed bool) string {
	if s.deps.Version == nil || version == 0 {
		return ""
	}
	if info, ok := shown.version(version); ok {
		return info.Verdict
	}
	if verdict, ok := s.verdicts.get(v.ID, version); ok || lapsed {
		return verdict
	}
	ctx, cancel := context.WithTimeout(ctx, verdictWait)
	defer cancel()
	info, err := s.deps.Version(ctx, v.ID, version)
	if err != nil && !errors.Is(err, feature.ErrNotFound) {
		return ""
	}
	s.verdicts.put(v.ID, version, info.Verdict)
	return info.Verdict
}
