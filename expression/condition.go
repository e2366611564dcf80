package expression

import (
	"fmt"

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
	return &Condition{c, program}, nil
}

// Holds evaluates the condition over values, one per feature in their order; it may
// name none that is missing at the end. Null is CEL's null. The error says why it cannot
// be evaluated: a value is null where a number is needed, or MaxCost is reached.
func (c *Condition) Holds(values []feature.Value) (bool, error) {
	out, _, err := c.program.Eval(&written{c.of.at, values})
	if err != nil {
		return false, err
	}
	return out == types.True, nil
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
