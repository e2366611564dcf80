package tap

import (
	"slices"
	"time"

	"sluice/feature"
)

// reading is the state of one read; its memory is used again.
type reading struct {
	scanner
	write   feature.Write
	keys    []feature.Value
	values  []feature.Value
	seen    []uint64
	eventID string
	hasTime bool
	op      string
	bad     *rejection
}

// start prepares for a record of d's view.
func (r *reading) start(d *decoder) {
	r.keys = append(r.keys[:0], make([]feature.Value, len(d.view.Entities))...)
	r.values = append(r.values[:0], make([]feature.Value, len(d.view.Features))...)
	r.eventID, r.op, r.hasTime, r.bad = "", "", false, nil
	r.write = feature.Write{View: d.view}
}

func (r *reading) reset(b []byte) {
	r.scanner = scanner{b: b, keys: r.scanner.keys[:0]}
}

// readFlat reads a flat record of d's view: a column per join key and feature,
// the time column, and optionally op and event_id. Columns that are not known are
// passed over if a topic is the view's own, since others may read it too.
func (r *reading) readFlat(d *decoder, b []byte, strict bool) *rejection {
	r.reset(b)
	r.start(d)
	p := &d.flat
	if strict {
		p = &d.strict
	}
	err := r.columns(d, p)
	if err == nil {
		err = r.end()
	}
	if err != nil {
		return undecodable(d.view.Name, err)
	}
	return r.finish(d)
}

func undecodable(view string, err error) *rejection {
	return dead(feature.CodeDecode, view, "", "not strict JSON: %s; send one JSON object a record", err)
}

// columns reads one object by plan p. An error is that of the JSON; other
// problems are noted.
func (r *reading) columns(d *decoder, p *plan) error {
	words := (len(p.columns) + 63) / 64
	r.seen = append(r.seen[:0], make([]uint64, words)...)
	var others map[string]struct{}
	return r.object(func(name string) error {
		c, ok := p.columns[name]
		if ok {
			if r.seen[c.at/64]&(1<<(c.at%64)) != 0 {
				return r.fail("duplicate key")
			}
			r.seen[c.at/64] |= 1 << (c.at % 64)
			return r.column(d, name, c.targets)
		}
		if _, twice := others[name]; twice {
			return r.fail("duplicate key")
		}
		if others == nil {
			others = map[string]struct{}{}
		}
		others[name] = struct{}{}
		if p.unknown != nil && r.bad == nil {
			r.bad = p.unknown(name)
		}
		_, err := r.skip()
		return err
	})
}

// column reads the value of a column once for each of its targets.
func (r *reading) column(d *decoder, name string, targets []target) error {
	start := r.i
	for _, t := range targets {
		r.i = start
		if err := r.target(d, name, t); err != nil {
			return err
		}
	}
	return nil
}

func (r *reading) target(d *decoder, name string, t target) error {
	switch t.role {
	case roleKey:
		e := d.view.Entities[t.at]
		v, p, err := r.value(e.Type)
		r.keys[t.at] = v
		r.note(d, "", "join key "+e.Name, p)
		return err
	case roleFeature:
		f := &d.view.Features[t.at]
		v, p, err := r.value(f.Type)
		if r.values[t.at] = v; f.NotFinite != "" {
			f.Admit(&r.values[t.at])
		}
		if p != nil {
			r.note(d, f.Name, "column "+name, p)
		}
		return err
	case roleEventTime:
		return r.eventTime(d, name)
	case roleOp:
		return r.word1(d, fieldOp, &r.op)
	}
	return r.word1(d, fieldEventID, &r.eventID)
}

// note keeps a problem with a value.
func (r *reading) note(d *decoder, feature, where string, p *problem) {
	if p == nil {
		return
	}
	if p.reason == "too_large" {
		r.bad = worse(r.bad, quarantine(p.reason, d.view.Name, feature, "%s: %s", where, p.text))
		return
	}
	r.bad = worse(r.bad, dead(p.reason, d.view.Name, feature, "%s: %s", where, p.text))
}

// word1 reads a string or null into dst.
func (r *reading) word1(d *decoder, name string, dst *string) error {
	switch r.space() {
	case '"':
		text, err := r.text()
		*dst = text
		return err
	case 'n':
		_, err := r.word()
		return err
	}
	raw, err := r.skip()
	if err == nil {
		r.bad = worse(r.bad, dead(feature.CodeInvalidArgument, d.view.Name, "", "%s: want a string, got %s", name, cut(string(raw))))
	}
	return err
}

// finish checks what only a whole record shows and makes the write, whose Values
// are valid until the next read.
func (r *reading) finish(d *decoder) *rejection {
	name := d.view.Name
	for i, v := range r.keys {
		if v.IsNull() {
			r.bad = worse(r.bad, dead(feature.CodeInvalidArgument, name, "", "join key %s is missing or null; every write names its entity", d.view.Entities[i].Name))
		}
	}
	if !r.hasTime {
		r.bad = worse(r.bad, dead(feature.CodeInvalidArgument, name, "", "event time is missing; send an RFC 3339 time in %q", d.timeColumn()))
	}
	switch r.op {
	case "", "write":
	case "delete":
		r.write.Delete = true
		clear(r.values)
	default:
		r.bad = worse(r.bad, dead(feature.CodeInvalidArgument, name, "", "op %q is neither write nor delete", cut(r.op)))
	}
	if r.bad != nil && r.bad.kind == DeadLettered {
		return r.bad
	}
	if bad := outside(name, r.write.EventTime); bad != nil && r.bad == nil {
		r.bad = bad
	}
	if r.bad != nil {
		return r.bad
	}
	key, err := feature.NewKey(d.view, r.keys)
	if err != nil {
		return dead(feature.CodeInvalidArgument, name, "", "%s", err)
	}
	r.write.Key, r.write.Values = key, r.values
	return nil
}

func (d *decoder) timeColumn() string {
	for name, c := range d.flat.columns {
		if slices.Contains(c.targets, target{role: roleEventTime}) {
			return name
		}
	}
	return fieldEventTime
}

// latest is the first event time that is refused: window ends and lateness must
// stay within the years that Unix nanoseconds reach.
var latest = time.Date(2262, 1, 1, 0, 0, 0, 0, time.UTC)

func outside(view string, at time.Time) *rejection {
	switch {
	case at.Unix() < 0:
		return quarantine(feature.CodeInvalidArgument, view, "", "event time %s is before 1970; check the unit", at.UTC().Format(time.RFC3339))
	case !at.Before(latest):
		return quarantine(feature.CodeFuture, view, "", "event time %d s is in the year %d; check the unit", at.Unix(), at.UTC().Year())
	}
	return nil
}
