package expression

import (
	"slices"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// reads finds what an expression names.
type reads struct {
	named  map[string]bool // by name: whether the expression asks if it is null
	asking bool            // within the arguments of coalesce
}

// readsOf returns the variables that e names. One is asked about where it is compared
// with null, or stands in an argument of coalesce.
func readsOf(e ast.Expr) map[string]bool {
	r := reads{named: map[string]bool{}}
	r.visit(e, nil)
	return r.named
}

// visit looks at e, in which the names local are the expression's own.
func (r *reads) visit(e ast.Expr, local []string) {
	switch e.Kind() {
	case ast.IdentKind:
		r.note(e, local, false)
	case ast.SelectKind:
		r.visit(e.AsSelect().Operand(), local)
	case ast.CallKind:
		r.call(e.AsCall(), local)
	case ast.ListKind:
		for _, item := range e.AsList().Elements() {
			r.visit(item, local)
		}
	case ast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			r.visit(entry.AsMapEntry().Key(), local)
			r.visit(entry.AsMapEntry().Value(), local)
		}
	case ast.StructKind:
		for _, field := range e.AsStruct().Fields() {
			r.visit(field.AsStructField().Value(), local)
		}
	case ast.ComprehensionKind:
		r.loop(e.AsComprehension(), local)
	}
}

// note adds the variable that e is.
func (r *reads) note(e ast.Expr, local []string, asked bool) {
	if name := e.AsIdent(); !slices.Contains(local, name) {
		r.named[name] = r.named[name] || asked || r.asking
	}
}

func (r *reads) call(c ast.CallExpr, local []string) {
	if c.IsMemberFunction() {
		r.visit(c.Target(), local)
	}
	args := c.Args()
	if c.FunctionName() == coalesce {
		defer func(outside bool) { r.asking = outside }(r.asking)
		r.asking = true
	}
	for i, arg := range args {
		asked := false
		if f := c.FunctionName(); f == operators.Equals || f == operators.NotEquals {
			other := undyned(args[1-i])
			asked = other.Kind() == ast.LiteralKind && other.AsLiteral() == types.NullValue
		}
		if arg = undyned(arg); arg.Kind() == ast.IdentKind {
			r.note(arg, local, asked)
			continue
		}
		r.visit(arg, local)
	}
}

// undyned returns what dyn(...) stands around, which is how lists are compared with null.
func undyned(e ast.Expr) ast.Expr {
	if e.Kind() == ast.CallKind && e.AsCall().FunctionName() == "dyn" && len(e.AsCall().Args()) == 1 {
		return e.AsCall().Args()[0]
	}
	return e
}

func (r *reads) loop(c ast.ComprehensionExpr, local []string) {
	r.visit(c.IterRange(), local)
	r.visit(c.AccuInit(), local)
	inner := append(slices.Clone(local), c.AccuVar())
	r.visit(c.Result(), inner)
	inner = append(inner, c.IterVar())
	if c.HasIterVar2() {
		inner = append(inner, c.IterVar2())
	}
	r.visit(c.LoopCondition(), inner)
	r.visit(c.LoopStep(), inner)
}
