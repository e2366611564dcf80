package embedded_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"sluice/store/embedded"
)

func TestLock(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	held, err := embedded.Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := embedded.Lock(dir); !errors.Is(err, embedded.ErrLocked) || !strings.Contains(err.Error(), dir) {
		if err == nil {
			second.Close()
		}
		t.Errorf("Lock of a held folder = %v, want ErrLocked naming %s", err, dir)
	}
	if err := held.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := embedded.Lock(dir)
	if err != nil {
		t.Fatalf("Lock of a released folder = %v", err)
	}
	again.Close()
}
