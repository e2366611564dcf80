// Package venv makes virtual environments for tests that run a peer written in Python.
package venv

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Python returns the interpreter of the virtual environment .venv/name at the top of the
// project, which holds exactly what the requirements files pin. It is made again when one
// of them changes. SLUICE_PYTHON names the Python to make it with; the default is python3.
func Python(t testing.TB, name string, requirements ...string) string {
	t.Helper()
	var want []byte
	install := []string{"-m", "pip", "install", "-q", "--disable-pip-version-check"}
	for _, file := range requirements {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		want, install = append(want, text...), append(install, "-r", file)
	}
	dir, err := filepath.Abs(filepath.Join("..", "..", ".venv", name))
	if err != nil {
		t.Fatal(err)
	}
	python, done := filepath.Join(dir, "bin", "python"), filepath.Join(dir, "requirements.txt")
	if have, err := os.ReadFile(done); err == nil && bytes.Equal(have, want) {
		return python
	}
	base := os.Getenv("SLUICE_PYTHON")
	if base == "" {
		base = "python3"
	}
	command(t, base, "-c", "import sys; v = sys.version_info[:2]; sys.exit(None if (3, 10) <= v <= (3, 13) else f'Python {v} is not 3.10 to 3.13')")
	command(t, base, "-m", "venv", "--clear", dir)
	command(t, python, install...)
	// Written last: what is interrupted is made again.
	if err := os.WriteFile(done, want, 0o644); err != nil {
		t.Fatal(err)
	}
	return python
}

func command(t testing.TB, name string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %q: %v; this test needs Python 3.10 to 3.13 with venv and pip, which SLUICE_PYTHON may name, and a package index\n%s", name, args, err, out)
	}
}
