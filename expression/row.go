package expression

import (
	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types/ref"

	"sluice/feature"
)

// Row holds the values of one row, and computes from them. It belongs to one goroutine.
type Row struct {
	set     *Set
	values  []feature.Value // by input
	seen    []ref.Val       // the same as expressions see them; nil: not looked at yet
	results []result        // by computed feature
}

type result struct {
	done    bool
	failure *Failure
}

// NewRow returns a row without values: every input is null.
func (s *Set) NewRow() *Row {
	n := len(s.at)
	return &Row{set: s, values: make([]feature.Value, n), seen: make([]ref.Val, n), results: make([]result, len(s.programs))}
}

// Reset takes the values out, for the next row.
func (r *Row) Reset() {
	clear(r.values)
	clear(r.seen)
	clear(r.results)
}

// SetFeature gives the view's feature at position i its value, which is null or of the
// feature's type.
func (r *Row) SetFeature(i int, v feature.Value) { r.values[i] = v }

// SetContext gives the value of a request at position i of Set.Context, which is null or
// of the type that the view declares.
func (r *Row) SetContext(i int, v feature.Value) { r.values[len(r.set.view.Features)+i] = v }

// Compute returns the value of the computed feature at position i, null or of its type;
// every value must have been set before. Where it fails the value is null.
func (r *Row) Compute(i int) (feature.Value, *Failure) {
	at := len(r.values) - len(r.results) + i
	if !r.results[i].done {
		v, failure := r.compute(&r.set.programs[i])
		r.values[at], r.results[i] = v, result{true, failure}
	}
	return r.values[at], r.results[i].failure
}

func (r *Row) compute(p *program) (feature.Value, *Failure) {
	for _, at := range p.reads {
		if j := r.set.computedAt(at); j >= 0 {
			if _, failure := r.Compute(j); failure != nil {
				return feature.Null, &Failure{Reason: ReasonInput, text: "computed feature " + r.set.view.Computed[j].Name + ", which it reads, failed"}
			}
		}
	}
	for _, at := range p.strict {
		if r.values[at].IsNull() {
			return feature.Null, nil
		}
	}
	out, _, err := p.run.Eval(r)
	switch {
	case err == nil:
		return fromCEL(p.def.Type, out)
	case absent(err), mistyped(err) && r.lacks(p):
		return feature.Null, nil
	}
	return feature.Null, failed(p.ast, err)
}

// lacks reports whether something that p names is null.
func (r *Row) lacks(p *program) bool {
	for _, at := range p.reads {
		if r.values[at].IsNull() {
			return true
		}
	}
	return false
}

// ResolveName gives expressions what they name.
func (r *Row) ResolveName(name string) (any, bool) {
	at, ok := r.set.at[name]
	if !ok {
		return nil, false
	}
	if r.seen[at] == nil {
		r.seen[at] = toCEL(r.values[at], true)
	}
	return r.seen[at], true
}

// Parent returns nil: a row is all there is.
func (r *Row) Parent() cel.Activation { return nil }
