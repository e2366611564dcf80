package sketch

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"sluice/feature"
)

const (
	// MaxUnique is how many different values a profile remembers for one unique
	// expectation: those with the smallest keyed hashes.
	MaxUnique = 2048
	// MaxOrdered is how many entities a profile remembers for one monotonic
	// expectation, those with the smallest keyed hashes, and MaxSteps how many writes
	// of each.
	MaxOrdered = 128
	MaxSteps   = 64
)

// watch remembers values of a window's rows for one expectation. Rows fall into
// groups: those of one value, or the writes of one entity in one partition. Kept are
// the groups with the smallest keyed hashes, which are a uniform sample of all
// groups, and of each the exact number of its rows: a group that is among the
// smallest of a whole is among the smallest of every part, so what is kept depends on
// the rows alone, not on their order or split, and merging is exact.
type watch struct {
	key    string // see UniqueKey and MonotonicKey
	order  bool   // monotonic
	whole  bool   // the join keys are a part of the value
	ids    []uint32
	places []int // columns of ids; -1: the profile has none
	rows   uint64
	groups []group // rising by hash
}

type group struct {
	hash  uint64
	rows  uint64
	steps []step // monotonic: those with the smallest mixed offsets, rising by them
}

// step is one write of a group.
type step struct {
	offset uint64
	value  uint64 // rises with the value
}

// Watchable reports whether values of type t can be told from one another by hash.
func Watchable(t feature.Type) bool {
	return t.Valid() && !t.IsList() && t != feature.JSON
}

// UniqueKey names the watch of values that features hold together; with the join
// keys if whole.
func UniqueKey(ids []uint32, whole bool) string {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	key := "unique/"
	if whole {
		key += "key"
	}
	for i, id := range ids {
		if i > 0 || whole {
			key += ","
		}
		key += strconv.FormatUint(uint64(id), 10)
	}
	return key
}

// MonotonicKey names the watch of a feature's order; id 0 is the event time.
func MonotonicKey(id uint32) string { return "monotonic/" + strconv.FormatUint(uint64(id), 10) }

// watchKeys returns the keys of what view wants remembered, each once.
func watchKeys(view *feature.View) (keys []string) {
	add := func(key string) {
		if !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	for i := range view.Features {
		f := &view.Features[i]
		if f.Expect.Unique {
			add(UniqueKey([]uint32{f.ID}, false))
		}
		if f.Expect.Monotonic {
			add(MonotonicKey(f.ID))
		}
	}
	for i := range view.Expect {
		if key := ExpectationKey(view, &view.Expect[i]); key != "" {
			add(key)
		}
	}
	slices.Sort(keys)
	return keys
}

// ExpectationKey returns the key of what e, an expectation of view, wants
// remembered; empty if it wants nothing.
func ExpectationKey(view *feature.View, e *feature.Expectation) string {
	switch {
	case e.Monotonic == feature.EventTimeName:
		return MonotonicKey(0)
	case e.Monotonic != "":
		if i := view.FeatureAt(e.Monotonic); i >= 0 {
			return MonotonicKey(view.Features[i].ID)
		}
	case len(e.Unique) > 0:
		var ids []uint32
		whole := false
		for _, name := range e.Unique {
			if i := view.FeatureAt(name); i >= 0 {
				ids = append(ids, view.Features[i].ID)
			} else {
				whole = true
			}
		}
		return UniqueKey(ids, whole)
	}
	return ""
}

// parseWatch makes an empty watch of its key.
func parseWatch(key string) (w watch, err error) {
	w.key = key
	rest, unique := strings.CutPrefix(key, "unique/")
	if !unique {
		rest, w.order = strings.CutPrefix(key, "monotonic/")
	}
	if !unique && !w.order {
		return w, fmt.Errorf("watch %.100q: %w", key, ErrCorrupt)
	}
	for i, part := range strings.Split(rest, ",") {
		if i == 0 && part == "key" && unique {
			w.whole = true
			continue
		}
		id, err := strconv.ParseUint(part, 10, 32)
		if err != nil {
			return w, fmt.Errorf("watch %.100q: %w", key, ErrCorrupt)
		}
		w.ids = append(w.ids, uint32(id))
	}
	if w.order && MonotonicKey(w.ids[0]) != key || unique && UniqueKey(w.ids, w.whole) != key {
		return w, fmt.Errorf("watch %.100q: %w", key, ErrCorrupt)
	}
	return w, nil
}

// limit is how many groups a watch keeps.
func (w *watch) limit() int {
	if w.order {
		return MaxOrdered
	}
	return MaxUnique
}

// place finds the watch's columns among those of a profile.
func (w *watch) place(columns []Column) {
	w.places = make([]int, len(w.ids))
	for i, id := range w.ids {
		w.places[i] = slices.IndexFunc(columns, func(c Column) bool { return c.ID == id })
	}
}

// add takes in a row whose values are in the order of the profile's columns.
func (w *watch) add(row *feature.Write, values []feature.Value, h *hasher) {
	if w.order {
		w.addStep(row, values, h)
		return
	}
	s := newSip(h.k0, h.k1)
	if w.whole {
		s.long(string(row.Key))
	}
	for _, at := range w.places {
		if at < 0 || at >= len(values) || !s.value(&values[at]) {
			return
		}
	}
	w.rows++
	if g := w.group(s.finish("")); g != nil {
		g.rows++
	}
}

// addStep takes in a row of an order. Not-a-number has no place in one.
func (w *watch) addStep(row *feature.Write, values []feature.Value, h *hasher) {
	value := sortable(row.EventTime.UnixNano())
	if w.ids[0] != 0 {
		at := w.places[0]
		if at < 0 || at >= len(values) {
			return
		}
		t, bits := feature.Peek(&values[at])
		switch {
		case t == 0 || !t.Numeric():
			return
		case t.Float():
			v := math.Float64frombits(bits) + 0
			if math.IsNaN(v) {
				return
			}
			value = sortableFloat(v)
		default:
			value = sortable(int64(bits))
		}
	}
	w.rows++
	s := newSip(h.k0, h.k1)
	s.round(uint64(uint32(row.Partition)))
	s.long(row.Topic)
	if g := w.group(s.finish(string(row.Key))); g != nil {
		g.rows++
		g.take(step{uint64(row.Offset), value})
	}
}

// sortable maps integers to numbers in the same order.
func sortable(v int64) uint64 { return uint64(v) ^ 1<<63 }

// sortableFloat maps floats to numbers in the same order.
func sortableFloat(v float64) uint64 {
	bits := math.Float64bits(v)
	if bits>>63 == 1 {
		return ^bits
	}
	return bits | 1<<63
}

// group returns the group of that hash, new if need be; nil if it is not kept.
func (w *watch) group(hash uint64) *group {
	full := len(w.groups) == w.limit()
	if full && hash > w.groups[len(w.groups)-1].hash {
		return nil
	}
	at, found := slices.BinarySearchFunc(w.groups, hash, func(g group, hash uint64) int { return cmp.Compare(g.hash, hash) })
	if !found {
		if full {
			w.groups = w.groups[:len(w.groups)-1]
		}
		w.groups = slices.Insert(w.groups, at, group{hash: hash})
	}
	return &w.groups[at]
}

// mix spreads offsets evenly; it needs no key, as offsets are no secret.
func mix(offset uint64) uint64 {
	offset ^= offset >> 30
	offset *= 0xbf58476d1ce4e5b9
	offset ^= offset >> 27
	offset *= 0x94d049bb133111eb
	return offset ^ offset>>31
}

func compareSteps(a, b step) int {
	return cmp.Or(cmp.Compare(mix(a.offset), mix(b.offset)), cmp.Compare(a.value, b.value))
}

// take adds a step, and keeps the MaxSteps smallest.
func (g *group) take(s step) {
	at, found := slices.BinarySearchFunc(g.steps, s, compareSteps)
	switch {
	case found || at == MaxSteps:
		return
	case len(g.steps) == MaxSteps:
		g.steps = g.steps[:MaxSteps-1]
	}
	g.steps = slices.Insert(g.steps, at, s)
}

// merge adds the rows of o, which is of the same key and stays as it is.
func (w *watch) merge(o *watch) {
	w.rows += o.rows
	for i := range o.groups {
		g := w.group(o.groups[i].hash)
		if g == nil {
			break // the others' hashes are larger still
		}
		g.rows += o.groups[i].rows
		for _, s := range o.groups[i].steps {
			g.take(s)
		}
	}
}

// mergeWatches adds what another profile remembers.
func (p *Profile) mergeWatches(o *Profile) {
	for i := range o.watches {
		from := &o.watches[i]
		at, found := slices.BinarySearchFunc(p.watches, from.key, func(w watch, key string) int { return cmp.Compare(w.key, key) })
		if !found {
			p.watches = slices.Insert(p.watches, at, watch{key: from.key, order: from.order, whole: from.whole, ids: from.ids})
		}
		p.watches[at].merge(from)
	}
	for i := range p.watches {
		p.watches[i].place(p.Columns)
	}
}

// Watched is what a window's rows are to one unique or monotonic expectation.
type Watched struct {
	Rows   uint64 // of the window that have the value
	Groups int    // different values, or entities by partition, that were looked at
	Looked uint64 // rows of those groups that were looked at; of an order, pairs of neighbours among them
	Broken uint64 // rows beyond the first of their value; of an order, pairs that go back
	All    bool   // every row was looked at
	// Sampled reports whether there are more groups than Groups, which are a uniform
	// sample of them.
	Sampled bool
}

// Watched returns what the profile remembers under a key; false if it does not.
func (p *Profile) Watched(key string) (Watched, bool) {
	at := slices.IndexFunc(p.watches, func(w watch) bool { return w.key == key })
	if at < 0 {
		return Watched{}, false
	}
	w := &p.watches[at]
	out := Watched{Rows: w.rows, Groups: len(w.groups), All: true}
	seen := uint64(0)
	for i := range w.groups {
		g := &w.groups[i]
		seen += g.rows
		if !w.order {
			out.Looked += g.rows
			out.Broken += g.rows - 1
			continue
		}
		out.All = out.All && g.rows <= MaxSteps
		pairs, back := g.back()
		out.Looked, out.Broken = out.Looked+pairs, out.Broken+back
	}
	out.Sampled = seen < w.rows
	out.All = out.All && !out.Sampled
	return out, true
}

// back counts the neighbours, in the order of the log, and those that go back.
func (g *group) back() (pairs, back uint64) {
	steps := slices.SortedFunc(slices.Values(g.steps), func(a, b step) int { return cmp.Compare(a.offset, b.offset) })
	for i := 1; i < len(steps); i++ {
		pairs++
		if steps[i].value < steps[i-1].value {
			back++
		}
	}
	return pairs, back
}
