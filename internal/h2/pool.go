package h2

import "sync"

const (
	idleBuffer = 1 << 10              // bytes that a connection reads into until more comes than that
	fullBuffer = frameHead + maxFrame // bytes of a buffer that holds any frame
	keptBuffer = 256 << 10            // bytes of the largest buffer that is kept for others
)

// slabs are buffers between uses.
var slabs = sync.Pool{New: func() any {
	b := make([]byte, 0, fullBuffer)
	return &b
}}

// slab returns an empty buffer with room for n bytes.
func slab(n int) *[]byte {
	b := slabs.Get().(*[]byte)
	if cap(*b) < n {
		*b = make([]byte, 0, n)
	}
	*b = (*b)[:0]
	return b
}

func free(b *[]byte) {
	if b != nil && cap(*b) <= keptBuffer {
		slabs.Put(b)
	}
}
