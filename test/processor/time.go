//go:build unix

// Package processor tells benchmarks the processor time they take: on a shared machine it
// says more than the clock.
package processor

import (
	"syscall"
	"time"
)

// Time returns the time that this process has spent on processors, as itself and in the
// system on its behalf. Differences of two calls are meant; it is 0 if the system does not
// say.
func Time() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
