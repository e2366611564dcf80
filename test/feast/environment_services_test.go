//go:build services

package feast

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// environment returns the Python of the virtual environment that holds exactly what
// requirements.txt pins. It is made again when the file changes.
func environment(t *testing.T) string {
	t.Helper()
	want, err := os.ReadFile("requirements.txt")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := filepath.Abs(filepath.Join("..", "..", ".venv", "feast"))
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
	command(t, python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", "requirements.txt")
	// Written last: what is interrupted is made again.
	if err := os.WriteFile(done, want, 0o644); err != nil {
		t.Fatal(err)
	}
	return python
}

func command(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %q: %v; this test needs Python 3.10 to 3.13 with venv and pip, which SLUICE_PYTHON may name, and a package index\n%s", name, args, err, out)
	}
}
