package judge

import (
	"encoding/json"
	"fmt"

	"sluice/drift"
	"sluice/feature"
	"sluice/quality/sketch"
	"sluice/rules"
)

// maxTraced is how many reasons, the worst first, are traced to where they begin.
const maxTraced = 4

// Traces are what finds, record by record, where the reasons of a verdict begin. What they
// find is no part of the verdict, but kept beside it: the log is not kept as long.
type Traces struct {
	of []trace
}

type trace struct {
	reason int
	onset  *drift.Onset
}

// Traces prepares to find where the reasons of v, the verdict on c, begin: in the rows of
// what is named first in a reason, else in all. key is that of the profiles. There are
// none where a reason has no shares.
func (c *Case) Traces(v *rules.Verdict, key sketch.HashKey) (*Traces, error) {
	t := &Traces{}
	if c.Baseline == nil {
		return t, nil
	}
	merged, err := c.merged()
	if err != nil {
		return nil, fmt.Errorf("trace verdict of %s: %w", c.View.Name, err)
	}
	a := drift.NewAttribution(&c.View, c.Layout, merged, c.Baseline, len(c.Current), c.History)
	for i := range v.Reasons {
		r := &v.Reasons[i]
		if len(r.Shares) == 0 || len(t.of) == maxTraced {
			continue
		}
		var of *feature.Share
		if drift.Named(&r.Shares[0]) {
			of = &r.Shares[0]
		}
		if onset, ok := a.Onset(drift.Shift{Feature: r.Feature, Method: r.Method, Summary: r.Summary}, of, key); ok {
			t.of = append(t.of, trace{i, onset})
		}
	}
	return t, nil
}

// Empty reports whether there is nothing to find.
func (t *Traces) Empty() bool { return len(t.of) == 0 }

// Add takes the next record of its partition: see drift.Onset.Add.
func (t *Traces) Add(w *feature.Write, refused int) {
	for i := range t.of {
		t.of[i].onset.Add(w, refused)
	}
}

// Origins returns what was found.
func (t *Traces) Origins() Origins {
	o := Origins{Format: originsFormat, First: map[int]map[string]int64{}}
	for _, of := range t.of {
		if first := of.onset.First(); len(first) > 0 {
			o.First[of.reason] = first
		}
	}
	return o
}

const originsFormat = 1

// Origins are where in the log the reasons of a verdict begin, as they are stored beside it.
type Origins struct {
	Format int                      `json:"format"`
	First  map[int]map[string]int64 `json:"first,omitempty"` // by position of the reason: offset by topic/partition
	Note   string                   `json:"note,omitempty"`  // why there are none; empty if they were looked for
}

// NoOrigins says why nobody looked for them, or could.
func NoOrigins(note string) Origins { return Origins{Format: originsFormat, Note: note} }

// DecodeOrigins reads the JSON of Origins; ErrCorrupt for anything else.
func DecodeOrigins(b []byte) (Origins, error) {
	var o Origins
	if err := json.Unmarshal(b, &o); err != nil || o.Format != originsFormat {
		return Origins{}, fmt.Errorf("decode origins: %w", ErrCorrupt)
	}
	return o, nil
}

// Write puts o into the reasons of v, the verdict that they belong to.
func (o *Origins) Write(v *rules.Verdict) {
	v.FirstOffsetNote = o.Note
	for i, first := range o.First {
		if i >= 0 && i < len(v.Reasons) {
			v.Reasons[i].FirstOffset = first
		}
	}
}
