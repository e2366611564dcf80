package readership

import (
	"encoding/binary"
	"sync"

	"sluice/feature"
)

const (
	mostLists = 1024 // lists of features that are counted as such; features of others are counted one by one
	idleLists = 60   // reports without a read after which the counter of a list that no plan in force has is let go
)

// lists counts the rows that reads returned by the lists of features that they asked
// for, one counter a list: what a read costs does not depend on how many features it asks
// for. When reads are reported, a list becomes its features.
//
// Plans hold on to their counters for as long as they live, so none is let go that a plan
// of the definitions in force may have.
type lists struct {
	mu         sync.Mutex
	counters   map[string]*List
	many       int    // of counters, those that mostLists bounds
	generation uint64 // of the newest definitions
}

func newLists() *lists { return &lists{counters: map[string]*List{}} }

// readList is what reads ask of a view.
type readList struct {
	view     feature.ViewID
	service  string   // that the reads named; empty: they listed features
	whole    bool     // they are reads of the view as well; not so if that is counted elsewhere
	features []uint32 // ids, rising
}

// List counts the rows that reads of one list returned.
type List struct {
	readList
	rows       rowCount
	generation uint64 // of the newest definitions whose plans have it
	idle       int    // reports without a read since newer ones are in force
}

// Add counts rows.
func (l *List) Add(rows uint64) { l.rows.add(rows) }

// bounded reports whether it is one of those that mostLists bounds: how many others there
// are is bounded by the services and the features that are defined.
func (l *readList) bounded() bool { return l.whole && l.service == "" && len(l.features) > 0 }

// Lists returns the counters of the reads of a list of stored features, by their ids,
// rising, that plans of the definitions of a generation make of a view, in the name of a
// service if that is not empty; none if nobody counts.
func (r *Reporter) Lists(view feature.ViewID, service string, ids []uint32, generation uint64) []*List {
	if r.lists == nil {
		return nil
	}
	r.lists.mu.Lock()
	defer r.lists.mu.Unlock()
	r.lists.generation = max(r.lists.generation, generation)
	return r.lists.of(readList{view, service, true, ids}, generation)
}

// of returns the counters of the reads of a list: one, or where there is no room for
// another list one of the view and one a feature.
func (r *lists) of(list readList, generation uint64) []*List {
	key := list.key()
	if l := r.counters[key]; l != nil {
		l.generation = max(l.generation, generation)
		return []*List{l}
	}
	if list.bounded() {
		if r.many == mostLists {
			return r.apart(list, generation)
		}
		r.many++
	}
	l := &List{readList: list, generation: generation}
	r.counters[key] = l
	return []*List{l}
}

// apart returns the counters of a list that is not counted as such.
func (r *lists) apart(list readList, generation uint64) []*List {
	all := r.of(readList{view: list.view, whole: true}, generation)
	for _, id := range list.features {
		all = append(all, r.of(readList{view: list.view, features: []uint32{id}}, generation)...)
	}
	return all
}

// key names a list among all.
func (l *readList) key() string {
	b := append([]byte(l.service), 0) // which no name has
	if l.whole {
		b[len(b)-1] = 1
	}
	b = binary.AppendUvarint(b, uint64(l.view))
	for _, id := range l.features {
		b = binary.AppendUvarint(b, uint64(id))
	}
	return string(b)
}

// readKey is what rows are added up by when they are reported.
type readKey struct {
	view    feature.ViewID
	service string
	feature uint32 // 0: the view as a whole
}

// take hands what was counted since the last take to add, and lets go of counters that
// nothing counts with any more.
func (r *lists) take(add func(at readKey, rows uint64)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, l := range r.counters {
		rows := l.rows.take()
		if rows > 0 {
			l.idle = 0
			l.each(func(id uint32) { add(readKey{l.view, l.service, id}, rows) })
			continue
		}
		if l.generation == r.generation {
			l.idle = 0
		} else if l.idle++; l.idle >= idleLists {
			if delete(r.counters, key); l.bounded() {
				r.many--
			}
		}
	}
}

// each calls fn with what rows of a list are added to: 0 is the view as a whole.
func (l *readList) each(fn func(id uint32)) {
	if l.whole {
		fn(0)
	}
	for _, id := range l.features {
		fn(id)
	}
}
