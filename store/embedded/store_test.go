package embedded_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/feature"
	"sluice/store/embedded"
	"sluice/store/storetest"
)

func open(t testing.TB, dir string) storetest.RowStore {
	t.Helper()
	s, err := embedded.Open(embedded.Options{Path: dir, Sync: true})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRows(t *testing.T) { storetest.Rows(t, open) }

func TestOpenRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		prepare func(t *testing.T, dir string)
		want    error
	}{
		"a folder of something else": {func(t *testing.T, dir string) { write(t, filepath.Join(dir, "notes.txt"), "hello") }, embedded.ErrForeign},
		"a folder in use": {func(t *testing.T, dir string) {
			s := open(t, dir)
			t.Cleanup(func() { s.Close() })
		}, embedded.ErrLocked},
		"a folder that lost its files": {func(t *testing.T, dir string) {
			if err := open(t, dir).Close(); err != nil {
				t.Fatal(err)
			}
			remove(t, dir, "MANIFEST-*")
			remove(t, dir, "marker.manifest*")
		}, embedded.ErrForeign},
		"a damaged manifest": {func(t *testing.T, dir string) {
			if err := open(t, dir).Close(); err != nil {
				t.Fatal(err)
			}
			for _, file := range glob(t, dir, "MANIFEST-*") {
				write(t, file, strings.Repeat("damaged ", 100))
			}
		}, embedded.ErrCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			tc.prepare(t, dir)
			s, err := embedded.Open(embedded.Options{Path: dir})
			if !errors.Is(err, tc.want) || !strings.Contains(err.Error(), dir) {
				t.Errorf("Open = %v, want %v naming %s", err, tc.want, dir)
			}
			if err == nil {
				s.Close()
			}
		})
	}
}

func TestOpenRefusesFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rows")
	write(t, path, "a file")
	if _, err := embedded.Open(embedded.Options{Path: path}); !errors.Is(err, embedded.ErrForeign) {
		t.Errorf("Open of a file = %v, want %v", err, embedded.ErrForeign)
	}
}

func TestClosed(t *testing.T) {
	s, err := embedded.Open(embedded.Options{Path: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Fatalf("Close twice = %v", err)
	}
	ctx := context.Background()
	for name, call := range map[string]func() error{
		"Stage": func() error { _, err := s.Stage(ctx, 1, 1, nil); return err },
		"Read":  func() error { _, err := s.Read(ctx, 1, []feature.Key{"a"}, nil); return err },
		"Drop":  func() error { _, err := s.Drop(ctx, 1, 1); return err },
		"Fold":  func() error { _, err := s.Fold(ctx, 1, 1, nil, []feature.Version{1}); return err },
		"Stat":  func() error { _, _, err := s.Stat(ctx, 1, 1); return err },
		"Sync":  func() error { return s.Sync(ctx) },
	} {
		t.Run(name, func(t *testing.T) {
			if err := call(); !errors.Is(err, embedded.ErrClosed) {
				t.Errorf("%s of a closed store = %v, want %v", name, err, embedded.ErrClosed)
			}
		})
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func glob(t *testing.T, dir, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s holds no %s: %v", dir, pattern, err)
	}
	return files
}

func remove(t *testing.T, dir, pattern string) {
	t.Helper()
	for _, file := range glob(t, dir, pattern) {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
}
