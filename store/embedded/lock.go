package embedded

import (
	"fmt"
	"io"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2/vfs"

	"sluice/store/folder"
)

// Lock keeps other processes from a folder of embedded parts until the closer is
// closed or the process ends, however it ends. The folder is made if it is not
// there. The error is ErrLocked if somebody holds it.
func Lock(dir string) (io.Closer, error) {
	if err := folder.Make(dir, 0o700); err != nil {
		return nil, fmt.Errorf("lock data folder: %w", err)
	}
	lock, err := vfs.Default.Lock(filepath.Join(dir, "lock"))
	switch {
	case err == nil:
		return lock, nil
	case isLocked(err):
		return nil, fmt.Errorf("data folder %s: %w by another sluice: stop it first, or give this one a folder of its own with --data: %w", dir, ErrLocked, err)
	}
	return nil, fmt.Errorf("lock data folder %s: %w", dir, err)
}
