package quality

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"sluice/expression"
	"sluice/feature"
)

// expr is a compiled CEL expression.
type expr struct {
	source    string
	condition *expression.Condition
}

type scopeFunc func() (*expression.Conditions, error)

// lazyScope returns what view's expressions may name, made when first asked for.
func lazyScope(view *feature.View) scopeFunc {
	return sync.OnceValues(func() (*expression.Conditions, error) { return expression.NewConditions(view.Features) })
}

func newExpr(source string, scope scopeFunc) (*expr, error) {
	conditions, err := scope()
	if err != nil {
		return nil, fmt.Errorf("expr: declare features: %w: %w", ErrExpect, err)
	}
	compiled, err := conditions.Compile(source)
	var fault *expression.Fault
	if errors.As(err, &fault) {
		return nil, fmt.Errorf("expr %s: %s: %w", quote(source), fault.Text, ErrExpect)
	}
	return &expr{source: quote(source), condition: compiled}, nil
}

// fault returns why the row breaks the expression; empty if it is true. An
// evaluation that fails, null where the expression needs a value among others, is
// a broken expectation.
func (e *expr) fault(w *feature.Write) string {
	holds, err := e.condition.Holds(w.Values)
	switch {
	case err != nil:
		text, _, _ := strings.Cut(err.Error(), "\n")
		return fmt.Sprintf("expr %s: %s", e.source, quote(text))
	case holds:
		return ""
	}
	return fmt.Sprintf("expr %s is false", e.source)
}
