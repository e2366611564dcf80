package quality

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"sluice/feature"
	"sluice/quality/sketch"
)

// MaxWatches is how many expectations of one view may need values remembered over
// a window: unique and monotonic ones.
const MaxWatches = 16

// windowOf checks what a feature expects of a window.
func windowOf(f *feature.Feature) (errs []error) {
	e := &f.Expect
	if e.Unique && !sketch.Watchable(f.Type) {
		errs = append(errs, fault("unique", fmt.Errorf("a %s is not told from others: leave it out", f.Type)))
	}
	if e.Monotonic && !f.Type.Numeric() {
		errs = append(errs, fault("monotonic", fmt.Errorf("a %s has no order: leave it out", f.Type)))
	}
	measured := f.Type.Numeric() && f.Type != feature.Timestamp
	if e.Mean != nil {
		errs = append(errs, rangeFault("mean", *e.Mean, measured, f.Type)...)
	}
	for _, q := range quantileNames(e.Quantiles) {
		key := "quantiles." + q
		if rank, err := strconv.ParseFloat(q, 64); err != nil || !(rank >= 0 && rank <= 1) {
			errs = append(errs, fault(key, fmt.Errorf("%s: want a rank from 0 to 1, such as 0.5", quote(q))))
			continue
		}
		errs = append(errs, rangeFault(key, e.Quantiles[q], measured, f.Type)...)
	}
	if e.Distinct != nil {
		errs = append(errs, rangeFault("distinct", *e.Distinct, f.Type != feature.JSON && !f.Type.IsList(), f.Type)...)
	}
	return errs
}

// rangeFault checks a range of something that only some types have.
func rangeFault(key string, r feature.Range, has bool, t feature.Type) []error {
	if !has {
		return []error{fault(key, fmt.Errorf("a window of a %s has none: leave it out", t))}
	}
	if err := checkRange(r); err != nil {
		return []error{fault(key, err)}
	}
	return nil
}

func checkRange(r feature.Range) error {
	for _, bound := range []*float64{r.Min, r.Max} {
		if bound != nil && (math.IsNaN(*bound) || math.IsInf(*bound, 0)) {
			return fmt.Errorf("%v: want a finite number", *bound)
		}
	}
	switch {
	case r.Min == nil && r.Max == nil:
		return fmt.Errorf("empty: give min, max or both")
	case r.Min != nil && r.Max != nil && *r.Min > *r.Max:
		return fmt.Errorf("min %s is above max %s: swap them", number(*r.Min), number(*r.Max))
	}
	return nil
}

// quantileNames returns the ranks in the order of their numbers.
func quantileNames(quantiles map[string]feature.Range) []string {
	var names []string
	for name := range quantiles {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// window checks one of the view's own expectations.
func window(view *feature.View, e *feature.Expectation) (errs []error) {
	kinds := 0
	for _, given := range []bool{e.Expr != "", e.Unique != nil, e.Monotonic != "", e.Completeness != nil, e.Rows != nil, e.Late != nil} {
		if given {
			kinds++
		}
	}
	if kinds != 1 {
		errs = append(errs, fault("", fmt.Errorf("%d of expr, unique, monotonic, completeness, rows and late are given: want one", kinds)))
	}
	if e.Unique != nil {
		errs = append(errs, uniqueFaults(view, e.Unique)...)
	}
	if e.Monotonic != "" && e.Monotonic != feature.EventTimeName {
		if i := view.FeatureAt(e.Monotonic); i < 0 || !view.Features[i].Type.Numeric() {
			errs = append(errs, fault("monotonic", fmt.Errorf("%s: want %s, or a feature that is a number or a timestamp", quote(e.Monotonic), feature.EventTimeName)))
		}
	}
	if e.Rows != nil {
		if err := checkRange(*e.Rows); err != nil {
			errs = append(errs, fault("rows", err))
		}
	}
	for _, share := range []struct {
		key   string
		value *float64
	}{{"completeness", e.Completeness}, {"late", e.Late}, {"bad", e.Bad}} {
		if err := checkShare(share.key, share.value); err != nil {
			errs = append(errs, fault(share.key, err))
		}
	}
	if e.Bad != nil && e.Expr == "" && e.Unique == nil && e.Monotonic == "" {
		errs = append(errs, fault("bad", fmt.Errorf("only expr, unique and monotonic have a share that may break them: leave it out")))
	}
	return errs
}

// uniqueFaults checks the names of columns that are unique together.
func uniqueFaults(view *feature.View, names []string) (errs []error) {
	keys := 0
	for i, name := range names {
		entity := slices.ContainsFunc(view.Entities, func(e feature.Entity) bool { return e.Name == name })
		at := view.FeatureAt(name)
		switch {
		case slices.Contains(names[:i], name):
			errs = append(errs, fault("unique", fmt.Errorf("%s is listed twice: keep one", quote(name))))
		case entity:
			keys++
		case at < 0:
			errs = append(errs, fault("unique", fmt.Errorf("%s is neither a feature nor a join key of the view", quote(name))))
		case !sketch.Watchable(view.Features[at].Type):
			errs = append(errs, fault("unique", fmt.Errorf("%s: a %s is not told from others: leave it out", quote(name), view.Features[at].Type)))
		}
	}
	if len(names) == 0 {
		errs = append(errs, fault("unique", fmt.Errorf("empty: list features, or the join keys")))
	}
	if keys > 0 && keys != len(view.Entities) {
		errs = append(errs, fault("unique", fmt.Errorf("%d of %d join keys: they are taken together, list all or none", keys, len(view.Entities))))
	}
	return errs
}
