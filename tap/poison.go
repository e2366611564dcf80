package tap

import (
	"errors"
	"runtime"
	"runtime/debug"

	"sluice/feature"
)

// A record that makes the tap's own code panic would end the process, and each one that
// takes its partition over. Reading and checking a record change nothing but what they read
// into, so a panic there makes it a dead letter, as if it could not be read. It is not tried
// again: the same bytes come to the same end.

// poisonText is the text of such a dead letter.
const poisonText = "reading it failed within Sluice: report this as a bug, with the lines of the tap's log; the letter has the record's bytes"

// poison is a panic over a record.
type poison struct {
	what  string // the error of the runtime; else its type alone, since a value may be of the record
	stack []byte
}

// poisoned makes a panic the rejection of the record that was read. It is to be deferred.
func poisoned(bad **rejection) {
	if what := recover(); what != nil {
		*bad = dead(feature.CodeDecode, "", "", poisonText)
		(*bad).poison = newPoison(what)
	}
}

func newPoison(what any) *poison {
	p := &poison{what: "panic", stack: debug.Stack()}
	var err runtime.Error
	if of, ok := what.(error); ok && errors.As(of, &err) {
		p.what = err.Error()
	}
	return p
}

// flat is readFlat, whatever the record.
func (r *reading) flat(d *decoder, b []byte, strict bool) (bad *rejection) {
	defer poisoned(&bad)
	return r.readFlat(d, b, strict)
}

// envelope is readEnvelope, whatever the record.
func (r *reading) envelope(b []byte, find func(view string) *decoder) (d *decoder, bad *rejection) {
	defer poisoned(&bad)
	return r.readEnvelope(b, find)
}

// check is the checker's Check, whatever the write: one that makes it panic is refused as a
// whole.
func (v *viewSource) check(w *feature.Write) (featureIndex int, reason string, ok bool, by *poison) {
	defer func() {
		if what := recover(); what != nil {
			featureIndex, reason, ok, by = -1, poisonText, false, newPoison(what)
		}
	}()
	featureIndex, reason, ok = v.checker.Check(w)
	return featureIndex, reason, ok, nil
}
