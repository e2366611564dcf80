package mutants

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

var all = flag.Bool("mutants.all", false, "plant every bug of the table, not only four")

const root = "../.."

// TestPlantedBugs plants each bug and wants its test to fail: the test, not the
// build. Without the bug the same test passes.
func TestPlantedBugs(t *testing.T) { plant(t, mutants, *all) }

func plant(t *testing.T, mutants []mutant, all bool) {
	var healthy sync.Map // of a test's command, whether it passes as the tree is
	caught, planted := 0, 0
	for _, m := range mutants {
		if !m.often && !all {
			m.check(t) // only that it is not out of date
			continue
		}
		planted++
		t.Run(m.name, func(t *testing.T) {
			once, _ := healthy.LoadOrStore(strings.Join(m.command(), " "), sync.OnceValues(func() (string, error) { return m.test("") }))
			if out, err := once.(func() (string, error))(); err != nil {
				t.Fatalf("the test fails as the tree is: %v\n%s", err, tail(out))
			}
			out, err := m.test(m.overlay(t))
			switch {
			case err == nil:
				t.Errorf("not caught by %s of %s", m.run, m.pkg)
			case !strings.Contains(out, "--- FAIL") && !strings.Contains(out, "panic: "):
				t.Errorf("the test did not come to run: %v\n%s", err, tail(out))
			case strings.Contains(out, "panic: test timed out"):
				t.Errorf("the test did not come to an end, which may be the machine: %v\n%s", err, tail(out))
			default:
				caught++
			}
		})
	}
	t.Logf("%d of %d planted bugs caught; %d in the table", caught, planted, len(mutants))
}

// check returns the file with the bug.
func (m *mutant) check(t *testing.T) string {
	t.Helper()
	source, err := os.ReadFile(filepath.Join(root, m.file))
	if err != nil {
		t.Fatal(err)
	}
	text := string(source)
	for _, e := range m.edits {
		if n := strings.Count(text, e[0]); n != 1 {
			t.Fatalf("bug %q is out of date: %s has %q %d times, want once", m.name, m.file, e[0], n)
		}
		text = strings.Replace(text, e[0], e[1], 1)
	}
	return text
}

// overlay writes the file with the bug, and what tells go to take it, to a folder.
func (m *mutant) overlay(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	original, err := filepath.Abs(filepath.Join(root, m.file))
	if err != nil {
		t.Fatal(err)
	}
	changed, overlay := filepath.Join(dir, filepath.Base(m.file)), filepath.Join(dir, "overlay.json")
	b, err := json.Marshal(map[string]any{"Replace": map[string]string{original: changed}})
	if err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{changed: m.check(t), overlay: string(b)} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return overlay
}

// command is what go is told to test.
func (m *mutant) command() []string {
	return append([]string{m.pkg, "-count=1", "-timeout=30m", "-run", m.run}, m.args...)
}

// test runs the test with a bug; without one if overlay is empty.
func (m *mutant) test(overlay string) (out string, err error) {
	args := append([]string{"test"}, m.command()...)
	if overlay != "" {
		args = append([]string{"test", "-overlay", overlay}, m.command()...)
	}
	cmd := exec.Command("go", args...)
	cmd.Dir = root
	b, err := cmd.CombinedOutput()
	return string(b), err
}

// tail is the end of what a test said.
func tail(out string) string {
	const most = 2000
	return out[max(0, len(out)-most):]
}
