package tabular

import (
	"fmt"
	"os"
	"syscall"
)

// limitMemory keeps this process from taking more than bytes beyond the address
// space that it has: what the runtime reserved at its start is no use of memory. A limit
// that is lower than that already stays, as of ulimit -v: nobody may raise it.
func limitMemory(bytes uint64) error {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return err
	}
	var pages uint64
	if _, err := fmt.Sscan(string(text), &pages); err != nil {
		return fmt.Errorf("statm: %w", err)
	}
	limit := pages*uint64(os.Getpagesize()) + bytes
	var now syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_AS, &now); err != nil {
		return err
	}
	return syscall.Setrlimit(syscall.RLIMIT_AS, &syscall.Rlimit{Cur: min(limit, now.Cur), Max: min(limit, now.Max)})
}
