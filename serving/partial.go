package serving

import (
	"context"
	"errors"
	"slices"
	"time"

	"sluice/feature"
	"sluice/serving/refusal"
)

// Partial is an error of Rows.Read that concerns some of the keys alone: the
// chains of the others are good. *redis.PartialError is one.
type Partial interface {
	error
	// Missing returns the positions of the keys whose chains could not be read,
	// rising.
	Missing() []int
	// Lagging returns those of the keys whose chains are of a replica, which may
	// lack what was written last, rising.
	Lagging() []int
}

// fallbackStore is the reason given when rows could not be read: they have status
// UNAVAILABLE, or were kept from an earlier read. fallbackBoth is this and an
// earlier snapshot.
const (
	fallbackStore = "store"
	fallbackBoth  = fallbackLease + "," + fallbackStore
)

// errChains reports a store that does not keep what Rows.Read promises.
var errChains = errors.New("the store gave another number of chains than of keys")

// fetch reads the chains of a. Where the store gives none, rows that were kept
// stand in; those that were not are unread. The error is that none could be read or
// stand in, for a reason that is not some shard's alone, or that the caller left.
func (s *Server) fetch(ctx context.Context, a *partAnswer) error {
	if a.recalled == 0 {
		var err error
		a.chains, err = s.readRows(ctx, a, a.keys, a.chains)
		return s.took(ctx, a, len(a.chains), err)
	}
	got, err := s.readRows(ctx, a, a.asks(), nil)
	for i := range min(len(got), len(a.lacking)) {
		a.chains[a.lacking[i]] = got[i]
	}
	return s.took(ctx, a, len(got), err)
}

func (s *Server) readRows(ctx context.Context, a *partAnswer, keys []feature.Key, dst [][]feature.Record) ([][]feature.Record, error) {
	if rows, ok := s.deps.Rows.(WholeRows); ok {
		return rows.ReadWhole(ctx, a.part.view.ID, keys, a.shown.whole, dst)
	}
	return s.deps.Rows.Read(ctx, a.part.view.ID, keys, dst)
}

// took deals with the error of the read that gave a chains, as many as got.
func (s *Server) took(ctx context.Context, a *partAnswer, got int, err error) error {
	asked := a.askedRows()
	if err == nil && got != asked {
		err = errChains
	}
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return readError(ctx, a.part.view, err)
	}
	var part Partial
	if errors.As(err, &part) && got == asked {
		if a.shown.vector.Newest() == 0 && !a.past {
			return nil // nothing of the view shows, whatever the store has of it
		}
		a.fault = err
		for _, i := range part.Missing() {
			s.standIn(a, a.asked(i))
		}
		for _, i := range part.Lagging() {
			s.behind(a, a.asked(i))
		}
	} else {
		a.fault = err
		if a.recalled == 0 {
			a.chains = make([][]feature.Record, len(a.keys))
		}
		for i := range asked {
			s.standIn(a, a.asked(i))
		}
		if a.kept+a.recalled == 0 {
			return readError(ctx, a.part.view, err)
		}
	}
	s.reportUnread(a)
	return nil
}

// behind gives a row whose chain may lack what was written last; where nothing in it
// shows, the row may be in what it lacks, and that there is none is no answer.
func (s *Server) behind(a *partAnswer, row int) {
	sees := func(r feature.Record) bool { return a.shown.vector.Sees(r.Version) }
	if !slices.ContainsFunc(a.chains[row], sees) {
		s.standIn(a, row)
		return
	}
	a.rows[row].kept = true
	a.kept++
}

// standIn gives a row that could not be read the record that was kept, if any.
func (s *Server) standIn(a *partAnswer, row int) {
	a.chains[row] = a.chains[row][:0]
	if record, ok := s.kept.get(a.part.view.ID, a.keys[row], a.shown); ok {
		a.chains[row] = append(a.chains[row], record)
		a.rows[row].kept = true
		a.kept++
		return
	}
	a.rows[row].state = rowUnread
	a.unread++
}

// reportUnread says in the log that rows could not be read, once a second at most.
func (s *Server) reportUnread(a *partAnswer) {
	now, last := time.Now().UnixNano(), s.unreadLogged.Load()
	if now-last >= int64(time.Second) && s.unreadLogged.CompareAndSwap(last, now) {
		s.deps.Log.Warn("rows could not be read; the others of the request are answered",
			"view", a.part.view.Name, "unread", a.unread, "kept", a.kept, "of", len(a.keys), "err", a.fault)
	}
}

// check returns the error of a request of whose rows none could be answered; a
// reply without a single value would look like one of entities that do not exist.
func (q *query) check(ctx context.Context) error {
	if q.whole {
		if err := q.refuseParts(); err != nil {
			return err
		}
	}
	var failed *partAnswer
	for _, a := range q.answers {
		if a.unread < len(a.rows) {
			return nil
		}
		failed = a
	}
	return readError(ctx, failed.part.view, failed.fault)
}

// refuseUnread is the answer to policy refuse where rows could not be read.
func (a *partAnswer) refuseUnread() error {
	return refusal.Of(feature.CodeUnavailable, "try again, or use policy flag to read the others",
		"view %s: %d of %d rows cannot be read", a.part.view.Name, a.unread+a.kept, len(a.rows))
}

// withholdKept takes back the rows that were kept from an earlier read.
func (a *partAnswer) withholdKept() {
	for row := range a.rows {
		if a.rows[row].kept {
			a.rows[row].state = rowWithheld
			a.withholdRow(row)
		}
	}
}
