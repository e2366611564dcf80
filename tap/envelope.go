package tap

import (
	"math"
	"strconv"
	"time"

	"sluice/feature"
)

// span is a piece of a record that is read once its view is known.
type span struct{ from, to int }

// envelope reads a record of the default topic. Fields may come in any order;
// what stands in front of the view's name is read twice.
type envelope struct {
	view                  string
	hasView               bool
	key, time, values, op span
	seen, read            uint8 // fields met, and those of them already read
	others                map[string]struct{}
	dec                   *decoder
}

const (
	sawView = 1 << iota
	sawKey
	sawTime
	sawValues
	sawOp
)

var envelopeFields = map[string]uint8{
	fieldView: sawView, fieldKey: sawKey, fieldEventTime: sawTime, fieldValues: sawValues, fieldOp: sawOp,
}

// readEnvelope reads a record {"view","key","event_time","values","op"}. find
// returns the decoder of a view, or nil for an unknown one. It returns the
// decoder of the record's view, nil if the record was rejected before that.
func (r *reading) readEnvelope(b []byte, find func(view string) *decoder) (*decoder, *rejection) {
	r.reset(b)
	var e envelope
	var unknown *rejection
	err := r.object(func(name string) error {
		bit, ok := envelopeFields[name]
		if !ok {
			if unknown == nil {
				unknown = dead(feature.CodeDecode, "", "", "field %q is none of view, key, event_time, values, op; leave it out", cut(name))
				e.others = map[string]struct{}{}
			}
			if _, twice := e.others[name]; twice {
				return r.fail("duplicate key")
			}
			e.others[name] = struct{}{}
			_, err := r.skip()
			return err
		}
		if e.seen&bit != 0 {
			return r.fail("duplicate key")
		}
		e.seen |= bit
		return r.envelopeField(&e, bit, find)
	})
	if err == nil {
		err = r.end()
	}
	switch {
	case err != nil:
		return nil, undecodable(e.view, err)
	case e.seen&sawView == 0 || !e.hasView:
		return nil, dead(feature.CodeInvalidArgument, "", "", "no view is named; send it as the string field view")
	case e.dec == nil:
		return nil, dead(feature.CodeUnknownView, cut(e.view), "", "not defined; apply its definition first, or correct the name")
	case unknown != nil:
		unknown.view = e.view
		return e.dec, unknown
	}
	if err := r.deferred(&e); err != nil {
		return e.dec, undecodable(e.view, err)
	}
	if e.seen&sawValues == 0 && r.op != "delete" {
		r.bad = worse(r.bad, dead(feature.CodeInvalidArgument, e.view, "", "values are missing; send {} to write only nulls"))
	}
	return e.dec, r.finish(e.dec)
}

// envelopeField reads one field, or notes where it stands until the view is known.
func (r *reading) envelopeField(e *envelope, bit uint8, find func(string) *decoder) error {
	if bit == sawView {
		if r.space() != '"' {
			_, err := r.skip()
			return err
		}
		view, err := r.text()
		if err != nil {
			return err
		}
		e.view, e.hasView = view, true
		if e.dec = find(view); e.dec != nil {
			r.start(e.dec)
		}
		return nil
	}
	if e.dec != nil {
		e.read |= bit
		return r.section(e.dec, bit)
	}
	r.space()
	from := r.i
	_, err := r.skip()
	at := span{from, r.i}
	switch bit {
	case sawKey:
		e.key = at
	case sawTime:
		e.time = at
	case sawValues:
		e.values = at
	case sawOp:
		e.op = at
	}
	return err
}

// deferred reads the fields that stood in front of the view's name.
func (r *reading) deferred(e *envelope) error {
	for _, f := range [...]struct {
		bit uint8
		at  span
	}{{sawKey, e.key}, {sawTime, e.time}, {sawValues, e.values}, {sawOp, e.op}} {
		if e.seen&f.bit == 0 || e.read&f.bit != 0 {
			continue
		}
		whole, at := r.b, r.i
		r.b, r.i = r.b[:f.at.to], f.at.from
		err := r.section(e.dec, f.bit)
		r.b, r.i = whole, at
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *reading) section(d *decoder, bit uint8) error {
	switch bit {
	case sawTime:
		return r.eventTime(d, fieldEventTime)
	case sawOp:
		return r.word1(d, fieldOp, &r.op)
	}
	p, name := &d.key, fieldKey
	if bit == sawValues {
		p, name = &d.values, fieldValues
	}
	if c := r.space(); c != '{' {
		raw, err := r.skip()
		if err == nil && !(bit == sawValues && c == 'n') {
			r.bad = worse(r.bad, dead(feature.CodeInvalidArgument, d.view.Name, "", "%s: want an object, got %s", name, cut(string(raw))))
		}
		return err
	}
	return r.columns(d, p)
}

// eventTime reads an event time: RFC 3339, or whole Unix seconds.
func (r *reading) eventTime(d *decoder, name string) error {
	c := r.space()
	from := r.i
	switch {
	case c == '"':
		text, err := r.text()
		if err != nil {
			return err
		}
		if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
			r.write.EventTime, r.hasTime = at.UTC(), true
			return nil
		}
	case c == '-' || '0' <= c && c <= '9':
		integer, err := r.number()
		if err != nil {
			return err
		}
		sec, err := strconv.ParseInt(string(r.b[from:r.i]), 10, 64)
		if integer && err == nil && sec > math.MinInt64/2 && sec < math.MaxInt64/2 {
			r.write.EventTime, r.hasTime = time.Unix(sec, 0).UTC(), true
			return nil
		}
	default:
		if _, err := r.skip(); err != nil {
			return err
		}
	}
	r.hasTime = true // present, and said to be wrong
	r.bad = worse(r.bad, dead(feature.CodeInvalidArgument, d.view.Name, "",
		"event time %s in %q: want an RFC 3339 time or whole Unix seconds", cut(string(r.b[from:r.i])), name))
	return nil
}
