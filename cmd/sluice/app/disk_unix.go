//go:build linux || darwin || freebsd

package app

import "syscall"

// diskFree returns the bytes that this user may still write in the file system of dir,
// and the bytes that it has in all.
func diskFree(dir string) (free, total uint64, err error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, 0, err
	}
	return uint64(s.Bavail) * uint64(s.Bsize), uint64(s.Blocks) * uint64(s.Bsize), nil
}
