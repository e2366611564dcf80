//go:build !unix

package h1

// hungUp reports nothing here: a request whose client hangs up is worked on to its end.
func hungUp(uintptr) bool { return false }
