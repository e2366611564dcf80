//go:build unix

package h1

import (
	"errors"
	"syscall"
)

// hungUp reports whether a read of the socket would find its end, or an error. It takes
// nothing out of it: its owner may read meanwhile.
func hungUp(fd uintptr) bool {
	var one [1]byte
	n, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK) // it does not block: net's sockets do not
	if err != nil {
		return !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.EINTR)
	}
	return n == 0
}
