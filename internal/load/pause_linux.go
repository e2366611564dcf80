package load

import (
	"syscall"
	"time"
)

// pause sleeps for d, to about 60 µs: the runtime's own timers are rounded up to a
// millisecond while a process is idle.
func pause(d time.Duration) {
	t := syscall.NsecToTimespec(int64(d))
	_ = syscall.Nanosleep(&t, nil) // the caller looks at the clock again
}
