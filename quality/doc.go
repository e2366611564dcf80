// Package quality holds what a view's definition expects of its features, rows and
// windows: Checker tests each write before it is staged or profiled, Expectations
// measures a window's profile.
//
// It says what was broken and by how much; what becomes of the window is for
// package rules to say. A Checker is immutable and safe for concurrent use, and
// Expectations is pure. Package quality imports feature, quality/sketch and
// expression.
package quality

import "errors"

// ErrExpect reports a definition whose expectations make no sense.
var ErrExpect = errors.New("invalid expectation")
