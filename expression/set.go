package expression

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"

	"sluice/feature"
)

// Set is the computed features of a view, compiled. Its expressions name the view's
// features, the values that requests bring (View.Context) and other computed features:
//
//   - Integers are int, floats double, timestamps timestamp, json is dyn with every
//     number a double; other types and lists are their namesakes of CEL. Numbers of two
//     types compare; arithmetic wants them of one.
//   - An expression has a value only if everything that it names has one. What is null
//     makes the result null, unless the expression asks about it: x == null, x != null,
//     or coalesce(x / y, 0.0), the first argument of two or three that has a value. So
//     does what a document does not hold: an absent key, a null under one, an index that
//     a list does not have; has(d.key), d.?key.orValue(0.0) and coalesce ask about those.
//   - Not-a-number and infinities are numbers. They come and go as IEEE 754 has it; a
//     double divided by 0 is one, an int divided by 0 is a failure.
//   - What fails (a Failure says why) has no value, and neither has what reads it.
type Set struct {
	view     *feature.View
	context  []string       // names of the values of requests, sorted
	at       map[string]int // position of an input: features, context, computed features
	programs []program      // in the order of the view's computed features
}

// program is one computed feature.
type program struct {
	def    *feature.Computed
	ast    *cel.Ast
	run    cel.Program
	reads  []int // inputs that it names, rising
	strict []int // of those, the ones that it does not ask about

	features, needs []int // features, and values of requests, that it and what it reads name
}

// Compile compiles the computed features of view, which must outlive the Set. The error
// is Faults: expressions that do not compile or give another type, names that are used
// twice, features that read themselves, and expressions that always cost more than
// MaxCost.
func Compile(view *feature.View) (*Set, error) {
	s := &Set{view: view, context: slices.Sorted(maps.Keys(view.Context)), at: map[string]int{}}
	variables, err := s.declare()
	if err != nil {
		return nil, err
	}
	scope, err := newScope(variables)
	if err != nil {
		return nil, Faults{{Text: err.Error()}}
	}
	var found Faults
	for i := range view.Computed {
		p, fault := s.program(scope, &view.Computed[i])
		if fault != nil {
			fault.Computed = view.Computed[i].Name
			found = append(found, fault)
		}
		s.programs = append(s.programs, p)
	}
	if found = append(found, s.circles()...); len(found) > 0 {
		return nil, found
	}
	for i := range s.programs {
		s.gather(i)
	}
	return s, nil
}

// declare numbers the inputs and returns their types.
func (s *Set) declare() (map[string]feature.Type, error) {
	variables := map[string]feature.Type{}
	var found Faults
	add := func(name string, t feature.Type) {
		if _, taken := s.at[name]; taken {
			found = append(found, &Fault{Computed: name, Text: "the view has two of this name among its features, context and computed features"})
		}
		s.at[name], variables[name] = len(s.at), t
	}
	for _, f := range s.view.Features {
		add(f.Name, f.Type)
	}
	for _, name := range s.context {
		add(name, s.view.Context[name])
	}
	for _, c := range s.view.Computed {
		add(c.Name, c.Type)
	}
	if len(found) > 0 {
		return nil, found
	}
	return variables, nil
}

func (s *Set) program(scope *scope, def *feature.Computed) (program, *Fault) {
	p := program{def: def}
	var fault *Fault
	if p.ast, fault = scope.compile(def.Expr); fault != nil {
		return p, fault
	}
	for name, asked := range readsOf(p.ast.NativeRep().Expr()) {
		at, ok := s.at[name]
		if !ok {
			continue // a type's name
		}
		if p.reads = append(p.reads, at); !asked {
			p.strict = append(p.strict, at)
		}
	}
	slices.Sort(p.reads)
	slices.Sort(p.strict)
	if fault := gives(def.Type, p.ast.OutputType()); fault != nil {
		return p, fault
	}
	cost, err := scope.costOf(p.ast)
	switch {
	case err != nil:
		return p, &Fault{Text: err.Error()}
	case cost.Min > MaxCost:
		return p, &Fault{Text: fmt.Sprintf("costs at least %d steps, and an expression may take %d", cost.Min, MaxCost)}
	}
	options := []cel.ProgramOption{cel.EvalOptions(cel.OptOptimize)}
	if cost.Max > MaxCost { // counting the steps takes time, and only these may be too many
		options = append(options, cel.CostLimit(MaxCost))
	}
	if p.run, err = scope.env.Program(p.ast, options...); err != nil {
		return p, &Fault{Text: err.Error()}
	}
	return p, nil
}

// gives returns what is wrong with a result of CEL's type out where t is declared; nil
// if that fits, or shows only with a value.
func gives(t feature.Type, out *cel.Type) *Fault {
	wanted := celType(t)
	if t == feature.JSON || !t.Valid() {
		return &Fault{Text: fmt.Sprintf("a computed feature cannot be %s: want another type, such as float64 or string", t)}
	}
	if out.IsExactType(cel.DynType) || !out.IsExactType(cel.NullType) && wanted.IsAssignableType(out) {
		return nil
	}
	if t.IsList() && out.Kind() == wanted.Kind() && (out.Parameters()[0].IsExactType(cel.DynType) || wanted.Parameters()[0].IsAssignableType(out.Parameters()[0])) {
		return nil
	}
	shown := nullable.ReplaceAllString(out.String(), "$1")
	text := fmt.Sprintf("gives %s, and %s is declared", shown, t)
	switch {
	case t.Float() && shown == "int":
		text += ": write double(…) around it"
	case (t == feature.Int32 || t == feature.Int64) && shown == "double":
		text += ": write int(…) around it, which cuts the fraction off, or declare float64"
	case strings.HasSuffix(shown, "google.protobuf.Duration"):
		text += ": write .getSeconds() after it for a whole number of seconds"
	}
	return &Fault{Text: text}
}

// circles reports computed features that read themselves by way of others.
func (s *Set) circles() (found Faults) {
	state := make([]int, len(s.programs)) // 1: being looked at, 2: done
	var path []string
	var visit func(i int)
	visit = func(i int) {
		name := s.view.Computed[i].Name
		path = append(path, name)
		defer func() { path = path[:len(path)-1] }()
		if state[i] == 1 {
			from := slices.Index(path, name)
			found = append(found, &Fault{Computed: name, Text: "reads itself: " + strings.Join(path[from:], " reads ")})
		}
		if state[i] != 0 {
			return
		}
		state[i] = 1
		for _, at := range s.programs[i].reads {
			if j := s.computedAt(at); j >= 0 {
				visit(j)
			}
		}
		state[i] = 2
	}
	for i := range s.programs {
		visit(i)
	}
	return found
}

// computedAt returns which computed feature the input at that position is; -1 if none.
func (s *Set) computedAt(at int) int {
	return max(-1, at-len(s.view.Features)-len(s.context))
}

// gather fills in what the computed feature i needs, by way of others too.
func (s *Set) gather(i int) {
	p := &s.programs[i]
	if p.features != nil {
		return
	}
	p.features = []int{}
	for _, at := range p.reads {
		switch j := s.computedAt(at); {
		case j >= 0:
			s.gather(j)
			p.features = append(p.features, s.programs[j].features...)
			p.needs = append(p.needs, s.programs[j].needs...)
		case at < len(s.view.Features):
			p.features = append(p.features, at)
		default:
			p.needs = append(p.needs, at-len(s.view.Features))
		}
	}
	slices.Sort(p.features)
	slices.Sort(p.needs)
	p.features, p.needs = slices.Compact(p.features), slices.Compact(p.needs)
}

// Context returns the names of the values that requests bring, sorted.
func (s *Set) Context() []string { return s.context }

// Features returns the positions, among the view's features, of those that the computed
// feature at position i reads, itself or by way of others; rising.
func (s *Set) Features(i int) []int { return s.programs[i].features }

// Needs returns the positions, in Context, of the values that the computed feature at
// position i needs, itself or by way of others; rising.
func (s *Set) Needs(i int) []int { return s.programs[i].needs }

// Reads reports whether the computed feature at position i names the one at position j,
// itself or by way of others.
func (s *Set) Reads(i, j int) bool {
	for _, at := range s.programs[i].reads {
		if k := s.computedAt(at); k >= 0 && (k == j || s.Reads(k, j)) {
			return true
		}
	}
	return false
}
