package quality

import (
	"errors"
	"fmt"

	"sluice/feature"
)

// Checker tests writes of one view against its features' expectations:
//
//   - min and max bound numbers and timestamps (in Unix seconds), both ends
//     included; not-a-number breaks any bound. Integers beyond 2^53 are compared
//     after rounding to float64.
//   - in lists the allowed values in their text forms: numbers in decimal, bools
//     as true and false, timestamps in RFC 3339 to the second, strings and bytes
//     as they are.
//   - expr is a CEL expression over the row that gives a bool. It names features:
//     integers are int, floats double, json is dyn, other types and lists their
//     namesakes of CEL; numbers of different types compare. A null feature is CEL's
//     null, so an expression over one that may be null says so, as in
//     "amount == null || amount > 0", and dyn(tags) == null for a list.
//
// Min, max and in hold for every element of a list. Null breaks none of the
// three; it is bounded by its share of the window. An expr that cannot be
// evaluated, because a value is null or the cost limit is reached, is broken.
type Checker struct {
	checks []check
	index  map[string]int // feature name to its place in a write's values
	view   *feature.View
}

// check is the expectations of one feature.
type check struct {
	at     int
	name   string
	bounds *bounds
	domain *domain
	expr   *expr
}

// NewChecker compiles the expectations of view. The error joins every problem, by
// feature; each is ErrExpect.
func NewChecker(view *feature.View) (*Checker, error) {
	c := &Checker{view: view, index: make(map[string]int, len(view.Features))}
	for i, f := range view.Features {
		c.index[f.Name] = i
	}
	env := lazyEnv(view)
	var errs []error
	for i := range view.Features {
		one, err := newCheck(&view.Features[i], i, env)
		if err != nil {
			errs = append(errs, fmt.Errorf("view %s: feature %s: %w", view.Name, view.Features[i].Name, err))
		}
		if one.bounds != nil || one.domain != nil || one.expr != nil {
			c.checks = append(c.checks, one)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return c, nil
}

func newCheck(f *feature.Feature, at int, env envFunc) (check, error) {
	c := check{at: at, name: f.Name}
	var errs [4]error
	c.bounds, errs[0] = newBounds(f)
	c.domain, errs[1] = newDomain(f)
	if f.Expect.Expr != "" {
		c.expr, errs[2] = newExpr(f.Expect.Expr, env)
	}
	errs[3] = errors.Join(checkShare("nulls", f.Expect.Nulls), checkShare("bad", f.Expect.Bad))
	return c, errors.Join(errs[:]...)
}

func checkShare(key string, share *float64) error {
	if share != nil && !(*share >= 0 && *share <= 1) {
		return fmt.Errorf("%s: %v is not a share between 0 and 1: %w", key, *share, ErrExpect)
	}
	return nil
}

// Check tests a write, which must have been decoded under the checker's view. It
// returns the first broken expectation in the order of the features: the
// feature's place, and a reason of at most 256 bytes that names feature, bound
// and value. A deletion has no values and breaks nothing. Check does not allocate
// when ok, unless an expr is evaluated.
func (c *Checker) Check(w *feature.Write) (featureIndex int, reason string, ok bool) {
	if w.Delete {
		return -1, "", true
	}
	for i := range c.checks {
		k := &c.checks[i]
		if k.at >= len(w.Values) {
			continue
		}
		if v := &w.Values[k.at]; !k.holds(v) {
			return k.at, k.explain(*v), false
		}
		if k.expr == nil {
			continue
		}
		if fault := k.expr.fault(c, w); fault != "" {
			return k.at, limit(fmt.Sprintf("%s: %s; %s = %s", k.name, fault, k.name, show(w.Values[k.at]))), false
		}
	}
	return -1, "", true
}

// holds reports whether a value, or each element of a list, keeps bounds and domain.
func (k *check) holds(v *feature.Value) bool {
	if v.Type().IsList() {
		elements := v.List()
		for i := range elements {
			if !k.holdsOne(&elements[i]) {
				return false
			}
		}
		return true
	}
	return k.holdsOne(v)
}

func (k *check) holdsOne(v *feature.Value) bool {
	if v.IsNull() {
		return true
	}
	return (k.bounds == nil || k.bounds.hold(v.Float())) && (k.domain == nil || k.domain.has(v))
}

// explain says what a value that does not hold breaks.
func (k *check) explain(v feature.Value) string {
	for _, e := range v.List() {
		if !k.holdsOne(&e) {
			v = e
			break
		}
	}
	if k.bounds != nil && !k.bounds.hold(v.Float()) {
		return limit(fmt.Sprintf("%s: %s %s", k.name, show(v), k.bounds.fault(v.Float())))
	}
	return limit(fmt.Sprintf("%s: %s is not in %s", k.name, show(v), k.domain.text))
}
