package folder

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

func TestMake(t *testing.T) {
	for name, tc := range map[string]struct {
		path  string   // below a folder that has the folder "old" and the file "file"
		above []string // what is synced
		err   error
	}{
		"one":          {"new", []string{"."}, nil},
		"three":        {"new/a/b", []string{"new/a", "new", "."}, nil},
		"below an old": {"old/a", []string{"old"}, nil},
		"an old":       {"old", nil, nil},
		"a file":       {"file", nil, syscall.ENOTDIR},
		"below a file": {"file/a", nil, syscall.ENOTDIR},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			if err := errors.Join(os.Mkdir(filepath.Join(root, "old"), 0o700), os.WriteFile(filepath.Join(root, "file"), nil, 0o600)); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(root, tc.path)
			above, _ := missing(path)
			for i := range above {
				above[i], _ = filepath.Rel(root, above[i])
			}
			if !slices.Equal(above, tc.above) {
				t.Errorf("missing(%s) = %q, want %q", tc.path, above, tc.above)
			}
			if err := Make(path, 0o750); !errors.Is(err, tc.err) {
				t.Fatalf("Make(%s) = %v, want %v", tc.path, err, tc.err)
			}
			if info, err := os.Stat(path); tc.err == nil && (err != nil || !info.IsDir() || tc.above != nil && info.Mode().Perm() != 0o750) {
				t.Errorf("Make(%s) left %v, %v", tc.path, info, err)
			}
		})
	}
}

func TestMakeRelative(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := Make("a/b", 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat("a/b"); errors.Is(err, fs.ErrNotExist) {
		t.Error("Make(a/b) made nothing")
	}
}
