package definition

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"time"

	"sluice/feature"
	"sluice/quality"
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

// MaxExpectations is how many expectations of its own a view may have.
const MaxExpectations = 64

// reservedSummaries mean something else in the scores of a verdict.
var reservedSummaries = []string{"share", "ratio"}

// validateExpectations checks names and sizes; what an expectation says is for
// validateQuality.
func validateExpectations(v *feature.View, key string, found *Problems) {
	if len(v.Expect) > MaxExpectations {
		found.add("", 0, key, "%d expectations, and a view takes %d", len(v.Expect), MaxExpectations)
		return
	}
	seen, complete, watched := map[string]bool{}, "", 0
	for i := range v.Expect {
		e := &v.Expect[i]
		at := join(key, e.Name)
		if e.Name == "" {
			found.add("", 0, key+"["+strconv.Itoa(i)+"]", "an expectation needs a name, by which verdicts tell of it")
			continue
		}
		validateName(e.Name, at, found)
		twice(seen, e.Name, at, found)
		if slices.Contains(reservedSummaries, e.Name) {
			found.add("", 0, at, "%s has a meaning of its own in verdicts: choose another name", e.Name)
		}
		if len(e.Expr) > maxText {
			found.add("", 0, at+".expr", "%d bytes, and at most %d are read", len(e.Expr), maxText)
		}
		if e.Completeness != nil {
			if complete != "" {
				found.add("", 0, at+".completeness", "%s says so already: keep one", complete)
			}
			complete = e.Name
		}
		if e.Unique != nil || e.Monotonic != "" {
			watched++
		}
	}
	for i := range v.Features {
		if v.Features[i].Expect.Unique {
			watched++
		}
		if v.Features[i].Expect.Monotonic {
			watched++
		}
	}
	if watched > quality.MaxWatches {
		found.add("", 0, key, "%d unique and monotonic expectations with those of the features, and a view takes %d", watched, quality.MaxWatches)
	}
}

// checkedHere are keys whose problems this package words itself.
var checkedHere = []string{"min", "max", "in", "nulls", "bad"}

// validateQuality adds what the checker of writes finds: patterns and expressions
// that do not compile, and expectations that make no sense for a type.
func validateQuality(v *feature.View, key string, found *Problems) {
	if slices.ContainsFunc(v.Features, func(f feature.Feature) bool {
		return !f.Type.Valid() || !feature.ValidName(f.Name) || len(f.Expect.Expr) > maxText
	}) {
		return // found already, and nothing to compile with
	}
	_, err := quality.NewChecker(v)
	var faults quality.Faults
	if !errors.As(err, &faults) {
		return
	}
	for _, f := range faults {
		at := join(key+".expect", f.Expectation)
		if f.Feature != "" {
			if slices.Contains(checkedHere, f.Key) {
				continue
			}
			at = join(key+".features", f.Feature) + ".expect"
		}
		if f.Key != "" {
			at += "." + f.Key
		}
		found.add("", 0, at, "%s", f.Text())
	}
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
