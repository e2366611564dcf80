package expression

import (
	"math"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// coalesce is the function that gives the first of its arguments that has a value.
const coalesce = "coalesce"

// functionNames are those that a misspelt name may have meant.
var functionNames = []string{
	coalesce, "math.log", "math.log1p", "math.exp", "math.pow",
	"math.abs", "math.ceil", "math.floor", "math.round", "math.sqrt", "math.sign", "math.least", "math.greatest", "math.isNaN", "math.isFinite",
	"size", "has", "double", "int", "string", "bool", "timestamp", "duration", "matches", "contains", "startsWith", "endsWith", "lowerAscii", "upperAscii",
}

// functions declares what CEL and its libraries lack for features.
func functions() []cel.EnvOption {
	a := cel.TypeParamType("A")
	return []cel.EnvOption{
		cel.Function(coalesce,
			cel.Overload("coalesce_2", []*cel.Type{a, a}, a, cel.OverloadIsNonStrict(), cel.FunctionBinding(firstValue)),
			cel.Overload("coalesce_3", []*cel.Type{a, a, a}, a, cel.OverloadIsNonStrict(), cel.FunctionBinding(firstValue))),
		ofDouble("log", math.Log), ofDouble("log1p", math.Log1p), ofDouble("exp", math.Exp),
		cel.Function("math.pow", cel.Overload("math_pow_double_double", []*cel.Type{cel.DoubleType, cel.DoubleType}, cel.DoubleType,
			cel.BinaryBinding(func(x, y ref.Val) ref.Val {
				a, isA := x.(types.Double)
				b, isB := y.(types.Double)
				if !isA || !isB {
					return types.NoSuchOverloadErr()
				}
				return types.Double(math.Pow(float64(a), float64(b)))
			}))),
	}
}

// ofDouble declares math.NAME of one double: what IEEE 754 has it, so of a number outside
// its domain it is NaN.
func ofDouble(name string, of func(float64) float64) cel.EnvOption {
	return cel.Function("math."+name, cel.Overload("math_"+name+"_double", []*cel.Type{cel.DoubleType}, cel.DoubleType,
		cel.UnaryBinding(func(x ref.Val) ref.Val {
			d, ok := x.(types.Double)
			if !ok {
				return types.NoSuchOverloadErr()
			}
			return types.Double(of(float64(d)))
		})))
}

// firstValue gives the first that has a value: is not null, nor made of a null or of what
// a document does not hold. Another error before that is the result.
func firstValue(args ...ref.Val) ref.Val {
	for _, v := range args {
		if err, ok := v.(*types.Err); ok && (mistyped(err) || absent(err)) || v == types.NullValue {
			continue
		}
		return v
	}
	return types.NullValue
}
