package h1

import "sync"

const (
	idleBuffer = 2 << 10  // bytes that a connection reads into until more comes than that
	fullBuffer = maxHead  // bytes of a buffer that holds any head, and most requests
	keptPiece  = 1 << 20  // bytes of the largest answer or body whose memory is kept for others
	firstPiece = 32 << 10 // bytes that one begins with
)

// slabs are buffers of fullBuffer bytes, pieces are of any size, for bodies that no slab
// holds and for answers; both between uses.
var (
	slabs  = sync.Pool{New: func() any { return pooled(fullBuffer) }}
	pieces = sync.Pool{New: func() any { return pooled(firstPiece) }}
)

func pooled(n int) *[]byte {
	b := make([]byte, 0, n)
	return &b
}

// slab returns an empty buffer of fullBuffer bytes.
func slab() *[]byte { return slabs.Get().(*[]byte) }

func freeSlab(b *[]byte) {
	*b = (*b)[:0]
	slabs.Put(b)
}

// piece returns an empty buffer.
func piece() *[]byte { return pieces.Get().(*[]byte) }

func freePiece(b *[]byte) {
	if b != nil && cap(*b) <= keptPiece {
		*b = (*b)[:0]
		pieces.Put(b)
	}
}
