// Package suite reads expectation suites of Great Expectations, as versions 0.x and 1.x
// save them, and writes what they say as the definition of a view. It names what it did
// not understand, and why. It imports feature only.
package suite

import "errors"

// Errors of the package; test with errors.Is.
var (
	// ErrSuite reports text that is no expectation suite.
	ErrSuite = errors.New("no expectation suite")
	// ErrLimit reports a suite beyond a limit of this package.
	ErrLimit = errors.New("beyond a limit")
)

// Limits of a suite.
const (
	MaxBytes        = 4 << 20
	MaxExpectations = 2000
)
