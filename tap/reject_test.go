package tap

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sluice/feature"
)

// Whoever chooses among dead letters by their reason is refused a word that no letter has:
// every code that this package names is one that a letter may have.
func TestLetterCodes(t *testing.T) {
	codes := map[string]feature.Code{
		"CodeDecode": feature.CodeDecode, "CodeType": feature.CodeType, "CodeInvalidArgument": feature.CodeInvalidArgument,
		"CodeUnknownView": feature.CodeUnknownView, "CodeUnknownFeature": feature.CodeUnknownFeature, "CodeTooLarge": feature.CodeTooLarge,
		"CodeFuture": feature.CodeFuture, "CodeExpect": feature.CodeExpect, "CodeNotFinite": feature.CodeNotFinite,
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if pkg, plain := nameOf(s); ok && plain && pkg == "feature" && len(s.Sel.Name) > len("Code") && strings.HasPrefix(s.Sel.Name, "Code") {
				named[s.Sel.Name] = true
			}
			return true
		})
	}
	for name := range named {
		if code := codes[name]; code == "" || !slices.Contains(feature.LetterCodes(), code) {
			t.Errorf("feature.%s is no reason of feature.LetterCodes", name)
		}
	}
	if len(named) != len(feature.LetterCodes()) {
		t.Errorf("%d codes are named, and letters may have %d", len(named), len(feature.LetterCodes()))
	}
}

func nameOf(s *ast.SelectorExpr) (pkg string, plain bool) {
	if s == nil {
		return "", false
	}
	id, plain := s.X.(*ast.Ident)
	if !plain {
		return "", false
	}
	return id.Name, true
}
