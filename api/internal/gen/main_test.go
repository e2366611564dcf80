package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestGeneratedIsCommitted makes the Go files again and compares them with those
// in the tree.
func TestGeneratedIsCommitted(t *testing.T) {
	const root = "../.."
	files, err := generate(t.Context(), root)
	if err != nil {
		t.Fatalf("generate(%q): %v", root, err)
	}
	if len(files) == 0 {
		t.Fatalf("generate(%q) made no file", root)
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what go generate ./api makes (%v); run it", name, err)
		}
	}
}
