package dashboards

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const regenerate = "is not what the code says: run go generate ./dashboards"

func TestCompiledIsCurrent(t *testing.T) {
	files, err := Files()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		if got, err := os.ReadFile(filepath.Join("compiled", name)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("compiled/%s %s (%v)", name, regenerate, err)
		}
	}
	entries, err := os.ReadDir("compiled")
	if err != nil || len(entries) != len(files) {
		t.Errorf("compiled holds %d files (%v), want the %d that Files returns", len(entries), err, len(files))
	}
}

func TestReferenceIsCurrent(t *testing.T) {
	if got, err := os.ReadFile("../docs/reference/metrics.md"); err != nil || !bytes.Equal(got, Reference()) {
		t.Errorf("docs/reference/metrics.md %s (%v)", regenerate, err)
	}
}

func TestExport(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "folder")
	if err := Export(dir); err != nil {
		t.Fatal(err)
	}
	files, err := Files()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("Export wrote %s with %d bytes (%v), want %d", name, len(got), err, len(want))
		}
	}
	if err := Export(filepath.Join(dir, "rules.yaml")); err == nil {
		t.Error("Export onto a file gave no error")
	}
}

// TestRunbook wants a heading for every alert and an alert for every heading.
func TestRunbook(t *testing.T) {
	body, err := os.ReadFile("../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]string{}
	for _, section := range strings.Split(string(body), "\n## ")[1:] {
		heading, text, _ := strings.Cut(section, "\n")
		sections[heading] = text
	}
	for _, name := range Alerts() {
		text, ok := sections[name]
		if !ok {
			t.Errorf("runbook has no heading %q", name)
			continue
		}
		for _, part := range []string{"**Meaning.**", "**Check.**", "**Do.**", "**Undo.**"} {
			if !strings.Contains(text, part) {
				t.Errorf("runbook section %s has no part %s", name, part)
			}
		}
		if !strings.Contains(text, "```") {
			t.Errorf("runbook section %s has no command or query to run", name)
		}
		delete(sections, name)
	}
	for heading := range sections {
		if strings.HasPrefix(heading, "Sluice") {
			t.Errorf("runbook heading %q belongs to no alert", heading)
		}
	}
}
