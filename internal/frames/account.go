package frames

import (
	"sync/atomic"
	"time"
)

// The kinds of frames that are told apart, RFC 9113.
const (
	kindData    = 0
	kindHeaders = 1
	kindReset   = 3
	kindMore    = 9 // CONTINUATION
)

const (
	prefaceSize = 24 // of what a client sends before its first frame
	headSize    = 9  // of a frame

	// A call brings as many frames as clients need for it, HEADERS itself among them:
	// DATA, an empty DATA that ends it, two WINDOW_UPDATE and a PING.
	perCall = 6
	// A call that is reset costs the server what it would have cost anyway, so that one in
	// three may be, at most, and many more than that for a moment.
	perReset = 12
	// Bytes of a message that bring a frame, and of an answer, for which clients send
	// WINDOW_UPDATE: they do it after 16 KiB or more, twice.
	bytesIn  = 1 << 10
	bytesOut = 4 << 10
	// Bytes of headers that a call may have, and those beyond that cost a frame: a byte of
	// headers may name a field of thousands.
	bytesHead = 2 << 10
	bytesMore = 256
)

// account is what a connection may still send.
type account struct {
	most  int64        // frames at once; a tenth of them comes back in a second
	left  int64        // of the goroutine that reads
	since time.Time    // when frames last came back
	sent  atomic.Int64 // bytes of answers that are not counted yet
	now   func() time.Time

	head [headSize]byte // of the next frame, as far as it has come
	have int
	skip int64 // bytes of the preface or of a frame that are still to come
}

func newAccount(most int, now func() time.Time) *account {
	return &account{most: int64(most), left: int64(most), since: now(), now: now, skip: prefaceSize}
}

// read takes account of bytes that came, and reports whether the connection may go on.
func (a *account) read(b []byte) bool {
	for len(b) > 0 {
		if a.skip > 0 {
			n := min(a.skip, int64(len(b)))
			a.skip -= n
			b = b[n:]
			continue
		}
		n := copy(a.head[a.have:], b)
		a.have += n
		if b = b[n:]; a.have < headSize {
			break
		}
		a.have = 0
		size := int64(a.head[0])<<16 | int64(a.head[1])<<8 | int64(a.head[2])
		a.skip = size
		a.frame(a.head[3], size)
	}
	return a.left > 0 || a.refill()
}

// frame takes account of one.
func (a *account) frame(kind byte, size int64) {
	switch kind {
	case kindHeaders:
		a.left += perCall - 1 - max(0, size-bytesHead)/bytesMore
	case kindReset:
		a.left -= perReset
	case kindData:
		a.left += size/bytesIn - 1
	case kindMore:
		a.left -= 1 + size/bytesMore
	default:
		a.left--
	}
	a.left = min(a.left, a.most)
}

// refill gives back what time and answers have brought, and reports whether anything is
// left then.
func (a *account) refill() bool {
	rate := float64(a.most) / 10
	back := int64(rate * a.now().Sub(a.since).Seconds())
	a.since = a.since.Add(time.Duration(float64(back) / rate * float64(time.Second)))
	answers := a.sent.Load() / bytesOut
	a.sent.Add(-answers * bytesOut)
	a.left = min(a.most, a.left+back+answers)
	return a.left > 0
}
