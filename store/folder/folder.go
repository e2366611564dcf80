// Package folder makes folders, and puts files in place, that outlast a loss of power.
//
// What is synced in a new folder is lost with it if the folder's own name was never
// synced in the folder above, which POSIX leaves to whoever makes it. So it is with a
// file that gets another name.
//
// The functions are safe for concurrent use, by several processes as well. Package
// folder imports nothing of this module.
package folder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Make makes the folder at path with the permissions of mode, as os.MkdirAll does, and
// returns once its name, and those of the folders that it made above, are on the disk.
// A folder that is there already stays as it is, and nothing is synced.
func Make(path string, mode fs.FileMode) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	above, err := missing(path)
	if err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	if err := os.MkdirAll(path, mode); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	for _, dir := range above {
		if err := syncNames(dir); err != nil {
			return fmt.Errorf("make folder %s: sync the folder above: %w", path, err)
		}
	}
	return nil
}

// Rename gives a file whose bytes are synced another name in the same folder, as os.Rename
// does, and returns once the name is on the disk. With an error that is not os.Rename's the
// file may have either name.
func Rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	if err := syncNames(filepath.Dir(to)); err != nil {
		return fmt.Errorf("rename %s: sync its folder: %w", to, err)
	}
	return nil
}

// missing returns the folders that get a new name when path is made, lowest first.
func missing(path string) (above []string, err error) {
	for {
		_, err := os.Stat(path)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return above, err
		}
		path = filepath.Dir(path)
		above = append(above, path)
	}
}

// syncNames waits until the names in a folder are on the disk. File systems that
// cannot be told keep them in their own time.
func syncNames(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = f.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		err = nil
	}
	return errors.Join(err, f.Close())
}
