package serving

import (
	"encoding/binary"
	"slices"
	"sync"

	"sluice/feature"
)

const (
	mostLists = 1024 // lists of features that are counted as such; features of others are counted one by one
	idleLists = 60   // reports without a read after which the counter of a list that no plan in force has is let go
)

// readership counts the rows that reads returned by the lists of features that they asked
// for, one counter a list: what a read costs does not depend on how many features it asks
// for. When reads are reported, a list becomes its features.
//
// Plans hold on to their counters for as long as they live, so none is let go that a plan
// of the definitions in force may have.
type readership struct {
	mu         sync.Mutex
	counters   map[string]*listReads
	lists      int    // of counters, those that mostLists bounds
	generation uint64 // of the newest definitions
}

// readList is what reads ask of a view.
type readList struct {
	view     feature.ViewID
	service  string   // that the reads named; empty: they listed features
	whole    bool     // they are reads of the view as well; not so if that is counted elsewhere
	features []uint32 // ids, rising
}

// listReads counts the rows that reads of one list returned.
type listReads struct {
	readList
	rows       rowCount
	generation uint64 // of the newest definitions whose plans have it
	idle       int    // reports without a read since newer ones are in force
}

// bounded reports whether it is one of those that mostLists bounds: how many others there
// are is bounded by the services and the features that are defined.
func (l *readList) bounded() bool { return l.whole && l.service == "" && len(l.features) > 0 }

// join gives every part of a plan the counters of its reads, in the name of a service if
// that is not empty. A nil readership counts nothing.
func (r *readership) join(p *plan, service string, generation uint64) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.generation = max(r.generation, generation)
	for i := range p.parts {
		part := &p.parts[i]
		part.reads = r.of(readList{part.view.ID, service, true, storedIDs(part)}, generation)
	}
}

// storedIDs returns the ids of the stored features that a part reads, rising: of a path
// the feature that it leads into, of a computed column those that it is made of.
func storedIDs(p *part) []uint32 {
	var ids []uint32
	for _, f := range p.features {
		if f.ID != 0 {
			ids = append(ids, f.ID)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// of returns the counters of the reads of a list: one, or where there is no room for
// another list one of the view and one a feature.
func (r *readership) of(list readList, generation uint64) []*listReads {
	key := list.key()
	if l := r.counters[key]; l != nil {
		l.generation = max(l.generation, generation)
		return []*listReads{l}
	}
	if list.bounded() {
		if r.lists == mostLists {
			return r.apart(list, generation)
		}
		r.lists++
	}
	l := &listReads{readList: list, generation: generation}
	r.counters[key] = l
	return []*listReads{l}
}

// apart returns the counters of a list that is not counted as such.
func (r *readership) apart(list readList, generation uint64) []*listReads {
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
func (r *readership) take(add func(at readKey, rows uint64)) {
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
				r.lists--
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
