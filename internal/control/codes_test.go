package control

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"testing"
)

// Every code that package feature declares is explained, once, and only internal
// besides.
func TestCodes(t *testing.T) {
	files, err := filepath.Glob("../../feature/*.go")
	if err != nil {
		t.Fatal(err)
	}
	declared := map[string]bool{string(codeInternal): true}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if kind, ok := spec.Type.(*ast.Ident); ok && kind.Name == "Code" {
				text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				declared[text] = true
			}
			return true
		})
	}
	for _, c := range Codes() {
		if !declared[string(c.Code)] || c.Help == "" {
			t.Errorf("code %s: declared once %t, help %q", c.Code, declared[string(c.Code)], c.Help)
		}
		delete(declared, string(c.Code))
	}
	if len(declared) > 0 {
		t.Errorf("codes without an explanation: %v", declared)
	}
}
