package registry

import (
	"database/sql"
	"errors"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"sluice/feature"
)

// TestFull: a file that may not grow is a full disk: nothing is changed, the error says so,
// and where, and once there is room the same change is made.
func TestFull(t *testing.T) {
	f := &sqlite{path: filepath.Join(t.TempDir(), "registry.db"), hot: map[string]*sql.Stmt{}}
	if err := f.open(t.Context(), Options{}); err != nil {
		t.Fatal(err)
	}
	s := newRegistry(f, f)
	s.closers = append(s.closers, f)
	defer s.Close()
	limit := func(pages int) {
		t.Helper()
		if _, err := f.writer.ExecContext(t.Context(), "PRAGMA max_page_count = "+strconv.Itoa(pages)); err != nil {
			t.Fatal(err)
		}
	}
	long := feature.Audit{At: time.Unix(1, 0), By: "alice", Action: "freeze", Reason: strings.Repeat("why ", 1<<18)}
	limit(1) // never less than it has
	err := s.WriteAudit(t.Context(), long)
	if !errors.Is(err, feature.ErrFull) || !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), f.path) {
		t.Errorf("a change on a full disk = %v, want %v that names %s", err, feature.ErrFull, f.path)
	}
	limit(1 << 30)
	if err := s.WriteAudit(t.Context(), long); err != nil {
		t.Errorf("the same change once there is room = %v", err)
	}
}
