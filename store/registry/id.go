package registry

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"sync/atomic"
	"time"
)

var lastID atomic.Int64

// NewID returns an id for an audit row or an alert: 24 hex digits, which sort in
// the order in which one process made them, and never repeat.
func NewID() string {
	now := time.Now().UnixNano()
	for {
		last := lastID.Load()
		now = max(now, last+1)
		if lastID.CompareAndSwap(last, now) {
			break
		}
	}
	var b [12]byte
	binary.BigEndian.PutUint64(b[:], uint64(now))
	rand.Read(b[8:]) // never fails
	return hex.EncodeToString(b[:])
}
