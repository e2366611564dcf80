//go:build !(linux || darwin || freebsd)

package app

import "errors"

// diskFree is not known on this system.
func diskFree(string) (free, total uint64, err error) { return 0, 0, errors.ErrUnsupported }
