package expression

import (
	"errors"
	"strings"
)

// ErrExpression reports an expression that does not compile, or not to what is wanted.
var ErrExpression = errors.New("not an expression")

// Fault is what is wrong with one expression.
type Fault struct {
	Computed string // the computed feature that it is of; empty for a condition
	Text     string // what is wrong and where in the expression
}

// Error names the computed feature and says what is wrong.
func (f *Fault) Error() string {
	if f.Computed == "" {
		return f.Text
	}
	return "computed feature " + f.Computed + ": " + f.Text
}

// Is reports whether target is ErrExpression.
func (f *Fault) Is(target error) bool { return target == ErrExpression }

// Faults are all of a view, in the order of its computed features. It is never empty
// where it is returned as an error.
type Faults []*Fault

// Error returns one fault a line.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i := range f {
		lines[i] = f[i].Error()
	}
	return strings.Join(lines, "\n")
}

// Is reports whether target is ErrExpression.
func (f Faults) Is(target error) bool { return target == ErrExpression }
