package sketch

// merge takes the larger of each register.
func (r *registers) merge(o *registers) { largest(r, o) }

// largest sets each byte of a to the larger of a's and b's, 16 at a time: SSE2, which
// every amd64 has. Merging a feature was two thirds this when it took 8 at a time.
//
//go:noescape
func largest(a, b *registers)
