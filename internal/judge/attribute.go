package judge

import (
	"fmt"
	"math"
	"strings"

	"sluice/drift"
	"sluice/feature"
	"sluice/quality/sketch"
	"sluice/rules"
)

// maxAttributed is how many reasons, the worst first, are attributed.
const maxAttributed = 16

// attribute adds to what failed or warned which slices and producers carry it. What was
// served has no headers, and came from other windows.
func (c *Case) attribute(v *rules.Verdict, merged *sketch.Profile) {
	if c.Baseline == nil || c.Kind == KindServed || len(c.Layout.Dimensions()) == 0 {
		return
	}
	a := drift.NewAttribution(&c.View, c.Layout, merged, c.Baseline, len(c.Current), c.History)
	for i := range v.Reasons[:min(len(v.Reasons), maxAttributed)] {
		r := &v.Reasons[i]
		if r.Outcome != rules.Failed && r.Outcome != rules.Warned || r.Method == rules.Pinned { // of which baseline is not
			continue
		}
		r.Shares = a.Of(drift.Shift{Feature: r.Feature, Method: r.Method, Summary: r.Summary})
		var named []string
		for k := range r.Shares {
			if s := &r.Shares[k]; drift.Named(s) && s.Name() != "" {
				named = append(named, shareText(s))
				name(r, s)
			}
		}
		if len(named) > 0 {
			r.Text = strings.TrimSuffix(r.Text, ".") + "; " + strings.Join(named, ", ")
		}
	}
}

// name fills in the fields of a reason that name one culprit each.
func name(r *rules.Reason, s *feature.Share) {
	value := s.Value
	if value == "" {
		value = s.Name()
	}
	switch {
	case !s.Header && r.Slice == "":
		r.Slice = s.Dimension + "=" + value
		if s.Value == "" {
			r.Slice = value
		}
	case s.Header && s.Dimension == sketch.ProducerDimension.Name && r.Producer == "":
		r.Producer = value
	case s.Header && s.Dimension == sketch.SchemaDimension.Name && r.Schema == "":
		r.Schema = value
	}
}

// shareText says what a value carries: "94 % of it comes from producer=pos-7 (12 % of rows)".
func shareText(s *feature.Share) string {
	rows := percent(s.RowShare) + " of rows"
	switch s.Change {
	case feature.ChangeNew:
		rows += ", new"
	case feature.ChangeGone:
		rows = "gone, " + percent(s.BaselineShare) + " of rows before"
	case feature.ChangeRows:
		rows += ", " + percent(s.BaselineShare) + " before"
	}
	among := ""
	if s.Group == feature.GroupOther && s.Value != "" {
		among = " among the rarer ones"
	}
	return fmt.Sprintf("%s of it comes from %s%s (%s)", percent(s.Share), s.Name(), among, rows)
}

func percent(share float64) string {
	v := 100 * share
	if v >= 10 {
		v = math.Round(v)
	}
	return fmt.Sprintf("%.3g %%", v)
}
