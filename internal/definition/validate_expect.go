package definition

import (
	"math"
	"slices"
	"strconv"
	"time"

	"sluice/feature"
)

func validateExpect(f *feature.Feature, key string, found *Problems) {
	e := &f.Expect
	for _, bound := range []struct {
		name  string
		value *float64
	}{{"min", e.Min}, {"max", e.Max}} {
		switch {
		case bound.value == nil:
		case math.IsNaN(*bound.value) || math.IsInf(*bound.value, 0):
			found.add("", 0, join(key, bound.name), "%v: want a finite number", *bound.value)
		case f.Type.Valid() && !f.Type.Numeric():
			found.add("", 0, join(key, bound.name), "a %s has no order: leave it out, or use in or expr", f.Type)
		}
	}
	if e.Min != nil && e.Max != nil && *e.Min > *e.Max {
		found.add("", 0, key+".min", "%v is above max, which is %v: swap them", *e.Min, *e.Max)
	}
	for _, share := range []struct {
		name  string
		value *float64
	}{{"nulls", e.Nulls}, {"bad", e.Bad}} {
		if share.value != nil && !(*share.value >= 0 && *share.value <= 1) {
			found.add("", 0, join(key, share.name), "%v: want a share of the rows, 0 to 1", *share.value)
		}
	}
	if len(e.Expr) > maxText {
		found.add("", 0, key+".expr", "%d bytes, and at most %d are read", len(e.Expr), maxText)
	}
	validateIn(f, key+".in", found)
}

// validateIn checks that every allowed value is one of the feature's type.
func validateIn(f *feature.Feature, key string, found *Problems) {
	in := f.Expect.In
	if in == nil || !f.Type.Valid() {
		return
	}
	if len(in) == 0 {
		found.add("", 0, key, "empty: it would refuse every value: list some, or leave it out")
	}
	if f.Type.IsList() || f.Type == feature.JSON {
		found.add("", 0, key, "a %s is not compared with a list of values: use expr", f.Type)
		return
	}
	for _, text := range in {
		if !readable(f.Type, text) {
			found.add("", 0, key, "%s is no %s", show(text), f.Type)
		}
	}
	if n := len(slices.Compact(slices.Sorted(slices.Values(in)))); n != len(in) {
		found.add("", 0, key, "a value is listed twice: keep one")
	}
}

// readable reports whether text is the text form of a value of type t.
func readable(t feature.Type, text string) bool {
	var err error
	switch t {
	case feature.Int32:
		_, err = strconv.ParseInt(text, 10, 32)
	case feature.Int64:
		_, err = strconv.ParseInt(text, 10, 64)
	case feature.Float32, feature.Float64:
		var v float64
		v, err = strconv.ParseFloat(text, 64)
		return err == nil && !math.IsNaN(v) && !math.IsInf(v, 0)
	case feature.Bool:
		return text == "true" || text == "false"
	case feature.Timestamp:
		_, err = time.Parse(time.RFC3339Nano, text)
	}
	return err == nil
}
