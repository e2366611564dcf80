package quality

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"sluice/feature"
)

// costLimit bounds the evaluation of an expr, in CEL's units of about one step or
// ten bytes of text each.
const costLimit = 10_000

// expr is a compiled CEL expression.
type expr struct {
	source  string
	program cel.Program
}

type envFunc func() (*cel.Env, error)

// lazyEnv returns the environment of view's expressions, made when first asked for.
func lazyEnv(view *feature.View) envFunc {
	return sync.OnceValues(func() (*cel.Env, error) {
		return cel.NewEnv(append(variables(view), cel.CrossTypeNumericComparisons(true))...)
	})
}

// variables declares the features of view.
func variables(view *feature.View) []cel.EnvOption {
	options := make([]cel.EnvOption, len(view.Features))
	for i, f := range view.Features {
		options[i] = cel.Variable(f.Name, celType(f.Type))
	}
	return options
}

func celType(t feature.Type) *cel.Type {
	if t.IsList() {
		return cel.ListType(celScalar(t.Elem()))
	}
	if t == feature.JSON || t == feature.Timestamp { // both take null as they are
		return celScalar(t)
	}
	return cel.NullableType(celScalar(t))
}

func celScalar(t feature.Type) *cel.Type {
	switch t {
	case feature.Int32, feature.Int64:
		return cel.IntType
	case feature.Float32, feature.Float64:
		return cel.DoubleType
	case feature.String:
		return cel.StringType
	case feature.Bytes:
		return cel.BytesType
	case feature.Bool:
		return cel.BoolType
	case feature.Timestamp:
		return cel.TimestampType
	}
	return cel.DynType
}

func newExpr(source string, makeEnv envFunc) (*expr, error) {
	env, err := makeEnv()
	if err != nil {
		return nil, fmt.Errorf("expr: declare features: %w: %w", ErrExpect, err)
	}
	ast, issues := env.Compile(source)
	if issues.Err() != nil {
		first := issues.Errors()[0]
		return nil, fmt.Errorf("expr %s: column %d: %s: %w", quote(source), first.Location.Column()+1, first.Message, ErrExpect)
	}
	if !ast.OutputType().IsExactType(cel.BoolType) {
		return nil, fmt.Errorf("expr %s: gives %s, want bool: %w", quote(source), ast.OutputType(), ErrExpect)
	}
	program, err := env.Program(ast, cel.CostLimit(costLimit))
	if err != nil {
		return nil, fmt.Errorf("expr %s: %w: %w", quote(source), ErrExpect, err)
	}
	return &expr{source: quote(source), program: program}, nil
}

// fault returns why the row breaks the expression; empty if it is true. An
// evaluation that fails, null where the expression needs a value among others, is
// a broken expectation.
func (e *expr) fault(c *Checker, w *feature.Write) string {
	out, _, err := e.program.Eval(&row{c, w})
	switch {
	case err != nil:
		text, _, _ := strings.Cut(err.Error(), "\n")
		return fmt.Sprintf("expr %s: %s", e.source, quote(text))
	case out == types.True:
		return ""
	}
	return fmt.Sprintf("expr %s is false", e.source)
}

// row gives an expression the features that it names.
type row struct {
	checker *Checker
	write   *feature.Write
}

// ResolveName returns the value of the feature of that name.
func (r *row) ResolveName(name string) (any, bool) {
	at, ok := r.checker.index[name]
	if !ok || at >= len(r.write.Values) {
		return nil, false
	}
	return celValue(r.write.Values[at]), true
}

// Parent returns nil: a row is all there is.
func (r *row) Parent() cel.Activation { return nil }

func celValue(v feature.Value) ref.Val {
	switch t := v.Type(); {
	case v.IsNull():
		return types.NullValue
	case t.IsList():
		list := make([]ref.Val, len(v.List()))
		for i, e := range v.List() {
			list[i] = celValue(e)
		}
		return types.NewRefValList(types.DefaultTypeAdapter, list)
	case t.Float():
		return types.Double(v.Float())
	case t == feature.Timestamp:
		return types.Timestamp{Time: v.Time()}
	case t == feature.Bool:
		return types.Bool(v.Bool())
	case t.Numeric():
		return types.Int(v.Int())
	case t == feature.String:
		return types.String(v.Text())
	case t == feature.Bytes:
		return types.Bytes(v.Text())
	}
	var decoded any
	if err := json.Unmarshal([]byte(v.Text()), &decoded); err != nil {
		return types.NewErr("json: %v", err)
	}
	return types.DefaultTypeAdapter.NativeToValue(decoded)
}
