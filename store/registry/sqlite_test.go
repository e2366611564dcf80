package registry_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sluice/store/registry"
	"sluice/store/storetest"
)

func open(t testing.TB, dir string) storetest.RegistryStore {
	t.Helper()
	s, err := registry.OpenSQLite(context.Background(), filepath.Join(dir, "registry.db"), registry.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRegistry(t *testing.T) { storetest.Registry(t, registry.ErrInvalid, open) }

func TestOpenSQLiteRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		prepare func(t *testing.T, path string)
		want    error
		hint    string
	}{
		"text":            {func(t *testing.T, path string) { write(t, path, []byte("name,value\n")) }, registry.ErrForeign, "move it away"},
		"a short file":    {func(t *testing.T, path string) { write(t, path, []byte("S")) }, registry.ErrForeign, "move it away"},
		"other tables":    {func(t *testing.T, path string) { execute(t, path, "CREATE TABLE notes (x)") }, registry.ErrForeign, "another program"},
		"other mark":      {func(t *testing.T, path string) { execute(t, path, "PRAGMA application_id = 7") }, registry.ErrForeign, "another program"},
		"a newer release": {newer, registry.ErrForeign, "newer release"},
		"cut short":       {func(t *testing.T, path string) { damage(t, path, func(b []byte) []byte { return b[:len(b)/2] }) }, registry.ErrCorrupt, "backup"},
		"pages overwritten": {func(t *testing.T, path string) {
			damage(t, path, func(b []byte) []byte { return append(b[:4096:4096], slices.Repeat([]byte{0xa5}, len(b)-4096)...) })
		}, registry.ErrCorrupt, "backup"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "registry.db")
			tc.prepare(t, path)
			s, err := registry.OpenSQLite(t.Context(), path, registry.Options{})
			if !errors.Is(err, tc.want) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), tc.hint) {
				t.Errorf("OpenSQLite = %v, want %v that names %s and says %q", err, tc.want, path, tc.hint)
			}
			if err == nil {
				s.Close()
			}
		})
	}
}

func TestOpenSQLiteAccepts(t *testing.T) {
	for name, path := range map[string]string{
		"a folder that is not there": "new/folder/registry.db",
		"a hostile name":             "a b?c#d%20&_pragma=x.db",
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), path)
			s, err := registry.OpenSQLite(t.Context(), path, registry.Options{Sync: true})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(path); err != nil {
				t.Errorf("the file is elsewhere: %v", err)
			}
		})
	}
}

func newer(t *testing.T, path string) {
	made(t, path)
	execute(t, path, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (900, 1)")
}

// made makes an empty registry.
func made(t *testing.T, path string) {
	t.Helper()
	s, err := registry.OpenSQLite(t.Context(), path, registry.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func damage(t *testing.T, path string, change func([]byte) []byte) {
	t.Helper()
	made(t, path)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, change(b))
}

func execute(t *testing.T, path, query string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), query); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
