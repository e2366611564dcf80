package serving

import (
	"slices"
	"strings"

	"sluice/feature"
	"sluice/internal/admission"
	"sluice/serving/readership"
	"sluice/serving/refusal"
)

// form is the form of a reply; it decides what a list of features may hold.
type form uint8

const (
	feastForm form = iota // columns f, refused where two views have an f
	feastFull             // columns view__f
	ownForm               // grouped by view; view:* is every feature
)

// plan is a compiled list of features: what to read and where it goes. It is
// immutable and belongs to one catalog.
type plan struct {
	joins   []feature.Entity // join keys of all views, each once
	parts   []part           // one a view, in the order in which the list names them
	columns []column         // in the order of the list
	context []contextValue   // what a request brings for the computed features among them

	priority admission.Priority // that its feature service declares

	metadata []byte // field metadata of Feast's reply, complete
	tail     []byte // the same at the end of Feast's JSON reply
}

// part is what one view contributes.
type part struct {
	view     *view
	joins    []int              // positions in plan.joins, in the order of the view's entities
	features []*feature.Feature // of a path into a json feature: its id, and no type; of a computed one: no id
	shown    int                // how many of features are columns; the others are read for the computed ones
	computed *computation       // nil: no column is computed
	slots    slotTable
	nested   []nested
	reads    []*readership.List // count its rows; none: nobody counts
	ttl      int64              // of the features, the shortest in nanoseconds; 0: none ever expires
	ttls     []int64            // by slot, where they differ; else nil
	defaults [][]byte           // by slot, serialized; nil: none of the features has one
}

// expire fills in how long the features of a complete part count.
func (p *part) expire() {
	ttls, differ, first := make([]int64, len(p.features)), false, -1
	for slot, f := range p.features {
		if f.ID == 0 {
			continue // what it is computed from expires
		}
		if first < 0 {
			first = slot
		}
		ttls[slot] = int64(p.view.TTLOf(p.view.position(f)))
		differ = differ || ttls[slot] != ttls[first]
		if ttls[slot] > 0 && (p.ttl == 0 || ttls[slot] < p.ttl) {
			p.ttl = ttls[slot]
		}
	}
	if differ {
		p.ttls = ttls
	}
}

// columns returns the features of a complete part that are columns, by slot.
func (p *part) columns() []*feature.Feature { return p.features[:p.shown] }

// storedIDs returns the ids of the stored features that a part reads, rising: of a path
// the feature that it leads into, of a computed column those that it is made of.
func (p *part) storedIDs() []uint32 {
	var ids []uint32
	for _, f := range p.features {
		if f.ID != 0 {
			ids = append(ids, f.ID)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// column is a column of the reply: a slot of a part.
type column struct {
	part, slot int
	name       string
}

// compile makes the plan of a list of features written as view:feature.
func (c *catalog) compile(refs []string, form form, limit int) (*plan, error) {
	if len(refs) == 0 {
		return nil, refusal.Invalid("name at least one feature as view:feature", "the list of features is empty")
	}
	if len(refs) > limit {
		return nil, refusal.OverLimit("features", len(refs), limit, "serve.max_features")
	}
	b := planner{catalog: c, form: form, plan: &plan{priority: admission.Default}, seen: map[string]bool{}}
	for _, ref := range refs {
		if err := b.add(ref); err != nil {
			return nil, err
		}
	}
	if len(b.plan.columns) == 0 {
		return nil, refusal.Invalid("ask for a view that has features", "%s has no features", refusal.Quoted(refs[0]))
	}
	if len(b.plan.columns) > limit {
		return nil, refusal.OverLimit("features", len(b.plan.columns), limit, "serve.max_features")
	}
	return b.finish()
}

// planner builds a plan.
type planner struct {
	catalog *catalog
	form    form
	plan    *plan
	seen    map[string]bool // column names
}

func (b *planner) add(ref string) error {
	viewName, name, ok := strings.Cut(ref, ":")
	if !ok {
		return refusal.Invalid("write features as view:feature", "feature %s names no view", refusal.Quoted(ref))
	}
	v, err := b.catalog.view(viewName)
	if err != nil {
		return err
	}
	if name == "*" && b.form == ownForm {
		for i := range v.Features {
			if err := b.column(v, i); err != nil {
				return err
			}
		}
		return nil
	}
	if i, ok := v.byName[name]; ok {
		return b.column(v, i)
	}
	if i := v.ComputedAt(name); i >= 0 {
		return b.computed(v, i)
	}
	return b.path(v, name)
}

func (b *planner) column(v *view, i int) error {
	_, err := b.slot(v, &v.Features[i], b.columnNamed(v, v.names[i]))
	return err
}

// slot adds a column of that name, and returns the position of its part.
func (b *planner) slot(v *view, f *feature.Feature, name string) (int, error) {
	if b.seen[name] {
		hint := "name each feature once"
		if b.form == feastForm && !b.shows(v, name) {
			hint = "set full_feature_names to tell features of several views apart"
		}
		return 0, refusal.Invalid(hint, "two columns would be named %s", name)
	}
	b.seen[name] = true
	at, err := b.part(v)
	if err != nil {
		return 0, err
	}
	p := &b.plan.parts[at]
	b.plan.columns = append(b.plan.columns, column{part: at, slot: len(p.features), name: name})
	p.features = append(p.features, f)
	return at, nil
}

// shows reports whether a column of that name is v's.
func (b *planner) shows(v *view, name string) bool {
	return slices.ContainsFunc(b.plan.columns, func(c column) bool { return c.name == name && b.plan.parts[c.part].view == v })
}

// columnNamed returns the name of the column of v's feature, or path, name.
func (b *planner) columnNamed(v *view, name string) string {
	switch b.form {
	case feastForm:
		return name
	case feastFull:
		return v.Name + "__" + name
	}
	return v.Name + ":" + name
}

// part returns the position of v's part, which it makes if need be.
func (b *planner) part(v *view) (int, error) {
	if at := slices.IndexFunc(b.plan.parts, func(p part) bool { return p.view == v }); at >= 0 {
		return at, nil
	}
	p := part{view: v}
	for _, e := range v.Entities {
		at := slices.IndexFunc(b.plan.joins, func(j feature.Entity) bool { return j.Name == e.Name })
		if at < 0 {
			at = len(b.plan.joins)
			b.plan.joins = append(b.plan.joins, e)
		}
		if b.plan.joins[at].Type != e.Type {
			return 0, refusal.Invalid("ask for them in two requests", "join key %s is %s in view %s and %s in another of the request",
				e.Name, e.Type, v.Name, b.plan.joins[at].Type)
		}
		p.joins = append(p.joins, at)
	}
	b.plan.parts = append(b.plan.parts, p)
	return len(b.plan.parts) - 1, nil
}

func (b *planner) finish() (*plan, error) {
	for i := range b.plan.parts {
		p := &b.plan.parts[i]
		if p.shown = len(p.features); p.computed != nil {
			if err := b.inputs(p); err != nil {
				return nil, err
			}
		}
		p.slots = newSlotTable(p.features)
		p.nest()
		p.expire()
		p.fallBack()
	}
	if b.form == ownForm {
		return b.plan, nil
	}
	for _, j := range b.plan.joins {
		if b.seen[j.Name] {
			return nil, refusal.Invalid("set full_feature_names to tell them apart", "two columns would be named %s: a join key and a feature", j.Name)
		}
	}
	b.plan.metadata, b.plan.tail = feastMetadata(b.plan)
	return b.plan, nil
}

// slotTable finds the slot of a feature id.
type slotTable struct {
	first uint32
	dense []int16 // by id - first; -1: not asked for
	rest  map[uint32]int
}

// denseIDs is how far apart the ids of a view may lie to be found by position.
const denseIDs = 4096

func newSlotTable(features []*feature.Feature) slotTable {
	stored := slices.DeleteFunc(slices.Clone(features), func(f *feature.Feature) bool { return f.ID == 0 })
	if len(stored) == 0 {
		return slotTable{}
	}
	least, most := stored[0].ID, stored[0].ID
	for _, f := range stored {
		least, most = min(least, f.ID), max(most, f.ID)
	}
	t := slotTable{first: least}
	if most-least < denseIDs {
		t.dense = slices.Repeat([]int16{-1}, int(most-least)+1)
		for slot, f := range features {
			if f.ID != 0 {
				t.dense[f.ID-least] = int16(slot)
			}
		}
		return t
	}
	t.rest = make(map[uint32]int, len(features))
	for slot, f := range features {
		if f.ID != 0 {
			t.rest[f.ID] = slot
		}
	}
	return t
}

// slot returns the slot of id; -1 if it was not asked for.
func (t *slotTable) slot(id uint32) int {
	if t.rest != nil {
		if slot, ok := t.rest[id]; ok {
			return slot
		}
		return -1
	}
	if at := id - t.first; at < uint32(len(t.dense)) {
		return int(t.dense[at])
	}
	return -1
}
