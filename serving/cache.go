package serving

import (
	"time"

	"sluice/feature"
)

// rowCache answers reads of entities that were read lately from memory, so that the store
// is not asked for them. It is a bounded list as keptRows is, with stricter terms: a row is
// given only while it is what the store would give. That is known while the versions that
// the view shows are those under which it was read, and all of them are closed, so that
// nothing is written to them any more. Whatever is published, certified or taken back is
// another vector, under which rows are read anew. Answers say how many of their rows are
// from here.
//
// A nil rowCache holds nothing.
type rowCache struct{ *keptRows }

// get returns the row of an entity, if it is what the store would give under shown.
func (c rowCache) get(view feature.ViewID, key feature.Key, shown *served) (feature.Record, bool) {
	of := keptKey{view, key}
	s := c.shard(of)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.rows[of]
	if e == nil {
		return feature.Record{}, false
	}
	row := e.Value.(*keptRow)
	if row.generation != shown.vector.Generation || !c.may(row, shown) {
		return feature.Record{}, false
	}
	s.order.MoveToFront(e)
	return row.record, true
}

// recall fills in the rows of answers that are in memory, and returns the answers that the
// store is to be asked for. The past is not in memory.
func (s *Server) recall(answers []*partAnswer) []*partAnswer {
	if s.cache.keptRows == nil {
		return answers
	}
	rest := make([]*partAnswer, 0, len(answers))
	for _, a := range answers {
		if a.past || a.shown.whole.IsZero() || !s.recallRows(a) {
			rest = append(rest, a)
		}
	}
	return rest
}

// recallRows fills in those rows of a that are in memory, and reports whether all are.
func (s *Server) recallRows(a *partAnswer) bool {
	for row, key := range a.keys {
		record, ok := s.cache.get(a.part.view.ID, key, a.shown)
		if !ok {
			a.lacking = append(a.lacking, row)
			continue
		}
		if a.recalled++; a.recalled == 1 {
			a.chains = make([][]feature.Record, len(a.keys)) // what there is may be the store's to write to
		}
		a.chains[row] = []feature.Record{record}
	}
	if a.recalled == 0 {
		a.lacking = a.lacking[:0]
	}
	return a.recalled == len(a.keys)
}

// forget undoes recallRows, for a read of all rows.
func (a *partAnswer) forget() {
	if a.recalled > 0 {
		a.chains, a.recalled, a.lacking = nil, 0, a.lacking[:0]
	}
}

// asks returns the keys of the rows that the store is asked for.
func (a *partAnswer) asks() []feature.Key {
	if len(a.lacking) == 0 {
		return a.keys
	}
	keys := make([]feature.Key, len(a.lacking))
	for i, row := range a.lacking {
		keys[i] = a.keys[row]
	}
	return keys
}

// asked returns the row of the i-th key that the store was asked for.
func (a *partAnswer) asked(i int) int {
	if len(a.lacking) == 0 {
		return i
	}
	return a.lacking[i]
}

// askedRows returns how many rows the store is asked for.
func (a *partAnswer) askedRows() int {
	if len(a.lacking) == 0 {
		return len(a.keys) - a.recalled
	}
	return len(a.lacking)
}

// remember keeps the rows that the store gave.
func (c rowCache) remember(a *partAnswer) {
	if c.keptRows == nil || a.shown.whole.IsZero() {
		return
	}
	now := time.Now()
	for i := range a.askedRows() {
		c.keepRow(a, a.asked(i), now)
	}
}
