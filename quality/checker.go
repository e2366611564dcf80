package quality

import (
	"fmt"

	"sluice/feature"
)

// Checker tests writes of one view against its features' expectations and its own:
//
//   - min and max bound numbers and timestamps (in Unix seconds), both ends
//     included; not-a-number breaks any bound. Integers beyond 2^53 are compared
//     after rounding to float64.
//   - in lists the allowed values in their text forms: numbers in decimal, bools
//     as true and false, timestamps in RFC 3339 to the second, strings and bytes
//     as they are.
//   - length bounds the characters of a string, the bytes of bytes and the elements
//     of a list.
//   - pattern is an RE2 expression that the whole text must match; a text of more
//     than 64 KiB matches none.
//   - token refuses what may be a payment card number: see HoldsCard.
//   - not_finite: reject of the feature itself refuses not-a-number and infinities, before
//     anything else; see NotFinite.
//   - expr is a CEL expression over the row that gives a bool. It names features:
//     integers are int, floats double, json is dyn, other types and lists their
//     namesakes of CEL; numbers of different types compare. A null feature is CEL's
//     null, so an expression over one that may be null says so, as in
//     "amount == null || amount > 0", and dyn(tags) == null for a list.
//
// Min, max, in, pattern and token hold for every element of a list. Null breaks none
// of them, nor length; it is bounded by its share of the window. An expr that cannot
// be evaluated, because a value is null or the cost limit is reached, is broken.
type Checker struct {
	checks []check
	rows   []rowCheck
	view   *feature.View
}

// check is the expectations of one feature.
type check struct {
	at     int
	finite bool // refuses what is not
	name   string
	bounds *bounds
	domain *domain
	form   *form
	expr   *expr
}

// rowCheck is an expectation of the view as a whole.
type rowCheck struct {
	at   int // in View.Expect
	name string
	expr *expr
}

// NewChecker compiles the expectations of view. The error is Faults; each is
// ErrExpect.
func NewChecker(view *feature.View) (*Checker, error) {
	c := &Checker{view: view}
	scope := lazyScope(view)
	var found Faults
	for i := range view.Features {
		one, errs := newCheck(&view.Features[i], i, scope)
		found.add(view, i, "", errs)
		if one.bounds != nil || one.domain != nil || one.form != nil || one.expr != nil || one.finite {
			c.checks = append(c.checks, one)
		}
	}
	for i := range view.Expect {
		e := &view.Expect[i]
		found.add(view, -1, e.Name, window(view, e))
		if e.Expr == "" {
			continue
		}
		compiled, err := newExpr(e.Expr, scope)
		if err != nil {
			found.add(view, -1, e.Name, []error{fault("expr", err)})
			continue
		}
		c.rows = append(c.rows, rowCheck{i, e.Name, compiled})
	}
	if len(found) > 0 {
		return nil, found
	}
	return c, nil
}

func newCheck(f *feature.Feature, at int, scope scopeFunc) (c check, errs []error) {
	c = check{at: at, name: f.Name, finite: f.NotFinite == feature.NotFiniteReject}
	note := func(key string, err error) {
		if err != nil {
			errs = append(errs, fault(key, err))
		}
	}
	var err error
	c.bounds, err = newBounds(f)
	note("min", err)
	c.domain, err = newDomain(f)
	note("in", err)
	var more []error
	c.form, more = newForm(f)
	errs = append(errs, more...)
	if f.Expect.Expr != "" {
		c.expr, err = newExpr(f.Expect.Expr, scope)
		note("expr", err)
	}
	note("nulls", checkShare("nulls", f.Expect.Nulls))
	note("bad", checkShare("bad", f.Expect.Bad))
	return c, append(errs, windowOf(f)...)
}

func checkShare(key string, share *float64) error {
	if share != nil && !(*share >= 0 && *share <= 1) {
		return fmt.Errorf("%s: %v is not a share between 0 and 1: %w", key, *share, ErrExpect)
	}
	return nil
}

// Check tests a write, which must have been decoded under the checker's view. It
// returns the first broken expectation, those of the features first, in their order:
// the feature's place, or the number of features plus the place of one of the view's
// own, and a reason of at most 256 bytes that names feature, bound and value. A
// deletion has no values and breaks nothing. Check does not allocate when ok, unless
// an expr is evaluated. No reason holds a payment card number.
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
			return k.at, k.explain(v), false
		}
		if k.expr == nil {
			continue
		}
		if fault := k.expr.fault(w); fault != "" {
			return k.at, limit(fmt.Sprintf("%s: %s; %s = %s", k.name, fault, k.name, show(w.Values[k.at]))), false
		}
	}
	for i := range c.rows {
		k := &c.rows[i]
		if fault := k.expr.fault(w); fault != "" {
			return len(c.view.Features) + k.at, limit(fmt.Sprintf("expectation %s: %s", k.name, fault)), false
		}
	}
	return -1, "", true
}

// NotFinite reports whether it is for a value that is not finite that Check blamed the
// feature at that place of the view.
func (c *Checker) NotFinite(w *feature.Write, blamed int) bool {
	return blamed >= 0 && blamed < min(len(c.view.Features), len(w.Values)) &&
		c.view.Features[blamed].NotFinite == feature.NotFiniteReject && !w.Values[blamed].Finite()
}

// holds reports whether a value, or each element of a list, keeps bounds, domain and form.
func (k *check) holds(v *feature.Value) bool {
	t, _ := feature.Peek(v)
	if t == 0 {
		return true
	}
	if k.finite && !v.Finite() || k.form != nil && !k.form.fits(v) {
		return false
	}
	if t.IsList() {
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
	if t, _ := feature.Peek(v); t == 0 {
		return true
	}
	return (k.bounds == nil || k.bounds.hold(v.Float())) && (k.domain == nil || k.domain.has(v)) && (k.form == nil || k.form.looks(v))
}

// explain says what a value that does not hold breaks.
func (k *check) explain(v *feature.Value) string {
	if k.finite && !v.Finite() {
		return limit(fmt.Sprintf("%s: %s, which not_finite: reject of its definition refuses; send a number, or null", k.name, showOdd(v)))
	}
	if k.form != nil && !k.form.fits(v) {
		return limit(fmt.Sprintf("%s: %s", k.name, k.form.misfit(v)))
	}
	elements := v.List()
	for i := range elements {
		if !k.holdsOne(&elements[i]) {
			v = &elements[i]
			break
		}
	}
	switch {
	case k.form != nil && k.form.token && holdsCard(v):
		return limit(fmt.Sprintf("%s: %s", k.name, k.form.blemish(v)))
	case k.bounds != nil && !k.bounds.hold(v.Float()):
		return limit(fmt.Sprintf("%s: %s %s", k.name, show(*v), k.bounds.fault(v.Float())))
	case k.domain != nil && !k.domain.has(v):
		return limit(fmt.Sprintf("%s: %s is not in %s", k.name, show(*v), k.domain.text))
	}
	return limit(fmt.Sprintf("%s: %s", k.name, k.form.blemish(v)))
}
