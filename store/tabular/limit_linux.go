package tabular

import (
	"fmt"
	"os"
	"syscall"
)

// limitMemory keeps this process from taking more than bytes beyond the address
// space that it has: what the runtime reserved at its start is no use of memory.
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
	return syscall.Setrlimit(syscall.RLIMIT_AS, &syscall.Rlimit{Cur: limit, Max: limit})
}
