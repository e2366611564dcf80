package expression

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"

	"sluice/feature"
)

// Conditions compiles conditions over the features of one view.
type Conditions struct {
	scope *scope
	at    map[string]int
}

// NewConditions returns the conditions of a view with these features.
func NewConditions(features []feature.Feature) (*Conditions, error) {
	c := &Conditions{at: make(map[string]int, len(features))}
	variables := make(map[string]feature.Type, len(features))
	for i, f := range features {
		c.at[f.Name], variables[f.Name] = i, f.Type
	}
	var err error
	c.scope, err = newScope(variables)
	return c, err
}

// Condition is a compiled expression that gives a bool.
type Condition struct {
	of      *Conditions
	program cel.Program
	reads   map[string]bool // the features that it names: whether it asks if they are null
}

// Compile compiles a condition. The error is a *Fault.
func (c *Conditions) Compile(source string) (*Condition, error) {
	ast, fault := c.scope.compile(source)
	if fault != nil {
		return nil, fault
	}
	if !ast.OutputType().IsExactType(cel.BoolType) {
		return nil, &Fault{Text: fmt.Sprintf("gives %s, want bool", ast.OutputType())}
	}
	program, err := c.scope.env.Program(ast, cel.CostLimit(MaxCost))
	if err != nil {
		return nil, &Fault{Text: err.Error()}
	}
	return &Condition{c, program, readsOf(ast.NativeRep().Expr())}, nil
}

// Holds evaluates the condition over values, one per feature in their order; it may
// name none that is missing at the end. Null is CEL's null. The error says why it cannot
// be evaluated: a value is null where a number is needed, or MaxCost is reached.
func (c *Condition) Holds(values []feature.Value) (bool, error) {
	out, _, err := c.program.Eval(&written{c.of.at, values})
	if err != nil {
		return false, c.nulls(values, err)
	}
	return out == types.True, nil
}

// nulls names, in place of an error that an operation takes no value of some type, the nulls
// among the features of which the condition does not ask if they are.
func (c *Condition) nulls(values []feature.Value, err error) error {
	if !mistyped(err) {
		return err
	}
	var names []string
	for _, name := range slices.Sorted(maps.Keys(c.reads)) {
		if at, ok := c.of.at[name]; ok && !c.reads[name] && at < len(values) && values[at].IsNull() {
			names = append(names, name)
		}
	}
	switch len(names) {
	case 0:
		return err
	case 1:
		return fmt.Errorf("%s is null, where a value is needed", names[0])
	}
	return fmt.Errorf("%s are null, where a value is needed", strings.Join(names, ", "))
}

// written gives a condition the values that it names.
type written struct {
	at     map[string]int
	values []feature.Value
}

// ResolveName returns the value of the feature of that name.
func (w *written) ResolveName(name string) (any, bool) {
	at, ok := w.at[name]
	if !ok || at >= len(w.values) {
		return nil, false
	}
	return toCEL(w.values[at], false), true
}

// Parent returns nil: a row is all there is.
func (w *written) Parent() cel.Activation { return nil }
