//go:build !amd64

package sketch

// merge takes the larger of each register.
func (r *registers) merge(o *registers) { r.mergeWords(o) }
