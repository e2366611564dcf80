package expression

import (
	"errors"
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
)

// Reason says why an expression could not be evaluated, in a word.
type Reason string

// The reasons of failures.
const (
	ReasonDivision Reason = "division" // by zero, of integers
	ReasonOverflow Reason = "overflow" // of an integer, a time, or a type too narrow for the result
	ReasonCost     Reason = "cost"     // more steps than MaxCost
	ReasonSize     Reason = "size"     // more bytes than MaxValue
	ReasonType     Reason = "type"     // a value of another type than the expression takes or declares, or a text that does not convert
	ReasonInput    Reason = "input"    // a computed feature that it reads failed
)

// Reasons are all of them.
var Reasons = []Reason{ReasonDivision, ReasonOverflow, ReasonCost, ReasonSize, ReasonType, ReasonInput}

// Failure is why a computed feature has no value for a row. Its text holds no value of
// the row, which may be nobody's business.
type Failure struct {
	Reason Reason
	Column int // in the expression, from 1; 0 if it is not known
	text   string
}

// Error says what failed and where.
func (f *Failure) Error() string {
	if f.Column > 0 {
		return fmt.Sprintf("column %d: %s", f.Column, f.text)
	}
	return f.text
}

// absent reports whether err says that a document or list has nothing at a place.
func absent(err error) bool {
	text := err.Error()
	return strings.HasPrefix(text, "no such key") || strings.HasPrefix(text, "index out of bounds") ||
		strings.HasPrefix(text, "index '") && strings.Contains(text, "out of range")
}

// mistyped reports whether err says that a value, such as null, is of no type that an
// operation takes.
func mistyped(err error) bool { return strings.HasPrefix(err.Error(), "no such overload") }

// failed classifies an error of an evaluation.
func failed(ast *cel.Ast, err error) *Failure {
	text := err.Error()
	f := &Failure{Reason: ReasonType, text: "a value does not convert"}
	switch {
	case strings.Contains(text, "by zero"):
		f.Reason, f.text = ReasonDivision, "division by zero"
	case strings.Contains(text, "overflow"):
		f.Reason, f.text = ReasonOverflow, "a number or time that its type cannot hold"
	case strings.Contains(text, "cost limit exceeded"):
		f.Reason, f.text = ReasonCost, fmt.Sprintf("more than %d steps", MaxCost)
	case mistyped(err):
		f.text = "a value of another type than the operation takes"
	}
	var where *types.Err
	if errors.As(err, &where) && where.NodeID() > 0 {
		if at := ast.NativeRep().SourceInfo().GetStartLocation(where.NodeID()); at.Line() == 1 {
			f.Column = at.Column() + 1
		}
	}
	return f
}
