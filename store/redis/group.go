package redis

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"sluice/feature"
)

// place is where the chains of a view lie: in hashes of its own, or, if it is in a
// group, in one hash an entity with those of the group's other views.
type place struct {
	view  feature.ViewID
	group string // empty: hashes of its own
}

// prefix is what the fields of a view begin with in the hashes of its group; empty in
// hashes of its own. None is the beginning of another.
func (p place) prefix() string {
	if p.group == "" {
		return ""
	}
	return string(binary.AppendUvarint(nil, uint64(p.view)))
}

// field is that of a version of the view.
func (p place) field(version feature.Version) string {
	return string(appendField([]byte(p.prefix()), version))
}

// cutView reads the view of a field in the hash of a group; rest is that of the version.
func cutView(field []byte) (view feature.ViewID, rest []byte, err error) {
	n, size := binary.Uvarint(field)
	if size <= 0 || n > 1<<32-1 {
		return 0, nil, fmt.Errorf("field %.32x: %w", field, ErrCorrupt)
	}
	return feature.ViewID(n), field[size:], nil
}

// Group says in which group each view is, empty for none. It is called before the rows of
// a view are written or read for the first time, and by every process with the same
// groups: a view whose group changes has no rows any more. Views that it leaves out stay
// where they were; a view that is never named is in no group.
func (s *Store) Group(views map[feature.ViewID]string) {
	s.grouping.Lock()
	defer s.grouping.Unlock()
	next := map[feature.ViewID]string{}
	if old := s.groups.Load(); old != nil {
		next = maps.Clone(*old)
	}
	changed := false
	for view, group := range views {
		if next[view] != group {
			next[view], changed = group, true
		}
	}
	if changed {
		s.groups.Store(&next)
	}
}

// placeOf returns where the chains of a view lie.
func (s *Store) placeOf(view feature.ViewID) place {
	if groups := s.groups.Load(); groups != nil {
		return place{view, (*groups)[view]}
	}
	return place{view: view}
}

// wanted says which chains are read out of a hash, and where they go in a list: that of
// views[n] of key i to n*stride+i.
type wanted struct {
	grouped bool // the hash may have chains of other views
	views   []feature.ViewID
	stride  int
}

// take moves the chains of key j of another list to those of key i of dst.
func (w *wanted) take(dst [][]feature.Record, i int, from [][]feature.Record, other *wanted, j int) {
	for n := range w.views {
		dst[n*w.stride+i] = from[n*other.stride+j]
	}
}

// empty makes the chains of key i empty.
func (w *wanted) empty(dst [][]feature.Record, i int) {
	for at := i; at < len(dst); at += w.stride {
		dst[at] = dst[at][:0]
	}
}

// none reports whether every chain of key i is empty.
func (w *wanted) none(chains [][]feature.Record, i int) bool {
	for at := i; at < len(chains); at += w.stride {
		if len(chains[at]) > 0 {
			return false
		}
	}
	return true
}

// decode reads the answer to HGETALL for key i into dst, as decodeChain does.
func (w *wanted) decode(b []byte, dst [][]feature.Record, i int, own bool) (err error) {
	w.empty(dst, i)
	if !w.grouped {
		dst[i], err = decodeChain(b, dst[i], own)
		return err
	}
	n, b, err := cutPairs(b)
	for ; err == nil && n > 0; n -= 2 {
		var field, value []byte
		if field, value, b, err = cutPair(b); err == nil {
			err = w.put(dst, i, field, value, own)
		}
	}
	if err == nil && len(b) > 0 {
		err = fmt.Errorf("%d bytes behind the answer: %w", len(b), ErrCorrupt)
	}
	return err
}

// put adds one field of a hash to the chain of its view, if that is wanted.
func (w *wanted) put(dst [][]feature.Record, i int, field, value []byte, own bool) error {
	at := i
	if w.grouped {
		view, rest, err := cutView(field)
		if err != nil {
			return err
		}
		n := slices.Index(w.views, view)
		if n < 0 {
			return nil
		}
		at, field = n*w.stride+i, rest
	}
	r, err := decodeRecord(field, value)
	if err != nil {
		return err
	}
	if own {
		r.Row = append(formerRow(dst[at]), r.Row...)
	}
	dst[at] = append(dst[at], r)
	return nil
}
