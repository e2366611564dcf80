package expression

import (
	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/checker"
	"cel.dev/cel-go/common/types"
)

// maxElements is more than a list of a stored row can hold.
const maxElements = 1 << 20

// sizes says how large the values of a row may be.
type sizes struct{}

// EstimateSize bounds texts and lists; of documents nothing is said.
func (sizes) EstimateSize(node checker.AstNode) *checker.SizeEstimate {
	switch node.Type().Kind() {
	case types.StringKind, types.BytesKind:
		return &checker.SizeEstimate{Max: MaxValue}
	case types.ListKind:
		return &checker.SizeEstimate{Max: maxElements}
	}
	return nil
}

// EstimateCallCost leaves functions to their libraries.
func (sizes) EstimateCallCost(_, _ string, _ *checker.AstNode, _ []checker.AstNode) *checker.CallEstimate {
	return nil
}

// costOf returns the least and most that an evaluation costs, as far as that can be
// known without the values.
func (s *scope) costOf(ast *cel.Ast) (checker.CostEstimate, error) {
	return s.env.EstimateCost(ast, sizes{})
}
