package serving

import (
	"fmt"
	"strings"

	"sluice/feature"
	"sluice/serving/refusal"
)

// nested is a slot of a part whose stored value is not the value to return: a json
// value, which is stored packed, or what a path into one leads to.
type nested struct {
	slot    int
	carrier int           // the slot into which the stored value is put; may be slot
	path    *feature.Path // nil: the whole value
}

// path adds the column of a path into a json feature, written as feature.step.step.
// The error is unknown_feature, or says why name is no path.
func (b *planner) path(v *view, name string) error {
	base, rest, ok := strings.Cut(name, ".")
	if !ok {
		_, err := v.feature(name)
		return err
	}
	i, ok := v.byName[base]
	if !ok {
		hint := "features of it are " + refusal.SomeOf(v.names)
		if near := feature.Nearest(base, v.names); near != "" {
			hint = fmt.Sprintf("did you mean %s:%s.%s?", v.Name, near, rest)
		}
		return refusal.Of(feature.CodeUnknownFeature, hint, "feature %s is not defined", refusal.Quoted(v.Name+":"+base))
	}
	f := &v.Features[i]
	if f.Type != feature.JSON {
		return refusal.Invalid(fmt.Sprintf("ask for %s:%s; only json features have paths", v.Name, base),
			"feature %s: %s is %s, not json", refusal.Quoted(v.Name+":"+name), base, f.Type)
	}
	path, err := feature.ParsePath(rest)
	if err != nil {
		return refusal.Invalid("write keys and positions with a dot between them, as profile.address.city or items.0.price",
			"feature %s: %s", refusal.Quoted(v.Name+":"+name), err)
	}
	at, err := b.slot(v, &feature.Feature{ID: f.ID, Name: name}, b.columnNamed(v, name))
	if err != nil {
		return err
	}
	p := &b.plan.parts[at]
	p.nested = append(p.nested, nested{slot: len(p.features) - 1, path: &path})
	return nil
}

// nest completes the nested slots of a complete part: paths first, and of the slots
// of one feature last the one that carries its stored value.
func (p *part) nest() {
	paths := p.nested
	p.nested = nil
	carriers := map[uint32]int{}
	for slot, f := range p.features {
		if f.Type == feature.JSON {
			carriers[f.ID] = slot
		}
	}
	var last []nested
	for _, n := range paths {
		id := p.features[n.slot].ID
		carrier, ok := carriers[id]
		if !ok {
			carrier, carriers[id] = n.slot, n.slot
		}
		if n.carrier = carrier; carrier == n.slot {
			last = append(last, n)
		} else {
			p.nested = append(p.nested, n)
		}
	}
	p.nested = append(p.nested, last...)
	for slot, f := range p.features {
		if f.Type == feature.JSON {
			p.nested = append(p.nested, nested{slot: slot, carrier: slot})
		}
	}
	for id, slot := range carriers {
		p.slots.set(id, slot)
	}
}

// set makes slot the one of id, which is in t.
func (t *slotTable) set(id uint32, slot int) {
	if t.rest != nil {
		t.rest[id] = slot
		return
	}
	t.dense[id-t.first] = int16(slot)
}

// unnest replaces the stored json values of a row by what is to be returned, which it
// puts into a's own memory.
func (a *partAnswer) unnest(row int) error {
	slots := len(a.part.features)
	cells := a.cells[row*slots : (row+1)*slots]
	for _, n := range a.part.nested {
		stored := cells[n.carrier]
		if len(stored) == 0 || n.path == nil && feature.IsWire(stored) {
			continue
		}
		from := len(a.unpacked)
		var out []byte
		var err error
		if n.path == nil {
			out, err = feature.AppendWire(a.unpacked, stored)
		} else {
			out, err = n.path.AppendWire(a.unpacked, stored)
		}
		if err != nil {
			return fmt.Errorf("feature %s: %w", a.part.features[n.slot].Name, err)
		}
		a.unpacked = out
		cells[n.slot] = out[from:len(out):len(out)]
	}
	return nil
}

// position returns where f, or the feature that f is a path into, stands in v.
func (v *view) position(f *feature.Feature) int {
	name, _, _ := strings.Cut(f.Name, ".")
	return v.byName[name]
}
